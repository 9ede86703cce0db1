//! Writes a labelled set of Chinese organisations as CSV, to measure matchers by: each organisation in one to
//! six records with the noise that hospitals' lists carry, among firms that are easily taken for it.
//!
//! `cargo run --release -p matching --example chinese_set -- [organisations] [seed] [file] [held-out]`
//! `held-out` mixes the noise in other shares, for a set that nothing was refined on.
//! The same arguments give the same file. Nothing here uses the matcher's own dictionaries or folding.

mod noise;
mod words;
mod world;

use std::io::Write;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let count: usize = args.next().map_or(Ok(10_000), |n| n.parse())?;
    let seed: u64 = args.next().map_or(Ok(1), |n| n.parse())?;
    let path = args.next();
    let mix = match args.next().as_deref() {
        None => &noise::SEEN,
        Some("held-out") => &noise::HELD_OUT,
        Some(other) => return Err(format!("the mix is held-out or nothing, not {other}").into()),
    };
    let sink: Box<dyn Write> = match path {
        Some(path) => Box::new(std::fs::File::create(path)?),
        None => Box::new(std::io::stdout()),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let firms = world::firms(count, &mut rng);
    let mut records: Vec<[String; 7]> = Vec::new();
    for firm in &firms {
        noise::records(firm, mix, &mut rng, &mut records);
    }
    records.shuffle(&mut rng);
    let mut out = csv::Writer::from_writer(sink);
    out.write_record([
        "record_id",
        "name",
        "uscc",
        "legal_representative",
        "phone",
        "address",
        "email",
        "truth",
    ])?;
    for (at, record) in records.iter().enumerate() {
        let id = format!("r{at:07}");
        out.write_record(std::iter::once(id.as_str()).chain(record.iter().map(String::as_str)))?;
    }
    out.flush()?;
    Ok(())
}

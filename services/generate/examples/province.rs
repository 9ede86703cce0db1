//! Writes a province from the command line, for whoever works on the generator:
//! `cargo run --release -p generate --example province -- DIR ORDERS SEED`.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args.next().ok_or("give a folder")?;
    let orders = args.next().ok_or("give a number of order lines")?.parse()?;
    let seed = args.next().unwrap_or_else(|| "1".to_owned()).parse()?;
    let begun = std::time::Instant::now();
    let summary = generate::generate(&generate::Options::new(dir, orders, seed))?;
    writeln!(std::io::stdout(), "{summary:?} in {:?}", begun.elapsed())?;
    Ok(())
}

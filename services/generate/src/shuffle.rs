//! The same rows in another order: what a rerun of an export may look like, and what must change no result.

use std::path::Path;

use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

use crate::error::Error;

/// Shuffles the rows of every CSV and JSON Lines file of a generated folder in place; headers and spreadsheets
/// stay. Each file is held in memory, so this is for provinces of test size. The same seed shuffles alike.
///
/// # Errors
/// When a file cannot be read or written.
pub fn shuffle(dir: &Path, seed: u64) -> Result<(), Error> {
    let unread = |e| Error::Read {
        path: dir.to_path_buf(),
        source: e,
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unread)? {
        paths.push(entry.map_err(unread)?.path());
    }
    paths.sort();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for path in paths {
        let headers = match path.extension().and_then(|e| e.to_str()) {
            Some("csv") => 1,
            Some("jsonl") => 0,
            _ => continue,
        };
        let bytes = std::fs::read(&path).map_err(|e| Error::Read {
            path: path.clone(),
            source: e,
        })?;
        // A generated field holds no line break, and no byte of a GB18030 character is one.
        let mut rows: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        if let Some(data) = rows.get_mut(headers..) {
            data.shuffle(&mut rng);
        }
        std::fs::write(&path, rows.concat()).map_err(|e| Error::write(&path, e))?;
    }
    Ok(())
}

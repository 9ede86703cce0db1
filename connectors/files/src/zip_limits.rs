//! Refuses workbooks that unpack to more than a workbook can be, before anything is unpacked into memory.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use connector::Reason;
use connector::mapping::Refusal;

/// Parts that are held in memory whole (shared texts, styles), together.
const HELD_BYTES_MAX: u64 = 256 << 20;
/// Sheets, which are read as a stream, together.
const SHEET_BYTES_MAX: u64 = 4 << 30;
/// How many times its packed size a large part may have.
const RATIO_MAX: u64 = 250;
const RATIO_FROM_BYTES: u64 = 32 << 20;
/// Longest run without a `<`: a cell has at most 32,767 characters.
const RUN_BYTES_MAX: usize = 4 << 20;
const PARTS_MAX: usize = 10_000;

/// Counts what the parts really unpack to; what their headers say is not trusted.
pub fn check(path: &Path) -> Result<(), Refusal> {
    let damaged = |e: &dyn std::fmt::Display| (Reason::DamagedFile, e.to_string());
    let too_large = |what: String| Err((Reason::TooLarge, what));
    let file = File::open(path).map_err(|e| damaged(&e))?;
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(&e))?;
    if archive.len() > PARTS_MAX {
        return too_large(format!("{} parts, {PARTS_MAX} are allowed", archive.len()));
    }
    let (mut held, mut sheets) = (0u64, 0u64);
    let mut buffer = vec![0; 256 * 1024];
    for index in 0..archive.len() {
        let mut part = match archive.by_index(index) {
            Ok(part) => part,
            Err(zip::result::ZipError::UnsupportedArchive(text)) if text.contains("assword") => {
                return Err((Reason::PasswordProtected, String::new()));
            }
            Err(e) => return Err(damaged(&e)),
        };
        let name = part.name().map_err(|e| damaged(&e))?.into_owned();
        let is_sheet = name.starts_with("xl/worksheets/");
        let is_text = name.ends_with(".xml") || name.ends_with(".rels");
        let packed = part.compressed_size().max(1);
        let (mut unpacked, mut run) = (0u64, 0usize);
        loop {
            let got = part
                .read(&mut buffer)
                .map_err(|e| damaged(&format!("{name}: {e}")))?;
            if got == 0 {
                break;
            }
            unpacked += got as u64;
            *(if is_sheet { &mut sheets } else { &mut held }) += got as u64;
            if held > HELD_BYTES_MAX || sheets > SHEET_BYTES_MAX {
                return too_large(format!(
                    "{name} and the parts before it unpack to more than is allowed"
                ));
            }
            if unpacked > RATIO_FROM_BYTES && unpacked / packed > RATIO_MAX {
                return too_large(format!(
                    "{name} unpacks to more than {RATIO_MAX} times its packed size"
                ));
            }
            if is_text {
                match memchr::memrchr(b'<', &buffer[..got]) {
                    Some(last) => run = got - last,
                    None => run += got,
                }
                if run > RUN_BYTES_MAX {
                    return too_large(format!("{name} has a text of more than {RUN_BYTES_MAX} bytes"));
                }
            }
        }
    }
    Ok(())
}

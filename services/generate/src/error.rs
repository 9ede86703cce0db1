//! What can go wrong while a province is written or alerts are scored.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("cannot write {}: check that the folder exists, is writable and has space", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("cannot write the spreadsheet {}", path.display())]
    Spreadsheet {
        path: PathBuf,
        source: rust_xlsxwriter::XlsxError,
    },
    #[error("{} already holds files: give a new or an empty folder", path.display())]
    NotEmpty { path: PathBuf },
    #[error("{orders} order lines cannot hold the {planted} planted ones: ask for at least {planted}")]
    TooFewLines { orders: u64, planted: u64 },
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot read line {line} of the exported alerts")]
    Alerts { line: usize, source: std::io::Error },
    #[error("line {line} of the exported alerts is not an alert as `alerts export --format json` writes it")]
    Alert { line: usize, source: serde_json::Error },
    #[error("the truth file {} is not one that this version writes", path.display())]
    Truth {
        path: PathBuf,
        source: serde_json::Error,
    },
}

impl Error {
    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write {
            path: path.to_path_buf(),
            source,
        }
    }
}

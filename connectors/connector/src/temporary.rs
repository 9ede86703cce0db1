//! Raw batches that are kept no longer than somebody looks at them: readings on trial, tests, measurements.

use std::path::{Path, PathBuf};

use domain::ports::Result;
use domain::{Failure, FailureKind};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::port::{RawBatch, RawStore};

/// Keeps raw batches in a folder of its own, each in a file named by its digest, and takes the folder away when dropped.
#[derive(Debug)]
pub struct TemporaryRawStore(TempDir);

impl TemporaryRawStore {
    pub fn new() -> Result<Self> {
        TempDir::new().map(Self).map_err(|e| Failure::internal(&e))
    }

    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Where the batch of this digest is, or would be.
    pub fn place(&self, digest: &str) -> PathBuf {
        self.folder().join(digest)
    }

    pub fn has(&self, digest: &str) -> bool {
        !digest.is_empty() && self.place(digest).is_file()
    }
}

impl RawStore for TemporaryRawStore {
    fn put_file(&self, path: &Path, name: &str) -> Result<RawBatch> {
        let failed = |e: std::io::Error| {
            let text = format!("{}: {e}", path.display());
            Failure::new(FailureKind::Unavailable, "FILE", text)
        };
        self.put_bytes(&std::fs::read(path).map_err(failed)?, name)
    }

    fn put_bytes(&self, bytes: &[u8], _name: &str) -> Result<RawBatch> {
        let digest: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        let path = self.place(&digest);
        std::fs::write(&path, bytes).map_err(|e| Failure::internal(&e))?;
        Ok(RawBatch {
            digest: digest.into(),
            path,
            bytes: bytes.len() as u64,
        })
    }
}

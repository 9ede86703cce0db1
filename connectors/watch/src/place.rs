//! What a drop folder and a bucket have in common: listing, fetching, putting away.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::cursor::Version;
use crate::error::WatchError;

/// A file as it is seen now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Below the folder or the prefix, with `/`.
    pub name: String,
    pub version: Version,
}

/// A file's content on this machine; a temporary one vanishes with this value.
pub enum Fetched {
    InPlace(PathBuf),
    Spooled(tempfile::TempPath),
}

impl Fetched {
    pub fn path(&self) -> &std::path::Path {
        match self {
            Self::InPlace(path) => path,
            Self::Spooled(path) => path,
        }
    }
}

/// Where files are put.
#[async_trait]
pub trait Place: Send + Sync {
    /// Every file but hidden ones and those that are put away.
    async fn list(&self) -> Result<Vec<Look>, WatchError>;

    /// The content of the file; none when it is gone or has another version now.
    async fn fetch(&self, look: &Look) -> Result<Option<Fetched>, WatchError>;

    /// The file's version now; none when it is gone.
    async fn look_again(&self, look: &Look) -> Result<Option<Version>, WatchError>;

    /// Moves a file that is done away, if that is wanted.
    async fn put_away(&self, look: &Look) -> Result<(), WatchError>;
}

//! A drop folder on a disk or a share.

use std::path::{Path, PathBuf};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::cursor::Version;
use crate::error::WatchError;
use crate::place::{Fetched, Look, Place};

/// A folder, and where files go that are done.
#[derive(Debug, Clone)]
pub struct Folder {
    pub path: PathBuf,
    /// Below `path`.
    pub done: Option<PathBuf>,
}

/// Files of one name in the folder of those that are done.
const SAME_NAME_MAX: u32 = 10_000;

impl Folder {
    fn walk(&self) -> Result<Vec<Look>, WatchError> {
        let unreadable = |source: std::io::Error| WatchError::Folder {
            path: self.path.clone(),
            source,
        };
        if !std::fs::metadata(&self.path).map_err(unreadable)?.is_dir() {
            return Err(unreadable(std::io::ErrorKind::NotADirectory.into()));
        }
        let done = self.done.as_ref().map(|done| self.path.join(done));
        let is_hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(['.', '~']);
        let walk = walkdir::WalkDir::new(&self.path).follow_links(true).into_iter();
        let wanted = walk.filter_entry(|entry| {
            entry.depth() == 0 || !(is_hidden(entry.file_name()) || done.as_deref() == Some(entry.path()))
        });
        let mut found = Vec::new();
        for entry in wanted {
            // A file may go while the folder is walked.
            let entry = match entry {
                Ok(entry) => entry,
                Err(error)
                    if error
                        .io_error()
                        .is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) =>
                {
                    continue;
                }
                Err(error) => return Err(unreadable(error.into())),
            };
            if !entry.file_type().is_file() {
                continue;
            }
            let below = entry.path().strip_prefix(&self.path).unwrap_or(entry.path());
            let parts: Vec<_> = below.iter().map(|p| p.to_string_lossy()).collect();
            if let Some(version) = version(entry.path()).map_err(unreadable)? {
                found.push(Look {
                    name: parts.join("/"),
                    version,
                });
            }
        }
        Ok(found)
    }

    fn file(&self, look: &Look) -> PathBuf {
        self.path.join(&look.name)
    }

    fn move_away(&self, look: &Look, done: &Path) -> Result<(), WatchError> {
        let from = self.file(look);
        let failed = |source| WatchError::Move {
            path: from.clone(),
            source,
        };
        let wanted = self.path.join(done).join(&look.name);
        if let Some(parent) = wanted.parent() {
            std::fs::create_dir_all(parent).map_err(failed)?;
        }
        for n in 0..SAME_NAME_MAX {
            let to = if n == 0 {
                wanted.clone()
            } else {
                let mut name = wanted.clone().into_os_string();
                name.push(format!(".{n}"));
                PathBuf::from(name)
            };
            if !to.exists() {
                return match std::fs::rename(&from, &to) {
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
                    other => other.map_err(failed),
                };
            }
        }
        Err(failed(std::io::ErrorKind::AlreadyExists.into()))
    }
}

/// The version of a file; none when it is gone.
fn version(path: &Path) -> std::io::Result<Option<Version>> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(Some(Version {
        bytes: metadata.len(),
        modified: DateTime::<Utc>::from(metadata.modified()?),
        etag: None,
    }))
}

/// Runs where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, WatchError> + Send + 'static,
) -> Result<T, WatchError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(WatchError::Other(domain::Failure::internal(&error))))
}

#[async_trait]
impl Place for Folder {
    async fn list(&self) -> Result<Vec<Look>, WatchError> {
        let folder = self.clone();
        blocking(move || folder.walk()).await
    }

    async fn fetch(&self, look: &Look) -> Result<Option<Fetched>, WatchError> {
        let is_same = self.look_again(look).await?.as_ref() == Some(&look.version);
        Ok(is_same.then(|| Fetched::InPlace(self.file(look))))
    }

    async fn look_again(&self, look: &Look) -> Result<Option<Version>, WatchError> {
        let path = self.file(look);
        blocking(move || version(&path).map_err(|source| WatchError::Folder { path, source })).await
    }

    async fn put_away(&self, look: &Look) -> Result<(), WatchError> {
        let Some(done) = self.done.clone() else {
            return Ok(());
        };
        let (folder, look) = (self.clone(), look.clone());
        blocking(move || folder.move_away(&look, &done)).await
    }
}

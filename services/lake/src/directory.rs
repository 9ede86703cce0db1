//! The data directory: where things lie in it, and that one process at a time owns it.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::error::{LakeError, Result, at};

/// An owned data directory. Dropping it, or the death of the process, lets go of it.
#[derive(Debug)]
pub struct DataDirectory {
    root: PathBuf,
    _lock: File,
}

impl DataDirectory {
    /// Makes the directory where needed and takes its lock.
    pub fn own(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).map_err(at("make the data directory", dir))?;
        let root = dir.canonicalize().map_err(at("find the data directory", dir))?;
        let path = root.join("lock");
        let mut lock = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(at("open the lock file", &path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only for the message: an owner that has not written its number yet is still an owner.
                let _ = lock.read_to_string(&mut pid);
                let pid = if pid.trim().is_empty() {
                    "?".to_owned()
                } else {
                    pid.trim().to_owned()
                };
                return Err(LakeError::Locked { dir: root, pid });
            }
            Err(TryLockError::Error(source)) => return Err(at("lock", &path)(source)),
        }
        let mut write = || -> std::io::Result<()> {
            lock.set_len(0)?;
            lock.seek(SeekFrom::Start(0))?;
            write!(lock, "{}", std::process::id())?;
            lock.flush()
        };
        write().map_err(at("write the lock file", &path))?;
        let directory = Self { root, _lock: lock };
        for folder in [directory.lake(), directory.raw()] {
            fs::create_dir_all(&folder).map_err(at("make the folder", &folder))?;
        }
        Ok(directory)
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn catalogue(&self) -> PathBuf {
        self.root.join("catalog.sqlite")
    }

    /// Where Parquet files lie, as `main/<table>/<file>`.
    pub fn lake(&self) -> PathBuf {
        self.root.join("lake")
    }

    /// Where the tables' folders are.
    pub fn tables(&self) -> PathBuf {
        self.lake().join("main")
    }

    pub fn raw(&self) -> PathBuf {
        self.root.join("raw")
    }

    /// Removes what a sync left that never committed: Parquet files unknown to the catalogue and raw
    /// batches not yet in place. Returns how many files went.
    pub fn remove_orphans(&self, known: &BTreeSet<PathBuf>) -> Result<usize> {
        let mut removed = 0;
        for table in folders(&self.tables())? {
            for file in files(&table)? {
                if !known.contains(&file) {
                    fs::remove_file(&file).map_err(at("remove the unused file", &file))?;
                    removed += 1;
                }
            }
        }
        for file in files(&self.raw())? {
            fs::remove_file(&file).map_err(at("remove the unfinished file", &file))?;
            removed += 1;
        }
        Ok(removed)
    }
}

fn entries(folder: &Path, want_folders: bool) -> Result<Vec<PathBuf>> {
    let listing = match fs::read_dir(folder) {
        Ok(listing) => listing,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(at("list the folder", folder)(e)),
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry.map_err(at("list the folder", folder))?;
        let kind = entry.file_type().map_err(at("list the folder", folder))?;
        if kind.is_dir() == want_folders {
            found.push(entry.path());
        }
    }
    Ok(found)
}

fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    entries(folder, true)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    entries(folder, false)
}

/// Makes a folder's entries durable.
pub fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|f| f.sync_all())
        .map_err(at("sync the folder", folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_has_one_owner_who_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let owner = DataDirectory::own(dir.path()).unwrap();
        let error = DataDirectory::own(dir.path()).unwrap_err();
        assert!(
            error
                .to_string()
                .contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        drop(owner);
        DataDirectory::own(dir.path()).unwrap();
    }

    #[test]
    fn orphans_go_and_known_files_stay() {
        let dir = tempfile::tempdir().unwrap();
        let owner = DataDirectory::own(dir.path()).unwrap();
        let table = owner.tables().join("staff");
        fs::create_dir_all(&table).unwrap();
        for name in ["kept.parquet", "orphan.parquet"] {
            fs::write(table.join(name), b"x").unwrap();
        }
        fs::create_dir_all(owner.raw().join("ab")).unwrap();
        fs::write(owner.raw().join("ab/abcd"), b"x").unwrap();
        fs::write(owner.raw().join("unfinished"), b"x").unwrap();
        let known = BTreeSet::from([table.join("kept.parquet")]);
        assert_eq!(owner.remove_orphans(&known).unwrap(), 2);
        assert!(table.join("kept.parquet").exists() && owner.raw().join("ab/abcd").exists());
    }
}

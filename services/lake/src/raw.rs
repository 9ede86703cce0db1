//! Raw batches, kept as they came under the digest of their content: one can show what a source said.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use connector::{RawBatch, RawStore};
use sha2::{Digest, Sha256};

use crate::directory::sync_folder;
use crate::error::{Result, at};

/// Bytes copied and hashed at a time.
const COPY_BYTES: usize = 1 << 20;

/// What one sync kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptBatch {
    pub digest: Arc<str>,
    pub name: String,
    pub bytes: u64,
}

/// Keeps the raw batches of one sync, over all its commits, below `raw/`, as `ab/<sha256>`.
#[derive(Debug)]
pub struct SyncRawStore {
    folder: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Digest -> bytes of the batches of earlier commits: these are whole and on disk for certain.
    committed: HashMap<String, u64>,
    committed_sizes: HashSet<u64>,
    /// What no commit knows yet.
    kept: BTreeMap<Arc<str>, KeptBatch>,
}

impl SyncRawStore {
    pub fn new(folder: PathBuf, committed: HashMap<String, u64>) -> Self {
        let state = State {
            committed_sizes: committed.values().copied().collect(),
            committed,
            kept: BTreeMap::new(),
        };
        Self {
            folder,
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// To be called when a commit that listed these batches has happened.
    pub fn committed(&self, batches: &[KeptBatch]) {
        let mut state = self.state();
        for batch in batches {
            state.kept.remove(&batch.digest);
            state.committed.insert(batch.digest.to_string(), batch.bytes);
            state.committed_sizes.insert(batch.bytes);
        }
    }

    /// The batches that no earlier commit knows, in digest order, with their bytes made durable.
    pub fn finish(&self) -> Result<Vec<KeptBatch>> {
        let kept: Vec<KeptBatch> = {
            let state = self.state();
            let new = |b: &&KeptBatch| !state.committed.contains_key(&*b.digest);
            state.kept.values().filter(new).cloned().collect()
        };
        let mut folders = HashSet::new();
        for batch in &kept {
            let path = self.place(&batch.digest);
            File::open(&path)
                .and_then(|f| f.sync_all())
                .map_err(at("sync the raw batch", &path))?;
            folders.extend(path.parent().map(Path::to_owned));
        }
        folders.insert(self.folder.clone());
        folders.iter().try_for_each(|f| sync_folder(f))?;
        Ok(kept)
    }

    fn place(&self, digest: &str) -> PathBuf {
        self.folder.join(&digest[..2]).join(digest)
    }

    fn keep<R: Read>(
        &self,
        open: impl Fn() -> std::io::Result<R>,
        size: u64,
        from: &Path,
        name: &str,
    ) -> Result<RawBatch> {
        // A batch of a known size is probably known: hash it first, and copy only what is new.
        if self.state().committed_sizes.contains(&size) {
            let mut source = open().map_err(at("open", from))?;
            let (digest, bytes) =
                copy_hashing(&mut source, &mut std::io::sink()).map_err(at("read", from))?;
            let known = self.state().committed.get(&digest) == Some(&bytes);
            if known && self.is_whole(&digest, bytes) {
                return Ok(self.note(digest, bytes, name));
            }
        }
        let temporary = self.folder.join(uuid::Uuid::new_v4().to_string());
        let mut source = open().map_err(at("open", from))?;
        let mut target = File::create(&temporary).map_err(at("make", &temporary))?;
        let (digest, bytes) =
            copy_hashing(&mut source, &mut target).map_err(at("copy to the raw batches", from))?;
        let path = self.place(&digest);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(at("make the folder", folder))?;
        }
        fs::rename(&temporary, &path).map_err(at("put in place", &path))?;
        Ok(self.note(digest, bytes, name))
    }

    fn is_whole(&self, digest: &str, bytes: u64) -> bool {
        fs::metadata(self.place(digest)).is_ok_and(|m| m.len() == bytes)
    }

    fn note(&self, digest: String, bytes: u64, name: &str) -> RawBatch {
        let path = self.place(&digest);
        let digest: Arc<str> = digest.into();
        self.state()
            .kept
            .entry(digest.clone())
            .or_insert_with(|| KeptBatch {
                digest: digest.clone(),
                name: name.to_owned(),
                bytes,
            });
        RawBatch { digest, path, bytes }
    }
}

impl RawStore for SyncRawStore {
    fn put_file(&self, path: &Path, name: &str) -> domain::ports::Result<RawBatch> {
        let size = fs::metadata(path).map_err(at("look at", path))?.len();
        Ok(self.keep(|| File::open(path), size, path, name)?)
    }

    fn put_bytes(&self, bytes: &[u8], name: &str) -> domain::ports::Result<RawBatch> {
        Ok(self.keep(|| Ok(bytes), bytes.len() as u64, Path::new(name), name)?)
    }
}

/// Copies everything; returns the SHA-256 (hex) and the number of bytes.
fn copy_hashing(source: &mut impl Read, target: &mut impl Write) -> std::io::Result<(String, u64)> {
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; COPY_BYTES];
    let mut total = 0;
    loop {
        let read = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        hasher.update(&buffer[..read]);
        target.write_all(&buffer[..read])?;
        total += read as u64;
    }
    Ok((format!("{:x}", hasher.finalize()), total))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn equal_bytes_are_kept_once_under_their_digest() {
        let dir = tempfile::tempdir().unwrap();
        let store = SyncRawStore::new(dir.path().to_owned(), HashMap::new());
        let file = dir.path().join("a.csv");
        fs::write(&file, b"abc").unwrap();
        let from_file = store.put_file(&file, "a.csv").unwrap();
        let from_bytes = store.put_bytes(b"abc", "b").unwrap();
        assert_eq!(&*from_file.digest, ABC);
        assert_eq!(from_file, from_bytes);
        assert_eq!(fs::read(&from_file.path).unwrap(), b"abc");
        let kept = store.finish().unwrap();
        assert_eq!(
            kept,
            [KeptBatch {
                digest: ABC.into(),
                name: "a.csv".into(),
                bytes: 3
            }]
        );
    }

    #[test]
    fn a_known_batch_is_not_reported_again_and_a_cut_one_is_restored() {
        let dir = tempfile::tempdir().unwrap();
        let known = HashMap::from([(ABC.to_owned(), 3)]);
        let store = SyncRawStore::new(dir.path().to_owned(), known);
        let path = dir.path().join("ba").join(ABC);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, b"ab").unwrap();
        store.put_bytes(b"abc", "x").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"abc");
        assert_eq!(store.finish().unwrap(), []);
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let store = SyncRawStore::new(dir.path().to_owned(), HashMap::new());
        let error = store.put_file(Path::new("/no/such.csv"), "such.csv").unwrap_err();
        assert!(error.message.contains("/no/such.csv"), "{}", error.message);
    }
}

//! A long file in parts of so many rows.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::Error;
use crate::register::create;

/// A file that is cut into parts of so many rows.
pub(super) struct Parts {
    pub(super) dir: PathBuf,
    pub(super) stem: &'static str,
    pub(super) head: Vec<u8>,
    pub(super) rows_per_file: u64,
    pub(super) rows: u64,
    pub(super) part: u32,
    pub(super) file: Option<BufWriter<File>>,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
}

impl Parts {
    pub(super) fn new(dir: &Path, stem: &'static str, head: Vec<u8>, rows_per_file: u64) -> Self {
        Self {
            dir: dir.to_path_buf(),
            stem,
            head,
            rows_per_file: rows_per_file.max(1),
            rows: 0,
            part: 0,
            file: None,
            path: PathBuf::new(),
            bytes: 0,
        }
    }

    /// Appends `rows` rows that stand in `buffer`, and empties it.
    pub(super) fn append(&mut self, buffer: &mut Vec<u8>, rows: u64) -> Result<(), Error> {
        if self.rows >= self.rows_per_file {
            self.finish()?;
            self.rows = 0;
        }
        if self.file.is_none() {
            self.part += 1;
            self.path = self.dir.join(format!("{}-part-{:04}.csv", self.stem, self.part));
            let mut file = create(&self.path)?;
            file.write_all(&self.head)
                .map_err(|e| Error::write(&self.path, e))?;
            self.bytes += self.head.len() as u64;
            self.file = Some(file);
        }
        if let Some(file) = &mut self.file {
            file.write_all(buffer).map_err(|e| Error::write(&self.path, e))?;
        }
        self.bytes += buffer.len() as u64;
        self.rows += rows;
        buffer.clear();
        Ok(())
    }

    pub(super) fn finish(&mut self) -> Result<(), Error> {
        if let Some(mut file) = self.file.take() {
            file.flush().map_err(|e| Error::write(&self.path, e))?;
        }
        Ok(())
    }
}

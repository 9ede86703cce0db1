//! Where a reader's messages go: the bounded channel to the host, with progress and cancellation.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connector::message::RAW_BYTES_MAX;
use connector::{Message, Progress, Reason, Rejected, RowBatch};
use domain::Bilingual;
use domain::ports::Notice;
use tokio::sync::mpsc;

use crate::error::FilesError;

/// Sends from a blocking thread.
pub struct Sink {
    out: mpsc::Sender<Message>,
    cancelled: Arc<AtomicBool>,
    /// Bytes of the files that are done, and of the one being read.
    done_bytes: u64,
    file_bytes: u64,
    total_bytes: u64,
}

impl Sink {
    pub fn new(out: mpsc::Sender<Message>, cancelled: Arc<AtomicBool>, total_bytes: u64) -> Self {
        Self {
            out,
            cancelled,
            done_bytes: 0,
            file_bytes: 0,
            total_bytes,
        }
    }

    /// So many bytes were read before, by others.
    pub fn after(mut self, done_bytes: u64) -> Self {
        self.done_bytes = done_bytes;
        self
    }

    pub fn send(&self, message: Message) -> Result<(), FilesError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(FilesError::Cancelled);
        }
        self.out.blocking_send(message).map_err(|_| FilesError::Cancelled)
    }

    pub fn rows(&self, rows: Option<RowBatch>) -> Result<(), FilesError> {
        rows.map_or(Ok(()), |rows| self.send(Message::Rows(rows)))
    }

    pub fn notice(&self, code: &str, place: &str, message: Bilingual, count: u64) -> Result<(), FilesError> {
        self.send(Message::Notice(Notice {
            code: code.to_owned(),
            place: place.to_owned(),
            message,
            count,
        }))
    }

    pub fn notices(&self, notices: Vec<Notice>) -> Result<(), FilesError> {
        notices
            .into_iter()
            .try_for_each(|n| self.send(Message::Notice(n)))
    }

    pub fn begin_file(&mut self, bytes: u64) {
        self.file_bytes = bytes;
    }

    /// Tells that `bytes` of the file have been read.
    pub fn progress(&self, bytes: u64, place: &str) -> Result<(), FilesError> {
        self.send(Message::Progress(Progress {
            done_bytes: (self.done_bytes + bytes.min(self.file_bytes)).min(self.total_bytes),
            total_bytes: self.total_bytes,
            stage: Bilingual::new(place, place),
        }))
    }

    pub fn end_file(&mut self, place: &str) -> Result<(), FilesError> {
        self.done_bytes += std::mem::take(&mut self.file_bytes);
        self.progress(0, place)
    }
}

/// One file or sheet as its rows name it.
#[derive(Debug, Clone)]
pub struct Place {
    pub dataset: Arc<str>,
    pub batch: Arc<str>,
    /// Path below the source's directory, with `#sheet`.
    pub file: Arc<str>,
}

impl Place {
    /// A row that could not be read.
    pub fn rejected(
        &self,
        position: u64,
        field: Option<Arc<str>>,
        reason: Reason,
        detail: String,
        raw: &[u8],
    ) -> Message {
        Message::Rejected(Rejected {
            dataset: self.dataset.clone(),
            batch: self.batch.clone(),
            file: self.file.clone(),
            position,
            field,
            reason,
            detail,
            raw: raw[..raw.len().min(RAW_BYTES_MAX)].to_vec(),
        })
    }

    /// The whole file, or what is left of it, could not be read.
    pub fn refused(&self, reason: Reason, detail: String) -> Message {
        let detail = if detail.is_empty() {
            reason.of_file()
        } else {
            detail
        };
        self.rejected(0, None, reason, detail, &[])
    }
}

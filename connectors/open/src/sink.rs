//! Where messages go: the bounded channel to the host, with progress and cancellation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use connector::{Message, Progress};
use domain::Bilingual;
use domain::ports::Notice;
use tokio::sync::mpsc;

use crate::error::OpenError;

/// Sends from a blocking thread.
pub struct Sink {
    out: mpsc::Sender<Message>,
    cancelled: Arc<AtomicBool>,
    done_bytes: u64,
    total_bytes: u64,
}

impl Sink {
    pub fn new(out: mpsc::Sender<Message>, cancelled: Arc<AtomicBool>, total_bytes: u64) -> Self {
        Self {
            out,
            cancelled,
            done_bytes: 0,
            total_bytes,
        }
    }

    pub fn send(&self, message: Message) -> Result<(), OpenError> {
        if self.cancelled.load(Ordering::Relaxed) {
            return Err(OpenError::Cancelled);
        }
        self.out.blocking_send(message).map_err(|_| OpenError::Cancelled)
    }

    pub fn all(&self, messages: impl IntoIterator<Item = Message>) -> Result<(), OpenError> {
        messages.into_iter().try_for_each(|m| self.send(m))
    }

    /// Tells that so many more bytes have been read.
    pub fn progress(&mut self, bytes: u64, place: &str) -> Result<(), OpenError> {
        self.done_bytes = (self.done_bytes + bytes).min(self.total_bytes);
        self.send(Message::Progress(Progress {
            done_bytes: self.done_bytes,
            total_bytes: self.total_bytes,
            stage: Bilingual::new(place, place),
        }))
    }
}

/// Notices that are counted before they are sent.
#[derive(Debug, Default)]
pub struct Notices(BTreeMap<(&'static str, String), (Bilingual, u64)>);

/// Different places told of one code; more are left out.
const PLACES_MAX: usize = 400;

impl Notices {
    pub fn add(&mut self, code: &'static str, place: &str, text: (&str, &str)) {
        if let Some(known) = self.0.get_mut(&(code, place.to_owned())) {
            known.1 += 1;
        } else if self.0.len() < PLACES_MAX {
            let text = Bilingual::new(text.0, text.1);
            self.0.insert((code, place.to_owned()), (text, 1));
        }
    }

    pub fn take(&mut self) -> impl Iterator<Item = Message> + use<> {
        std::mem::take(&mut self.0)
            .into_iter()
            .map(|((code, place), (message, count))| {
                Message::Notice(Notice {
                    code: code.to_owned(),
                    place,
                    message,
                    count,
                })
            })
    }
}

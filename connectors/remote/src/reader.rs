//! From a vendor's messages to the host's.

use std::sync::Arc;

use connector::message::RAW_BYTES_MAX;
use connector::{Checkpoint, Message, Progress, RawStore, Reason, Rejected};
use domain::ports::Notice;
use domain::{Bilingual, Failure};
use proto::v1 as pb;
use proto::v1::read_response::Message as Sent;

use crate::json_rows::{Bad, JsonRows};
use crate::{ROWS_MAX, arrow_rows};

const CURSOR_BYTES_MAX: usize = 64 << 10;

/// What stops a reading.
pub enum Problem {
    /// The vendor's connector did what it must not.
    Protocol(String),
    Failed(Failure),
}

impl Problem {
    pub fn into_failure(self, protocol: impl FnOnce(String) -> Failure) -> Failure {
        match self {
            Self::Protocol(problem) => protocol(problem),
            Self::Failed(failure) => failure,
        }
    }
}

type Result<T> = std::result::Result<T, Problem>;

/// The raw batch that rows come from.
struct Raw {
    digest: Arc<str>,
    name: Arc<str>,
    /// Position of the next row, where the vendor does not say it.
    next: u64,
}

/// Reads messages in order. Blocks.
pub struct Reader {
    store: Arc<dyn RawStore>,
    raw: Option<Raw>,
    messages: u64,
}

impl Reader {
    pub fn new(store: Arc<dyn RawStore>) -> Self {
        Self {
            store,
            raw: None,
            messages: 0,
        }
    }

    pub fn take(&mut self, message: Sent) -> Result<Vec<Message>> {
        self.messages += 1;
        match message {
            Sent::Raw(raw) => {
                self.raw = Some(self.keep(&raw.data, &raw.name)?);
                Ok(Vec::new())
            }
            Sent::Rows(rows) => self.rows(rows),
            Sent::Rejected(rejected) => self.rejected(rejected),
            Sent::Checkpoint(c) if c.cursor.len() > CURSOR_BYTES_MAX => Err(Problem::Protocol(format!(
                "a cursor of {} bytes, more than {CURSOR_BYTES_MAX}",
                c.cursor.len()
            ))),
            Sent::Checkpoint(c) => Ok(vec![Message::Checkpoint(Checkpoint {
                stream: c.stream.into(),
                cursor: c.cursor,
            })]),
            Sent::Notice(n) => Ok(vec![Message::Notice(Notice {
                code: n.code,
                place: n.place,
                message: Bilingual::new(n.message_zh, n.message_en),
                count: 1,
            })]),
            Sent::Progress(p) => Ok(vec![Message::Progress(Progress {
                done_bytes: p.done_bytes,
                total_bytes: p.total_bytes,
                stage: Bilingual::new("读取", "reading"),
            })]),
        }
    }

    fn keep(&self, bytes: &[u8], name: &str) -> Result<Raw> {
        let kept = self.store.put_bytes(bytes, name).map_err(Problem::Failed)?;
        Ok(Raw {
            digest: kept.digest,
            name: name.into(),
            next: 1,
        })
    }

    fn rows(&mut self, rows: pb::Rows) -> Result<Vec<Message>> {
        let dataset = domain::dataset(&rows.dataset)
            .ok_or_else(|| Problem::Protocol(format!("rows of {:?}, which is no dataset", rows.dataset)))?;
        if rows.json_rows.len() > ROWS_MAX {
            return Err(Problem::Protocol(format!(
                "{} rows in one message, more than {ROWS_MAX}",
                rows.json_rows.len()
            )));
        }
        if !rows.json_rows.is_empty() && !rows.arrow_ipc.is_empty() {
            return Err(Problem::Protocol(
                "a message with both json_rows and arrow_ipc".into(),
            ));
        }
        // Rows without raw bytes before them are their own raw batch.
        let own = match (&self.raw, rows.arrow_ipc.is_empty()) {
            (Some(_), _) => None,
            (None, true) => {
                let text = rows.json_rows.join("\n");
                Some(self.keep(
                    text.as_bytes(),
                    &format!("{}/{}.jsonl", dataset.name, self.messages),
                )?)
            }
            (None, false) => Some(self.keep(
                &rows.arrow_ipc,
                &format!("{}/{}.arrows", dataset.name, self.messages),
            )?),
        };
        let given = self.raw.as_mut();
        let mut own = own;
        let Some(raw) = own.as_mut().or(given) else {
            return Ok(Vec::new());
        };
        let first = match rows.first_position {
            0 => raw.next,
            position => position,
        };
        let mut made = Vec::new();
        let rejected = |position, bad: Bad, text: &str| {
            let (field, reason, detail) = bad;
            Message::Rejected(Rejected {
                dataset: dataset.name.as_str().into(),
                batch: raw.digest.clone(),
                file: raw.name.clone(),
                position,
                field,
                reason,
                detail,
                raw: text.as_bytes()[..text.len().min(RAW_BYTES_MAX)].to_vec(),
            })
        };
        if rows.arrow_ipc.is_empty() {
            let mut read = JsonRows::new(&dataset, raw.digest.clone());
            for (position, row) in (first..).zip(&rows.json_rows) {
                if let Err(bad) = read.push(row, position) {
                    made.push(rejected(position, bad, row));
                }
            }
            let batch = read.take().map_err(|e| Problem::Failed(Failure::internal(&e)))?;
            made.extend(batch.map(Message::Rows));
            raw.next = first + rows.json_rows.len() as u64;
        } else {
            let read =
                arrow_rows::read(&dataset, &rows.arrow_ipc, &raw.digest, first).map_err(Problem::Protocol)?;
            let mut count = read.bad.len() as u64;
            for (position, bad, text) in read.bad {
                made.push(rejected(position, bad, &text));
            }
            count += read
                .batches
                .iter()
                .map(|b| b.columns.num_rows() as u64)
                .sum::<u64>();
            made.extend(read.batches.into_iter().map(Message::Rows));
            raw.next = first + count;
        }
        Ok(made)
    }

    fn rejected(&mut self, rejected: pb::Rejected) -> Result<Vec<Message>> {
        if domain::dataset(&rejected.dataset).is_none() {
            return Err(Problem::Protocol(format!(
                "a rejected row of {:?}, which is no dataset",
                rejected.dataset
            )));
        }
        let own = match &self.raw {
            Some(_) => None,
            None => Some(self.keep(
                &rejected.raw,
                &format!("{}/{}.row", rejected.dataset, self.messages),
            )?),
        };
        let Some(raw) = own.as_ref().or(self.raw.as_ref()) else {
            return Ok(Vec::new());
        };
        let mut bytes = rejected.raw;
        bytes.truncate(RAW_BYTES_MAX);
        Ok(vec![Message::Rejected(Rejected {
            dataset: rejected.dataset.into(),
            batch: raw.digest.clone(),
            file: raw.name.clone(),
            position: rejected.position,
            field: Some(rejected.field).filter(|f| !f.is_empty()).map(Into::into),
            reason: Reason::RejectedByConnector,
            detail: rejected.detail,
            raw: bytes,
        })])
    }
}

//! The keys of a stream's rows, for finding those that were deleted at the source.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::RecordBatch;
use arrow::datatypes::{Field, Schema};
use connector::KeyBatch;
use connector::coerce::Cell;
use connector::columns::ColumnBuffer;
use connector::plan::{Record, Source};
use tokio::sync::mpsc;

use crate::columns::Layout;
use crate::error::DatabaseError;
use crate::session::Batch;
use crate::window::Window;

/// Turns windows of key columns into key batches. A row without a readable key is in no lake and so is left out.
pub struct KeyWorker {
    pub stream: String,
    pub layout: Arc<Layout>,
    pub out: mpsc::Sender<KeyBatch>,
    pub cancelled: Arc<AtomicBool>,
}

impl KeyWorker {
    pub fn run(self, mut windows: mpsc::Receiver<Batch>) -> Result<(), DatabaseError> {
        while let Some(batch) = windows.blocking_recv() {
            if self.cancelled.load(Ordering::Relaxed) {
                return Err(DatabaseError::Cancelled);
            }
            let keys = self
                .keys(&batch.window)
                .map_err(|source| DatabaseError::Assemble {
                    stream: self.stream.clone(),
                    source,
                })?;
            let dataset = self.layout.plan.dataset.clone();
            let sent = self.out.blocking_send(KeyBatch { dataset, keys });
            sent.map_err(|_| DatabaseError::Cancelled)?;
        }
        Ok(())
    }

    fn keys(&self, window: &Window) -> Result<RecordBatch, arrow::error::ArrowError> {
        let plan = &self.layout.plan;
        let columns: Vec<_> = plan
            .dataset
            .key
            .iter()
            .filter_map(|key| plan.dataset.column_index(key))
            .map(|at| (&plan.dataset.columns[at], &plan.columns[at]))
            .collect();
        let mut buffers: Vec<ColumnBuffer> = columns
            .iter()
            .map(|(column, how)| ColumnBuffer::new(column, how.rules.clone(), plan.zone))
            .collect();
        let mut scratch = String::new();
        for row in 0..window.rows() {
            let before = buffers[0].len();
            let record = window.row(row);
            let mut cell = 0;
            let complete = buffers.iter_mut().zip(&columns).all(|(buffer, (_, how))| {
                let value = match &how.source {
                    Source::Constant(text) => Cell::Text(text),
                    _ => {
                        cell += 1;
                        record.cell(cell - 1, &mut scratch)
                    }
                };
                buffer.push(value).is_ok() && !buffer.last_is_null()
            });
            if !complete {
                buffers.iter_mut().for_each(|b| b.truncate(before));
            }
        }
        let fields: Vec<Field> = columns
            .iter()
            .map(|(column, _)| Field::new(&column.name, column.ty.arrow(), false))
            .collect();
        let arrays = buffers
            .iter_mut()
            .map(ColumnBuffer::take)
            .collect::<Result<Vec<_>, _>>()?;
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
    }
}

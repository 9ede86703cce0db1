//! The threads that encode Parquet while others parse and compare: each holds some of a sync's open files.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use arrow::array::RecordBatch;

use crate::catalogue::NewFile;
use crate::error::{LakeError, Result, at};
use crate::parquet_file::FileWriter;
use crate::shape::Shape;

/// Batches that wait for a lane, at most.
const QUEUE_BATCHES: usize = 4;

enum Job {
    Open {
        file: u32,
        path: PathBuf,
        shape: Arc<Shape>,
        column_ids: Arc<[i64]>,
    },
    Write {
        file: u32,
        batch: RecordBatch,
    },
    Close {
        file: u32,
    },
}

type Lane = (SyncSender<Job>, JoinHandle<Result<Vec<(u32, NewFile)>>>);

/// A sync's encoding threads and the files it has written so far.
pub struct Lanes {
    lanes: Vec<Lane>,
    /// The lane of each file, by its number.
    lane_of: Vec<usize>,
    unkept: Unkept,
}

/// Files of a sync that has not committed: removed when dropped.
#[derive(Debug, Default)]
pub struct Unkept(Vec<PathBuf>);

impl Unkept {
    pub fn add(&mut self, path: PathBuf) {
        self.0.push(path);
    }

    /// Takes another guard's files over.
    pub fn join(&mut self, mut other: Unkept) {
        self.0.append(&mut other.0);
    }

    /// The commit decides about them from now on.
    pub fn keep(&mut self) {
        self.0.clear();
    }
}

impl Drop for Unkept {
    fn drop(&mut self) {
        for path in &self.0 {
            // What cannot be removed now is an orphan that the next opening removes.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Lanes {
    pub fn start(threads: usize) -> Result<Self> {
        let lanes = (0..threads.max(1))
            .map(|n| {
                let (sender, jobs) = sync_channel(QUEUE_BATCHES);
                let thread = std::thread::Builder::new()
                    .name(format!("lake-encode-{n}"))
                    .spawn(move || run(&jobs))
                    .map_err(at("start a thread for", std::path::Path::new("encoding")))?;
                Ok((sender, thread))
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            lanes,
            lane_of: Vec::new(),
            unkept: Unkept::default(),
        })
    }

    pub fn count(&self) -> usize {
        self.lanes.len()
    }

    /// Opens a file on a lane; returns its number.
    pub fn open(&mut self, lane: usize, path: PathBuf, shape: &Arc<Shape>, ids: &Arc<[i64]>) -> Result<u32> {
        let lane = lane % self.lanes.len();
        let file = u32::try_from(self.lane_of.len()).map_err(|_| LakeError::FileTooLong {
            dataset: shape.table.clone(),
        })?;
        self.lane_of.push(lane);
        self.unkept.add(path.clone());
        self.send(
            lane,
            Job::Open {
                file,
                path,
                shape: shape.clone(),
                column_ids: ids.clone(),
            },
        )?;
        Ok(file)
    }

    pub fn write(&mut self, file: u32, batch: RecordBatch) -> Result<()> {
        self.send(self.lane_of[file as usize], Job::Write { file, batch })
    }

    pub fn close(&mut self, file: u32) -> Result<()> {
        self.send(self.lane_of[file as usize], Job::Close { file })
    }

    /// A lane that is gone failed: its own error is the one to tell.
    fn send(&mut self, lane: usize, job: Job) -> Result<()> {
        if self.lanes[lane].0.send(job).is_ok() {
            return Ok(());
        }
        let (_, thread) = self.lanes.swap_remove(lane);
        match thread.join() {
            Ok(Err(error)) => Err(error),
            _ => Err(LakeError::ThreadLost {
                work: "encodes Parquet",
            }),
        }
    }

    /// Ends all open files; returns them by number, and the guard that removes them unless they are kept.
    pub fn finish(mut self) -> Result<(HashMap<u32, NewFile>, Unkept)> {
        let mut files = HashMap::new();
        let (senders, threads): (Vec<_>, Vec<_>) = std::mem::take(&mut self.lanes).into_iter().unzip();
        drop(senders);
        let mut failed = None;
        for thread in threads {
            match thread.join() {
                Ok(Ok(finished)) => files.extend(finished),
                Ok(Err(error)) => failed = Some(error),
                Err(_) => {
                    failed = Some(LakeError::ThreadLost {
                        work: "encodes Parquet",
                    })
                }
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok((files, std::mem::take(&mut self.unkept))),
        }
    }
}

impl Drop for Lanes {
    /// Waits for the threads, so that no file appears after the guard has removed those that are there.
    fn drop(&mut self) {
        for (sender, thread) in std::mem::take(&mut self.lanes) {
            drop(sender);
            let _ = thread.join();
        }
    }
}

fn run(jobs: &Receiver<Job>) -> Result<Vec<(u32, NewFile)>> {
    let mut open: HashMap<u32, FileWriter> = HashMap::new();
    let mut finished = Vec::new();
    for job in jobs {
        match job {
            Job::Open {
                file,
                path,
                shape,
                column_ids,
            } => {
                open.insert(file, FileWriter::create(path, shape, &column_ids)?);
            }
            Job::Write { file, batch } => {
                if let Some(writer) = open.get_mut(&file) {
                    writer.write(&batch)?;
                }
            }
            Job::Close { file } => {
                if let Some(writer) = open.remove(&file) {
                    finished.push((file, writer.finish()?));
                }
            }
        }
    }
    for (file, writer) in open {
        finished.push((file, writer.finish()?));
    }
    Ok(finished)
}

//! The connector itself: walks the directory in a fixed order and hands each file to the reader of its kind.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;

use async_trait::async_trait;
use connector::coerce::date::Zone;
use connector::plan::Assembler;
use connector::{Connector, Discovered, KeyBatch, Message, RawBatch, ReadRequest, Reason, Rejected, Spec};
use domain::ports::{Notice, Result};
use domain::{Bilingual, Dataset, Failure, FailureKind};
use tokio::sync::mpsc;

use crate::error::FilesError;
use crate::file_table::FileTable;
use crate::mapping::{Mapping, Meaning, TableEntry};
use crate::sink::{Place, Sink};
use crate::{columnar, json_files, names, sheet, tables};

/// Reads a directory of files.
#[derive(Debug, Clone)]
pub struct FilesConnector {
    inner: Arc<Files>,
}

#[derive(Debug)]
struct Files {
    dir: PathBuf,
    mapping: Option<Mapping>,
}

/// What kind of file an ending promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Text,
    Workbook,
    JsonLines,
    Json,
    Parquet,
}

impl Format {
    fn of(path: &Path) -> Option<Self> {
        Some(match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" | "tsv" | "txt" => Self::Text,
            "xlsx" | "xlsm" | "xls" => Self::Workbook,
            "jsonl" | "ndjson" => Self::JsonLines,
            "json" => Self::Json,
            "parquet" => Self::Parquet,
            _ => return None,
        })
    }
}

/// One file of the directory.
#[derive(Debug, Clone)]
struct Found {
    path: PathBuf,
    /// Below the directory, with `/`.
    name: String,
    bytes: u64,
}

/// What is to be done with a file.
enum Task {
    Skip,
    /// It is not read, for this reason.
    Tell(Bilingual),
    Workbook,
    Tables(Format, Vec<Reading>),
}

impl Task {
    fn is_read(&self) -> bool {
        matches!(self, Self::Workbook | Self::Tables(..))
    }
}

/// A file that is in the raw store already, wherever it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFile {
    /// Path with `/`, as the mapping knows it.
    pub name: String,
    pub raw: RawBatch,
    /// Of all that is being read: bytes before this file, and altogether; for progress.
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// How a file or a sheet of it is to be read.
#[derive(Debug, Clone)]
pub struct Reading {
    pub dataset: Arc<Dataset>,
    pub entry: Option<Arc<TableEntry>>,
}

/// What is to be done with a sheet, as its workbook's reader asks.
pub enum SheetReading {
    Read(Vec<Reading>),
    Skip,
    Unknown,
}

impl FilesConnector {
    /// `mapping` is the path of a mapping file. Reads that file, and nothing of the directory yet.
    pub fn new(dir: impl Into<PathBuf>, mapping: Option<&Path>) -> std::result::Result<Self, FilesError> {
        let mapping = mapping.map(Mapping::load).transpose()?;
        Ok(Self {
            inner: Arc::new(Files {
                dir: dir.into(),
                mapping,
            }),
        })
    }

    /// Reads one file as if it stood in the directory under its name.
    ///
    /// # Errors
    /// As [`Connector::read`].
    pub async fn read_kept(
        &self,
        file: KeptFile,
        request: ReadRequest,
        out: mpsc::Sender<Message>,
    ) -> Result<()> {
        let files = self.inner.clone();
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(cancelled.clone());
        blocking(move || {
            let mut sink = Sink::new(out, cancelled, file.total_bytes).after(file.done_bytes);
            sink.begin_file(file.raw.bytes);
            let task = files.task(&file.name, &file.raw.path);
            files.do_task(&file.name, task, Some(file.raw), &request, &sink)?;
            sink.end_file(&file.name)
        })
        .await
    }

    /// Sends the rows that the mapping itself states.
    ///
    /// # Errors
    /// As [`Connector::read`].
    pub async fn read_constant_rows(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()> {
        let files = self.inner.clone();
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(cancelled.clone());
        blocking(move || files.constant_rows(&request, &Sink::new(out, cancelled, 0))).await
    }

    /// The dataset that a file of this name would be read as; none when neither its name nor the mapping says.
    pub fn dataset_of(&self, name: &str) -> Option<String> {
        Format::of(Path::new(name))?;
        self.inner.readings(name).first().map(|r| r.dataset.name.clone())
    }

    /// The datasets that files without sheets are read as, by their names or the mapping.
    async fn datasets(&self) -> Result<Vec<Arc<Dataset>>> {
        let files = self.inner.clone();
        blocking(move || {
            let found = files.walk()?;
            let named = found
                .iter()
                .filter(|f| Format::of(&f.path).is_some_and(|format| format != Format::Workbook));
            let datasets: BTreeMap<String, Arc<Dataset>> = named
                .flat_map(|f| files.readings(&f.name))
                .map(|reading| (reading.dataset.name.clone(), reading.dataset))
                .collect();
            Ok(datasets.into_values().collect())
        })
        .await
    }

    /// What the mapping says of the source as a whole: its name, and the share of rejected rows it bears.
    pub fn source(&self) -> (Option<String>, Option<u32>) {
        let mapping = self.inner.mapping.as_ref();
        (
            mapping.and_then(|m| m.source.clone()),
            mapping.and_then(|m| m.quarantine_limit_bp),
        )
    }
}

#[async_trait]
impl Connector for FilesConnector {
    fn spec(&self) -> Spec {
        let mapping = self.inner.mapping.as_ref();
        Spec {
            kind: "files",
            title: Bilingual::new("文件目录", "A directory of files"),
            lists_keys: true,
            source: mapping.and_then(|m| m.source.clone()),
            quarantine_limit_bp: mapping.and_then(|m| m.quarantine_limit_bp),
            ..Spec::default()
        }
    }

    async fn check(&self) -> Result<()> {
        let files = self.inner.clone();
        blocking(move || {
            std::fs::read_dir(&files.dir)
                .map(drop)
                .map_err(|source| FilesError::Directory {
                    path: files.dir.clone(),
                    source,
                })
        })
        .await
    }

    async fn discover(&self) -> Result<Vec<Discovered>> {
        let files = self.inner.clone();
        blocking(move || {
            let found = files.walk()?;
            Ok(found.iter().map(|f| files.discovered(f)).collect())
        })
        .await
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()> {
        let files = self.inner.clone();
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(cancelled.clone());
        blocking(move || files.read(&request, out, cancelled)).await
    }

    /// The keys of all rows of the directory: what an export that is replaced by a newer one no longer holds is gone.
    /// The key of a row that cannot be read is not known, so that such a row ends the listing.
    async fn keys(&self, request: ReadRequest, out: mpsc::Sender<KeyBatch>) -> Result<()> {
        let (sender, mut messages) = mpsc::channel(KEY_QUEUE_MESSAGES);
        let out_of_files = out.clone();
        // Known before the reading: what comes later was not read.
        let datasets = self.datasets().await?;
        let forward = async move {
            while let Some(message) = messages.recv().await {
                match message {
                    Message::Rows(rows) => {
                        let keys = rows.keys().map_err(|error| Failure::internal(&error))?;
                        if out.send(keys).await.is_err() {
                            return Err(FilesError::Cancelled.into());
                        }
                    }
                    // A total is known to be no row.
                    Message::Rejected(rejected) if rejected.reason != Reason::TotalsRow => {
                        return Err(key_unknown(&rejected));
                    }
                    // What is passed over may hold rows that would be missed.
                    Message::Notice(notice) if may_hold_rows(&notice) => {
                        return Err(place_unknown(&notice.place));
                    }
                    _ => {}
                }
            }
            Ok(())
        };
        let (read, forwarded) = tokio::join!(self.read(request, sender), forward);
        forwarded.and(read)?;
        // A file with a header and no rows says that there are none.
        for dataset in datasets {
            let none = KeyBatch::none(dataset).map_err(|error| Failure::internal(&error))?;
            if out_of_files.send(none).await.is_err() {
                return Err(FilesError::Cancelled.into());
            }
        }
        Ok(())
    }
}

/// Messages between the reader and what takes the keys out of them.
const KEY_QUEUE_MESSAGES: usize = 4;

/// A file or sheet that is not read, though its name is nearly a dataset's.
fn may_hold_rows(notice: &Notice) -> bool {
    let is_passed_over = matches!(notice.code.as_str(), "FILE_NOT_READ" | "SHEET_NOT_READ");
    let name = match notice.place.rsplit_once('#') {
        Some((_, sheet)) => sheet,
        None => stem(&notice.place),
    };
    is_passed_over && names::is_nearly_one(name)
}

fn place_unknown(place: &str) -> Failure {
    Failure::new(
        FailureKind::Precondition,
        "KEY_UNKNOWN",
        format!(
            "{place} is not read, but its name is nearly a dataset's, so that its rows might be taken for deleted ones; name it \
             as the dataset, or list it under skip in the mapping, then reconcile"
        ),
    )
}

fn key_unknown(rejected: &Rejected) -> Failure {
    Failure::new(
        FailureKind::Precondition,
        "KEY_UNKNOWN",
        format!(
            "{}:{} cannot be read ({}), so that its row might be taken for a deleted one; correct it, then reconcile",
            rejected.file, rejected.position, rejected.reason
        ),
    )
}

/// Runs where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, FilesError> + Send + 'static,
) -> Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(Failure::from),
        Err(error) => Err(Failure::internal(&error)),
    }
}

/// Tells the reading thread that nobody waits for it any more.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Files {
    fn zone(&self) -> Zone {
        self.mapping.as_ref().map_or(Zone::CHINA, |m| m.zone)
    }

    /// Every file, sorted by its path. Hidden files are left out; links are followed.
    fn walk(&self) -> std::result::Result<Vec<Found>, FilesError> {
        let unreadable = |source: std::io::Error| FilesError::Directory {
            path: self.dir.clone(),
            source,
        };
        if !std::fs::metadata(&self.dir).map_err(unreadable)?.is_dir() {
            return Err(unreadable(std::io::ErrorKind::NotADirectory.into()));
        }
        let is_hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(['.', '~']);
        let walk = walkdir::WalkDir::new(&self.dir)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter();
        let mut found = Vec::new();
        for entry in walk.filter_entry(|e| e.depth() == 0 || !is_hidden(e.file_name())) {
            let entry = entry.map_err(|e| unreadable(e.into()))?;
            if entry.file_type().is_file() {
                let below = entry.path().strip_prefix(&self.dir).unwrap_or(entry.path());
                let name = below
                    .iter()
                    .map(|p| p.to_string_lossy())
                    .collect::<Vec<_>>()
                    .join("/");
                let bytes = entry.metadata().map_err(|e| unreadable(e.into()))?.len();
                found.push(Found {
                    path: entry.into_path(),
                    name,
                    bytes,
                });
            }
        }
        Ok(found)
    }

    fn discovered(&self, found: &Found) -> Discovered {
        let readings = self.readings(&found.name);
        let dataset = Format::of(&found.path).and(readings.first().map(|r| r.dataset.name.clone()));
        Discovered {
            place: found.name.clone(),
            dataset,
            bytes: found.bytes,
            ..Discovered::default()
        }
    }

    /// What a file without sheets is, by the mapping or else by its name.
    fn readings(&self, name: &str) -> Vec<Reading> {
        match self.mapped(name, None) {
            SheetReading::Read(readings) => readings,
            SheetReading::Skip => Vec::new(),
            SheetReading::Unknown => {
                let dataset = names::dataset_of(stem(name));
                dataset
                    .into_iter()
                    .map(|dataset| Reading { dataset, entry: None })
                    .collect()
            }
        }
    }

    fn mapped(&self, name: &str, sheet: Option<&str>) -> SheetReading {
        let entries = self.mapping.iter().flat_map(|m| &m.entries);
        let mut readings = Vec::new();
        let mut skipped = false;
        for entry in entries.filter(|e| e.matches_file(name) && sheet.is_none_or(|s| e.matches_sheet(s))) {
            match &entry.meaning {
                // Of a whole workbook only an entry without sheets speaks.
                Meaning::Skip(_) => skipped |= sheet.is_some() || entry.sheets.is_empty(),
                Meaning::Table(table) => {
                    readings.push(Reading {
                        dataset: table.dataset.clone(),
                        entry: Some(table.clone()),
                    });
                }
            }
        }
        match (readings.is_empty(), skipped) {
            (false, _) => SheetReading::Read(readings),
            (true, true) => SheetReading::Skip,
            (true, false) => SheetReading::Unknown,
        }
    }

    /// Sheets that the mapping names for a workbook, with their datasets.
    fn expected_sheets(&self, name: &str) -> Vec<(Arc<Dataset>, String)> {
        let entries = self
            .mapping
            .iter()
            .flat_map(|m| &m.entries)
            .filter(|e| e.matches_file(name));
        entries
            .filter_map(|entry| match &entry.meaning {
                Meaning::Table(table) => {
                    Some(entry.sheets.iter().map(|s| (table.dataset.clone(), s.clone())))
                }
                Meaning::Skip(_) => None,
            })
            .flatten()
            .collect()
    }

    fn read(
        &self,
        request: &ReadRequest,
        out: mpsc::Sender<Message>,
        cancelled: Arc<AtomicBool>,
    ) -> std::result::Result<(), FilesError> {
        let found = self.walk()?;
        let mut sink = Sink::new(out, cancelled, found.iter().map(|f| f.bytes).sum());
        self.constant_rows(request, &sink)?;
        // The copy of a file into the raw store runs beside the reading of the one before it.
        let read: std::result::Result<(), FilesError> = std::thread::scope(|scope| {
            let (tell, hear) = sync_channel(0);
            let (sink, found) = (&mut sink, &found);
            scope.spawn(move || {
                for file in found {
                    let task = self.task(&file.name, &file.path);
                    let raw = task.is_read().then(|| keep(request, &file.path, &file.name));
                    if tell.send((task, raw)).is_err() {
                        return;
                    }
                }
            });
            for (file, (task, raw)) in found.iter().zip(hear) {
                sink.begin_file(file.bytes);
                self.do_task(&file.name, task, raw.transpose()?, request, sink)?;
                sink.end_file(&file.name)?;
            }
            Ok(())
        });
        read?;
        for entry in self.mapping.iter().flat_map(|m| &m.entries) {
            if !found.iter().any(|f| entry.matches_file(&f.name)) {
                let text = Bilingual::new(
                    "映射文件中的这一项没有匹配的文件",
                    "no file matches this entry of the mapping",
                );
                sink.notice("ENTRY_MATCHES_NOTHING", &entry.glob, text, 1)?;
            }
        }
        Ok(())
    }

    /// The rows that the mapping itself states; the mapping file is their raw batch.
    fn constant_rows(&self, request: &ReadRequest, sink: &Sink) -> std::result::Result<(), FilesError> {
        let Some(mapping) = self.mapping.as_ref().filter(|m| !m.rows.is_empty()) else {
            return Ok(());
        };
        let name = mapping
            .path
            .file_name()
            .map_or_else(|| "mapping".into(), |n| n.to_string_lossy().into_owned());
        let raw = keep(request, &mapping.path, &name)?;
        for (position, row) in (1..).zip(&mapping.rows) {
            let place = place(&row.dataset, &raw, &name);
            let mut assembler = Assembler::new(Arc::new(row.plan(mapping.zone)), raw.digest.clone());
            let none: &[connector::coerce::Cell<'_>] = &[];
            match assembler.push(none, position) {
                Ok(()) => {
                    let rows = assembler.take().map_err(|source| FilesError::Assemble {
                        name: name.clone(),
                        source,
                    })?;
                    sink.rows(rows)?;
                }
                Err(bad) => {
                    sink.send(place.rejected(position, Some(bad.field), bad.reason, bad.detail, &[]))?;
                }
            }
        }
        Ok(())
    }

    /// What is to be done with a file.
    fn task(&self, name: &str, path: &Path) -> Task {
        let is_skipped = || matches!(self.mapped(name, None), SheetReading::Skip);
        let Some(format) = Format::of(Path::new(name)) else {
            let own = self.mapping.as_ref().and_then(|m| m.path.canonicalize().ok());
            let is_mapping = own.is_some() && path.canonicalize().ok() == own;
            return if is_mapping || is_skipped() {
                Task::Skip
            } else {
                Task::Tell(Bilingual::new(
                    "不是可读取的文件类型，未读取",
                    "is no kind of file that is read; it was passed over",
                ))
            };
        };
        if is_skipped() {
            return Task::Skip;
        }
        if format == Format::Workbook {
            return Task::Workbook;
        }
        let readings = self.readings(name);
        if readings.is_empty() {
            Task::Tell(names::not_read(stem(name)))
        } else {
            Task::Tables(format, readings)
        }
    }

    /// `raw` is there when the task reads the file.
    fn do_task(
        &self,
        name: &str,
        task: Task,
        raw: Option<RawBatch>,
        request: &ReadRequest,
        sink: &Sink,
    ) -> std::result::Result<(), FilesError> {
        let (format, readings, raw) = match (task, raw) {
            (Task::Tell(text), _) => return sink.notice("FILE_NOT_READ", name, text, 1),
            (Task::Workbook, Some(raw)) => {
                let workbook = sheet::Workbook {
                    name,
                    raw: &raw,
                    zone: self.zone(),
                    request,
                    sink,
                };
                return workbook.read(
                    |sheet| self.mapped(name, Some(sheet)),
                    &self.expected_sheets(name),
                );
            }
            (Task::Tables(format, readings), Some(raw)) => (format, readings, raw),
            (Task::Skip | Task::Workbook | Task::Tables(..), _) => return Ok(()),
        };
        for reading in &readings {
            let place = place(&reading.dataset, &raw, name);
            let entry = reading.entry.as_deref();
            let kind = FileTable::new(reading.dataset.clone(), entry, self.zone(), stem(name), "");
            match format {
                Format::Text => tables::read(&kind, &raw, &place, request, sink)?,
                Format::JsonLines => json_files::read_lines(&kind, &raw, &place, request, sink)?,
                Format::Json => json_files::read_document(&kind, &raw, &place, request, sink)?,
                Format::Parquet => columnar::read(&kind, &raw, &place, request, sink)?,
                Format::Workbook => {}
            }
        }
        Ok(())
    }
}

/// The file's name without folders and ending.
pub fn stem(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.rsplit_once('.').map_or(name, |(stem, _)| stem)
}

fn keep(request: &ReadRequest, path: &Path, name: &str) -> std::result::Result<RawBatch, FilesError> {
    request
        .raw
        .put_file(path, name)
        .map_err(|source| FilesError::Keep {
            name: name.to_owned(),
            source,
        })
}

pub fn place(dataset: &Dataset, raw: &RawBatch, file: &str) -> Place {
    Place {
        dataset: dataset.name.as_str().into(),
        batch: raw.digest.clone(),
        file: file.into(),
    }
}

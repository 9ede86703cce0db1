//! The connector itself: one platform, read stream by stream.

use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use connector::factory::secret::check_named;
use connector::mapping::FieldMapping;
use connector::plan::Assembler;
use connector::{Connector, Discovered, KeyBatch, Message, RawBatch, RawStore, ReadRequest, Rejected, Spec};
use domain::clock::Clock;
use domain::ports::{Notice, Result};
use domain::{Bilingual, Failure};
use rand::SeedableRng;
use rand_chacha::ChaCha20Rng;
use schemars::generate::SchemaSettings;
use serde::Deserialize;
use tokio::sync::mpsc;

use crate::bucket::Bucket;
use crate::config::Config;
use crate::error::RestError;
use crate::http::{Session, Shared};
use crate::list::{ListReader, Output};
use crate::members::{members_of, members_text};
use crate::page::{Page, Place};
use crate::plan::{CursorValues, Endpoint, Increment, Platform, StreamPlan, Vars};
use crate::position::Position;
use crate::rows::{RowPlan, Tally};
use crate::stream::before;

/// Records whose members are looked at to tell what a stream holds.
const DISCOVER_RECORDS: usize = 20;

/// Keys of the configuration that name secrets.
const SECRETS: &[&str] = &["auth.value", "auth.password", "auth.client_secret", "auth.secret"];

/// Reads one platform's interface.
#[derive(Debug, Clone)]
pub struct RestConnector {
    platform: Arc<Platform>,
    shared: Arc<Shared>,
}

impl RestConnector {
    /// `text` is the platform's TOML; relative paths in it start from `base`. Reads no file and asks nothing yet:
    /// secrets and certificates are read anew by each check, discovery and sync.
    pub fn from_toml(text: &str, base: &Path, clock: Arc<dyn Clock>) -> std::result::Result<Self, RestError> {
        let table = toml::from_str(text).map_err(|e| in_line(text, &e))?;
        check_named(&table, SECRETS).map_err(RestError::config)?;
        let config: Config = toml::from_str(text).map_err(|e| in_line(text, &e))?;
        Self::new(config, text.to_owned(), base, clock)
    }

    /// The same from a value, e.g. a table of a larger file.
    pub fn from_value(
        value: toml::Value,
        base: &Path,
        clock: Arc<dyn Clock>,
    ) -> std::result::Result<Self, RestError> {
        if let Some(table) = value.as_table() {
            check_named(table, SECRETS).map_err(RestError::config)?;
        }
        let text = toml::to_string(&value).map_err(|e| RestError::config(e.to_string()))?;
        let config = Config::deserialize(value).map_err(|e| RestError::config(e.message()))?;
        Self::new(config, text, base, clock)
    }

    fn new(
        config: Config,
        text: String,
        base: &Path,
        clock: Arc<dyn Clock>,
    ) -> std::result::Result<Self, RestError> {
        let platform = Platform::new(config, text, base)?;
        for stream in &platform.streams {
            row_plan(&platform, stream, &stream.endpoint, &stream.fields, false)?;
            if let Some(keys) = &stream.keys {
                row_plan(&platform, stream, &keys.endpoint, &keys.fields, true)?;
            }
        }
        let shared = Shared {
            bucket: Bucket::new(&platform.limits),
            clock,
            random: Mutex::new(ChaCha20Rng::from_os_rng()),
            token: tokio::sync::Mutex::new(None),
        };
        Ok(Self {
            platform: Arc::new(platform),
            shared: Arc::new(shared),
        })
    }

    /// Draws jitter and nonces from a seed, for tests.
    pub fn with_seed(self, seed: u64) -> Self {
        let seeded = ChaCha20Rng::seed_from_u64(seed);
        *self
            .shared
            .random
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner) = seeded;
        self
    }

    /// JSON Schema of the configuration.
    pub fn schema() -> serde_json::Value {
        SchemaSettings::draft2020_12()
            .into_generator()
            .into_root_schema_for::<Config>()
            .to_value()
    }

    fn session(&self) -> std::result::Result<Arc<Session>, RestError> {
        Session::new(self.platform.clone(), self.shared.clone()).map(Arc::new)
    }

    /// The first page of a stream as a sync that begins now would ask for it, without keeping it.
    async fn first_page(
        &self,
        session: &Arc<Session>,
        stream: &Arc<StreamPlan>,
    ) -> std::result::Result<Page, RestError> {
        let vars = first_vars(&self.platform, stream, self.shared.clock.now());
        let store: Arc<dyn RawStore> = Arc::new(NoStore);
        let (name, endpoint) = (&stream.name, &stream.endpoint);
        Page::load(session, name, endpoint, &store, &vars, Place::default()).await
    }

    async fn read_all(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()> {
        let session = self.session()?;
        self.constant_rows(&request, &out).await?;
        let mut failed: Vec<(&str, RestError)> = Vec::new();
        for stream in &self.platform.streams {
            match self.read_one(&session, stream, &request, &out).await {
                Ok(()) => {}
                // The other streams are worth reading; the sync fails all the same.
                Err(error) if error.is_of_the_stream() => {
                    if self.platform.streams.len() > 1 {
                        let notice = Notice {
                            code: "STREAM_FAILED".to_owned(),
                            place: stream.name.to_string(),
                            message: Bilingual::new(
                                format!("未能读取：{error}"),
                                format!("could not be read: {error}"),
                            ),
                            count: 1,
                        };
                        let told = out.send(Message::Notice(notice)).await;
                        told.map_err(|_| RestError::Cancelled)?;
                    }
                    failed.push((&stream.name, error));
                }
                Err(error) => return Err(error.into()),
            }
        }
        connector::port::all_streams(failed)
    }

    async fn read_one(
        &self,
        session: &Arc<Session>,
        stream: &Arc<StreamPlan>,
        request: &ReadRequest,
        out: &mpsc::Sender<Message>,
    ) -> std::result::Result<(), RestError> {
        let position = request.cursors.get(&*stream.name);
        let position = position
            .map(|text| Position::read(text, &stream.name))
            .transpose()?;
        let (endpoint, fields) = (&stream.endpoint, &stream.fields);
        let out = Output::Rows(out.clone());
        let mut reader = reader(session, stream, endpoint, fields, request, out)?;
        reader.read_stream(position).await
    }

    /// The rows that the configuration itself states; its text is their raw batch.
    async fn constant_rows(
        &self,
        request: &ReadRequest,
        out: &mpsc::Sender<Message>,
    ) -> std::result::Result<(), RestError> {
        if self.platform.rows.is_empty() {
            return Ok(());
        }
        let (platform, store) = (self.platform.clone(), request.raw.clone());
        let work = move || {
            let name: Arc<str> = "rows of the configuration".into();
            let raw = store
                .put_bytes(platform.text.as_bytes(), &name)
                .map_err(|source| RestError::Keep {
                    name: name.to_string(),
                    source,
                })?;
            let mut messages = Vec::new();
            for (position, row) in (1..).zip(&platform.rows) {
                let mut assembler = Assembler::new(Arc::new(row.plan(platform.zone)), raw.digest.clone());
                let none: &[connector::coerce::Cell<'_>] = &[];
                if let Err(bad) = assembler.push(none, position) {
                    messages.push(Message::Rejected(Rejected {
                        dataset: row.dataset.name.as_str().into(),
                        batch: raw.digest.clone(),
                        file: name.clone(),
                        position,
                        field: Some(bad.field),
                        reason: bad.reason,
                        detail: bad.detail,
                        raw: Vec::new(),
                    }));
                }
                let rows = assembler.take().map_err(|source| RestError::Assemble {
                    name: name.to_string(),
                    source,
                })?;
                messages.extend(rows.map(Message::Rows));
            }
            Ok::<_, RestError>(messages)
        };
        let messages = tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| RestError::Stopped)??;
        for message in messages {
            out.send(message).await.map_err(|_| RestError::Cancelled)?;
        }
        Ok(())
    }

    async fn list_keys(
        &self,
        request: ReadRequest,
        out: mpsc::Sender<KeyBatch>,
    ) -> std::result::Result<(), RestError> {
        let session = self.session()?;
        for stream in &self.platform.streams {
            let (endpoint, fields) = match &stream.keys {
                Some(keys) => (&keys.endpoint, &keys.fields),
                None => (&stream.endpoint, &stream.fields),
            };
            let out = Output::Keys(out.clone());
            let mut reader = reader(&session, stream, endpoint, fields, &request, out)?;
            match (&stream.keys, &stream.incremental) {
                (Some(_), incremental) => {
                    let vars = match incremental {
                        Increment::Window(plan) => Vars {
                            from: Some(plan.format.write(plan.start, self.platform.zone)),
                            to: Some(plan.format.write(request.started_at, self.platform.zone)),
                            ..Vars::default()
                        },
                        Increment::Whole | Increment::Cursor(_) | Increment::Feed { .. } => Vars::default(),
                    };
                    reader.read(&vars, None).await?;
                }
                (None, Increment::Whole) => reader.read(&Vars::default(), None).await?,
                (None, Increment::Window(plan)) => reader.read_windows(plan, plan.start).await?,
                (None, Increment::Cursor(plan)) => reader.read_cursor(plan, plan.start, None).await?,
                (None, Increment::Feed { .. }) => {
                    return Err(RestError::KeysUnknown {
                        stream: stream.name.to_string(),
                    });
                }
            }
            if reader.tally.rejected > 0 {
                return Err(RestError::KeysIncomplete {
                    stream: stream.name.to_string(),
                    rows: reader.tally.rejected,
                });
            }
        }
        Ok(())
    }
}

/// What is wrong, and in which line. The line itself is not shown: somebody may have written a secret into it.
fn in_line(text: &str, error: &toml::de::Error) -> RestError {
    let line = error
        .span()
        .map(|span| 1 + text[..span.start.min(text.len())].matches('\n').count());
    let place = line.map(|line| format!("line {line}: ")).unwrap_or_default();
    RestError::config(format!("{place}{}", error.message()))
}

fn row_plan(
    platform: &Platform,
    stream: &StreamPlan,
    endpoint: &Endpoint,
    fields: &FieldMapping,
    keys_only: bool,
) -> std::result::Result<RowPlan, RestError> {
    let is_own = std::ptr::eq(endpoint, &*stream.endpoint);
    let watch = match &stream.incremental {
        Increment::Cursor(plan) if is_own => Some((plan.field.as_str(), plan.values.clone())),
        Increment::Window(plan) if is_own => {
            let field = plan.field.as_deref();
            field.map(|field| (field, CursorValues::Time(plan.format.clone())))
        }
        _ => None,
    };
    RowPlan::new(
        stream,
        fields,
        endpoint.lines.clone(),
        platform.zone,
        keys_only,
        watch,
    )
}

fn reader(
    session: &Arc<Session>,
    stream: &Arc<StreamPlan>,
    endpoint: &Arc<Endpoint>,
    fields: &FieldMapping,
    request: &ReadRequest,
    out: Output,
) -> std::result::Result<ListReader, RestError> {
    let keys_only = matches!(out, Output::Keys(_));
    let rows = row_plan(&session.platform, stream, endpoint, fields, keys_only)?;
    Ok(ListReader {
        session: session.clone(),
        stream: stream.clone(),
        endpoint: endpoint.clone(),
        rows: Arc::new(rows),
        request: request.clone(),
        out,
        tally: Tally::default(),
        done_bytes: 0,
        least: None,
        greatest: None,
        unreadable: 0,
    })
}

/// What a sync that begins now would ask for: the newest window, or the start of a cursor or feed.
fn first_vars(platform: &Platform, stream: &StreamPlan, now: DateTime<Utc>) -> Vars {
    match &stream.incremental {
        Increment::Whole => Vars::default(),
        Increment::Window(plan) => {
            let to = before(now, plan.safety_lag);
            let from = before(to, plan.length).max(plan.start);
            Vars {
                from: Some(plan.format.write(from, platform.zone)),
                to: Some(plan.format.write(to, platform.zone)),
                ..Vars::default()
            }
        }
        Increment::Cursor(plan) => Vars {
            cursor: plan.start.map(|value| plan.values.write(value, platform.zone)),
            to: match plan.values {
                CursorValues::Number => None,
                CursorValues::Time(_) => {
                    let to = before(now, plan.safety_lag).timestamp_micros();
                    Some(plan.values.write(to, platform.zone))
                }
            },
            ..Vars::default()
        },
        Increment::Feed { start } => Vars {
            token: start.clone(),
            ..Vars::default()
        },
    }
}

/// Keeps nothing: for looking at a page without reading it.
struct NoStore;

impl RawStore for NoStore {
    fn put_file(&self, path: &Path, _: &str) -> Result<RawBatch> {
        Ok(RawBatch {
            digest: "".into(),
            path: path.to_owned(),
            bytes: 0,
        })
    }

    fn put_bytes(&self, bytes: &[u8], _: &str) -> Result<RawBatch> {
        Ok(RawBatch {
            digest: "".into(),
            path: "".into(),
            bytes: bytes.len() as u64,
        })
    }
}

#[async_trait]
impl Connector for RestConnector {
    fn spec(&self) -> Spec {
        Spec {
            kind: "platform-rest",
            title: Bilingual::new("平台接口", "A platform's HTTP interface"),
            config_schema: Self::schema(),
            overlaps: true,
            incremental: true,
            lists_keys: true,
            source: self.platform.source.clone(),
            quarantine_limit_bp: self.platform.quarantine_limit_bp,
        }
    }

    /// Fetches secrets and certificates, asks each stream for its first page, and looks whether its records have what
    /// is mapped.
    async fn check(&self) -> Result<()> {
        let session = self.session()?;
        for stream in &self.platform.streams {
            let page = self.first_page(&session, stream).await?;
            let rows = row_plan(&self.platform, stream, &stream.endpoint, &stream.fields, false)?;
            let records = page.records();
            let absent = rows.absent(&records);
            if !absent.is_empty() {
                return Err(Failure::from(RestError::Absent {
                    stream: stream.name.to_string(),
                    absent: absent.join("; "),
                    members: members_text(records.into_iter()),
                }));
            }
        }
        Ok(())
    }

    /// Fetches secrets and certificates. Whether the platform answers is seen when it is read.
    async fn reach(&self) -> Result<()> {
        Ok(self.session().map(drop)?)
    }

    async fn discover(&self) -> Result<Vec<Discovered>> {
        let session = self.session()?;
        let mut found = Vec::new();
        for stream in &self.platform.streams {
            let page = self.first_page(&session, stream).await?;
            let cursor = match &stream.incremental {
                Increment::Cursor(plan) => Some(plan.field.clone()),
                Increment::Window(plan) => plan.field.clone(),
                Increment::Whole | Increment::Feed { .. } => None,
            };
            found.push(Discovered {
                place: stream.name.to_string(),
                dataset: Some(stream.dataset.name.clone()),
                bytes: page.answer.bytes.len() as u64,
                columns: members_of(page.records().into_iter().take(DISCOVER_RECORDS)),
                cursor,
            });
        }
        Ok(found)
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()> {
        self.read_all(request, out).await
    }

    async fn keys(&self, request: ReadRequest, out: mpsc::Sender<KeyBatch>) -> Result<()> {
        self.list_keys(request, out).await.map_err(Failure::from)
    }
}

//! The connector itself: walks the files in a fixed order and hands each to the reader of its standard.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use connector::{Connector, Discovered, Message, ReadRequest, Reason, Spec};
use domain::ports::Result;
use domain::{Bilingual, Failure};
use tokio::sync::mpsc;

use crate::config::{Common, Kind, OpenConfig};
use crate::error::OpenError;
use crate::input::{self, Input};
use crate::rows::Place;
use crate::sink::{Notices, Sink};
use crate::{bods, debarment, ftm, ocds};

/// Reads files of an open standard.
#[derive(Debug, Clone)]
pub struct OpenConnector {
    inner: Arc<Source>,
}

#[derive(Debug)]
struct Source {
    kind: Kind,
    path: PathBuf,
    name: Option<String>,
    common: Common,
    settings: Settings,
}

#[derive(Debug, Clone)]
enum Settings {
    Ocds(Arc<ocds::Settings>),
    Bods(Arc<bods::Settings>),
    Ftm(Arc<ftm::Settings>),
    Debarment(Arc<debarment::Settings>),
}

/// One file of the source.
struct Found {
    path: PathBuf,
    /// Below the directory, with `/`.
    name: String,
    bytes: u64,
}

/// What reads the files of one standard, one after another.
pub trait KindReader {
    /// Reads a kept file. What is to be seen together with other files is kept until the end.
    fn file(&mut self, input: Input, place: &Place, sink: &mut Sink) -> std::result::Result<(), OpenError>;

    /// Sends what was kept.
    fn finish(self: Box<Self>, sink: &mut Sink) -> std::result::Result<(), OpenError>;
}

impl OpenConnector {
    /// From the text of a configuration; relative paths in it are below `base`. Reads no file.
    ///
    /// # Errors
    /// [`OpenError::Config`] says which key is wrong and what it may be.
    pub fn from_toml(text: &str, base: &Path) -> std::result::Result<Self, OpenError> {
        Self::new(&OpenConfig::parse(text)?, base)
    }

    /// From a table that was read already, such as one `[source.…]` of a larger file.
    ///
    /// # Errors
    /// As [`Self::from_toml`].
    pub fn from_value(value: toml::Value, base: &Path) -> std::result::Result<Self, OpenError> {
        let config = value
            .try_into()
            .map_err(|e: toml::de::Error| OpenError::Config(e.to_string()))?;
        Self::new(&config, base)
    }

    /// From a configuration; relative paths in it are below `base`.
    ///
    /// # Errors
    /// As [`Self::from_toml`].
    pub fn new(config: &OpenConfig, base: &Path) -> std::result::Result<Self, OpenError> {
        let common = config.check()?;
        let settings = match config.kind {
            Kind::Ocds => {
                let own = config.ocds.clone().unwrap_or_default();
                Settings::Ocds(Arc::new(ocds::Settings::new(&own, &common)?))
            }
            Kind::Bods => {
                let own = config.bods.clone().unwrap_or_default();
                Settings::Bods(Arc::new(bods::Settings::new(&own, &common)?))
            }
            Kind::Ftm => {
                let own = config.ftm.clone().unwrap_or_default();
                Settings::Ftm(Arc::new(ftm::Settings::new(&own, &common)?))
            }
            Kind::Debarment => {
                let own = config.debarment.clone().unwrap_or_default();
                Settings::Debarment(Arc::new(debarment::Settings::new(&own, &common)?))
            }
        };
        Ok(Self {
            inner: Arc::new(Source {
                kind: config.kind,
                path: base.join(&config.path),
                name: config.source.clone(),
                common,
                settings,
            }),
        })
    }

    /// JSON Schema of the configuration of all kinds.
    pub fn config_schema() -> serde_json::Value {
        schemars::schema_for!(OpenConfig).to_value()
    }
}

#[async_trait]
impl Connector for OpenConnector {
    fn spec(&self) -> Spec {
        let title = match self.inner.kind {
            Kind::Ocds => Bilingual::new("公开采购数据（OCDS）", "Open contracting data (OCDS)"),
            Kind::Bods => Bilingual::new("受益所有权数据（BODS）", "Beneficial ownership data (BODS)"),
            Kind::Ftm => Bilingual::new("FollowTheMoney 实体", "FollowTheMoney entities"),
            Kind::Debarment => Bilingual::new("失信与处罚名单", "Debarment and credit lists"),
        };
        Spec {
            kind: self.inner.kind.name(),
            title,
            config_schema: Self::config_schema(),
            source: self.inner.name.clone(),
            quarantine_limit_bp: self.inner.common.quarantine_limit_bp,
            ..Spec::default()
        }
    }

    async fn check(&self) -> Result<()> {
        let source = self.inner.clone();
        blocking(move || {
            let found = source.walk()?;
            if let Some(first) = found.first() {
                std::fs::File::open(&first.path).map_err(|error| OpenError::Read {
                    name: first.name.clone(),
                    source: error,
                })?;
            }
            Ok(())
        })
        .await
    }

    async fn discover(&self) -> Result<Vec<Discovered>> {
        let source = self.inner.clone();
        blocking(move || {
            let dataset = match source.kind {
                Kind::Ocds => "tenders",
                Kind::Bods | Kind::Ftm => "relations",
                Kind::Debarment => "credit_records",
            };
            let found = source.walk()?.into_iter().map(|file| Discovered {
                place: file.name,
                dataset: Some(dataset.to_owned()),
                bytes: file.bytes,
                ..Discovered::default()
            });
            Ok(found.collect())
        })
        .await
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()> {
        let source = self.inner.clone();
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(cancelled.clone());
        blocking(move || source.read(&request, out, cancelled)).await
    }
}

/// Runs where blocking is allowed.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, OpenError> + Send + 'static,
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

impl Source {
    /// Every file that is included, sorted by its path. Hidden files are left out; links are followed.
    fn walk(&self) -> std::result::Result<Vec<Found>, OpenError> {
        let unreadable = |source: std::io::Error| OpenError::Path {
            path: self.path.clone(),
            source,
        };
        let metadata = std::fs::metadata(&self.path).map_err(unreadable)?;
        if metadata.is_file() {
            let name = self.path.file_name().unwrap_or(self.path.as_os_str());
            return Ok(vec![Found {
                path: self.path.clone(),
                name: name.to_string_lossy().into_owned(),
                bytes: metadata.len(),
            }]);
        }
        let is_hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with(['.', '~']);
        let walk = walkdir::WalkDir::new(&self.path)
            .follow_links(true)
            .sort_by_file_name()
            .into_iter();
        let mut found = Vec::new();
        for entry in walk.filter_entry(|e| e.depth() == 0 || !is_hidden(e.file_name())) {
            let entry = entry.map_err(|e| unreadable(e.into()))?;
            if !entry.file_type().is_file() {
                continue;
            }
            let below = entry.path().strip_prefix(&self.path).unwrap_or(entry.path());
            let parts: Vec<_> = below.iter().map(|p| p.to_string_lossy()).collect();
            let name = parts.join("/");
            if self.includes(&name) {
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

    fn includes(&self, name: &str) -> bool {
        let options = glob::MatchOptions {
            case_sensitive: false,
            require_literal_separator: true,
            require_literal_leading_dot: false,
        };
        self.common.patterns.iter().any(|pattern| {
            let subject = if pattern.as_str().contains('/') {
                name
            } else {
                name.rsplit('/').next().unwrap_or(name)
            };
            pattern.matches_with(subject, options)
        })
    }

    fn reader(&self, request: &ReadRequest) -> Box<dyn KindReader> {
        match &self.settings {
            Settings::Ocds(settings) => Box::new(ocds::Reader::new(settings.clone(), request)),
            Settings::Bods(settings) => Box::new(bods::Reader::new(settings.clone(), request)),
            Settings::Ftm(settings) => Box::new(ftm::Reader::new(settings.clone(), request)),
            Settings::Debarment(settings) => Box::new(debarment::Reader::new(settings.clone(), request)),
        }
    }

    /// The dataset that a file which cannot be read is told under.
    fn main_dataset(&self) -> &'static str {
        match self.kind {
            Kind::Ocds => "tenders",
            Kind::Bods | Kind::Ftm => "relations",
            Kind::Debarment => "credit_records",
        }
    }

    fn read(
        &self,
        request: &ReadRequest,
        out: mpsc::Sender<Message>,
        cancelled: Arc<AtomicBool>,
    ) -> std::result::Result<(), OpenError> {
        let found = self.walk()?;
        let mut sink = Sink::new(out, cancelled, found.iter().map(|f| f.bytes).sum());
        let mut reader = self.reader(request);
        let mut notices = Notices::default();
        if found.is_empty() {
            let text = ("没有可读取的文件", "there is no file to read");
            notices.add("NO_FILES", &self.path.to_string_lossy(), text);
        }
        for file in &found {
            let raw = request
                .raw
                .put_file(&file.path, &file.name)
                .map_err(|source| OpenError::Keep {
                    name: file.name.clone(),
                    source,
                })?;
            let place = Place {
                batch: raw.digest.clone(),
                file: file.name.as_str().into(),
            };
            match input::open(&raw, &file.name, self.common.encoding)? {
                Ok(input) => {
                    if input.is_guessed {
                        let text = (
                            "文件不是UTF-8，编码由内容推断；请在配置中写明 encoding",
                            "the file is not in UTF-8 and its encoding was guessed; set `encoding`",
                        );
                        notices.add("ENCODING_GUESSED", &file.name, text);
                    }
                    reader.file(input, &place, &mut sink)?;
                }
                Err((reason, detail)) => sink.send(self.refused(&place, reason, detail))?,
            }
        }
        reader.finish(&mut sink)?;
        sink.all(notices.take())
    }

    fn refused(&self, place: &Place, reason: Reason, detail: String) -> Message {
        Message::Rejected(connector::Rejected {
            dataset: self.main_dataset().into(),
            batch: place.batch.clone(),
            file: place.file.clone(),
            position: 0,
            field: None,
            reason,
            detail: if detail.is_empty() {
                reason.of_file()
            } else {
                detail
            },
            raw: Vec::new(),
        })
    }
}

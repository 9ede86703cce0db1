//! The connector itself: looks, decides, keeps, and lets the `files` connector read.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::TimeDelta;
use connector::{Checkpoint, Connector, Discovered, Message, RawBatch, ReadRequest, Spec};
use domain::clock::Clock;
use domain::ports::{Notice, Result};
use domain::{Bilingual, Failure};
use files::{FilesConnector, KeptFile};
use tokio::sync::mpsc;

use crate::bucket::Bucket;
use crate::config::WatchConfig;
use crate::cursor::{State, Step, step};
use crate::error::WatchError;
use crate::folder::Folder;
use crate::place::{Look, Place};

/// Reads files that appear in a folder or a bucket.
#[derive(Clone)]
pub struct WatchConnector {
    kind: &'static str,
    title: Bilingual,
    place: Arc<dyn Place>,
    files: FilesConnector,
    stable: TimeDelta,
    clock: Arc<dyn Clock>,
}

impl WatchConnector {
    /// From the text of a configuration; relative paths in it are below `base`. Reads the mapping and the
    /// secrets, and nothing of the source. `clock` says how long files have rested.
    ///
    /// # Errors
    /// [`WatchError::Config`] says which key is wrong; the mapping's own errors come as they are.
    pub fn from_toml(
        text: &str,
        base: &Path,
        clock: Arc<dyn Clock>,
    ) -> std::result::Result<Self, WatchError> {
        Self::new(&WatchConfig::parse(text)?, base, clock)
    }

    /// From a table that was read already, such as one `[source.…]` of a larger file.
    ///
    /// # Errors
    /// As [`Self::from_toml`].
    pub fn from_value(
        value: toml::Value,
        base: &Path,
        clock: Arc<dyn Clock>,
    ) -> std::result::Result<Self, WatchError> {
        Self::new(&WatchConfig::from_value(value)?, base, clock)
    }

    /// From a configuration; relative paths in it are below `base`.
    ///
    /// # Errors
    /// As [`Self::from_toml`].
    pub fn new(
        config: &WatchConfig,
        base: &Path,
        clock: Arc<dyn Clock>,
    ) -> std::result::Result<Self, WatchError> {
        let mapping = config.mapping().map(|path| base.join(path));
        let (kind, title, place): (_, _, Arc<dyn Place>) = match config {
            WatchConfig::Folder(folder) => {
                if folder.done.as_deref().is_some_and(|done| !is_below(done)) {
                    return Err(WatchError::Config(
                        "done is a folder below path, such as \"done\"".to_owned(),
                    ));
                }
                let place = Folder {
                    path: base.join(&folder.path),
                    done: folder.done.clone(),
                };
                (
                    "drop-folder",
                    Bilingual::new("监视的文件夹", "A watched folder"),
                    Arc::new(place),
                )
            }
            WatchConfig::Bucket(bucket) => (
                "s3",
                Bilingual::new("对象存储桶（S3）", "A bucket (S3)"),
                Arc::new(Bucket::new(bucket, base)?),
            ),
        };
        Ok(Self {
            kind,
            title,
            place,
            files: FilesConnector::new(base, mapping.as_deref())?,
            stable: TimeDelta::seconds(config.stable_seconds().into()),
            clock,
        })
    }

    /// A connector that reads kept copies below `dir` as this source would read its files.
    ///
    /// # Errors
    /// As [`Self::from_value`].
    pub fn copies(
        value: toml::Value,
        base: &Path,
        dir: &Path,
    ) -> std::result::Result<FilesConnector, WatchError> {
        let config = WatchConfig::from_value(value)?;
        let mapping = config.mapping().map(|path| base.join(path));
        Ok(FilesConnector::new(dir, mapping.as_deref())?)
    }

    /// JSON Schema of the configuration of both kinds.
    pub fn config_schema() -> serde_json::Value {
        schemars::schema_for!(WatchConfig).to_value()
    }

    /// Oldest first: of two files with the same row the newer one counts.
    async fn looks(&self) -> std::result::Result<Vec<Look>, WatchError> {
        let mut looks = self.place.list().await?;
        looks.sort_by(|a, b| (a.version.modified, &a.name).cmp(&(b.version.modified, &b.name)));
        Ok(looks)
    }

    async fn sync(
        &self,
        request: ReadRequest,
        out: mpsc::Sender<Message>,
    ) -> std::result::Result<(), WatchError> {
        let looks = self.looks().await?;
        let now = self.clock.now();
        let mut taken = Vec::new();
        for look in looks {
            let before = request
                .cursors
                .get(&look.name)
                .and_then(|cursor| State::parse(cursor));
            match step(before.as_ref(), &look.version, now, self.stable) {
                // That it is known means that its rows are committed, so it may go.
                Step::Known if !request.is_trial => self.place.put_away(&look).await?,
                Step::Known => {}
                Step::Take => taken.push((look, before)),
                Step::Wait(remember) => {
                    if let Some(state) = remember {
                        checkpoint(&look.name, &state, &out).await?;
                    }
                    let text = (
                        "文件可能仍在写入，下次再读取",
                        "it may still grow; it is read at a later sync",
                    );
                    notice("FILE_STILL_GROWING", &look.name, text, &out).await?;
                }
            }
        }
        let total_bytes = taken.iter().map(|(look, _)| look.version.bytes).sum();
        let mut done_bytes = 0;
        if !taken.is_empty() {
            self.files
                .read_constant_rows(request.clone(), out.clone())
                .await
                .map_err(WatchError::Other)?;
        }
        for (look, before) in taken {
            let bytes = look.version.bytes;
            match self.keep(&look, &request).await? {
                Some(raw) => {
                    let is_known = before.as_ref().and_then(State::digest) == Some(&*raw.digest);
                    let state = State::Done {
                        version: look.version.clone(),
                        digest: raw.digest.to_string(),
                    };
                    if !is_known {
                        let file = KeptFile {
                            name: look.name.clone(),
                            raw,
                            done_bytes,
                            total_bytes,
                        };
                        self.files
                            .read_kept(file, request.clone(), out.clone())
                            .await
                            .map_err(WatchError::Other)?;
                    }
                    checkpoint(&look.name, &state, &out).await?;
                }
                None => {
                    let text = (
                        "读取时文件发生变化，下次再读取",
                        "it changed while it was read; it is read at a later sync",
                    );
                    notice("FILE_CHANGED", &look.name, text, &out).await?;
                }
            }
            done_bytes += bytes;
        }
        Ok(())
    }

    /// Keeps the file as it was seen; none when it is another one now.
    async fn keep(
        &self,
        look: &Look,
        request: &ReadRequest,
    ) -> std::result::Result<Option<RawBatch>, WatchError> {
        let Some(fetched) = self.place.fetch(look).await? else {
            return Ok(None);
        };
        let (store, name) = (request.raw.clone(), look.name.clone());
        let kept = tokio::task::spawn_blocking(move || store.put_file(fetched.path(), &name)).await;
        let raw = kept
            .unwrap_or_else(|error| Err(Failure::internal(&error)))
            .map_err(WatchError::Other)?;
        let is_same = self.place.look_again(look).await?.as_ref() == Some(&look.version);
        Ok((is_same && raw.bytes == look.version.bytes).then_some(raw))
    }
}

fn is_below(path: &Path) -> bool {
    path.components()
        .all(|part| matches!(part, std::path::Component::Normal(_)))
        && path.components().count() > 0
}

async fn send(message: Message, out: &mpsc::Sender<Message>) -> std::result::Result<(), WatchError> {
    out.send(message).await.map_err(|_| WatchError::Cancelled)
}

async fn checkpoint(
    name: &str,
    state: &State,
    out: &mpsc::Sender<Message>,
) -> std::result::Result<(), WatchError> {
    let checkpoint = Checkpoint {
        stream: name.into(),
        cursor: state.write(name)?,
    };
    send(Message::Checkpoint(checkpoint), out).await
}

async fn notice(
    code: &str,
    place: &str,
    text: (&str, &str),
    out: &mpsc::Sender<Message>,
) -> std::result::Result<(), WatchError> {
    let notice = Notice {
        code: code.to_owned(),
        place: place.to_owned(),
        message: Bilingual::new(text.0, text.1),
        count: 1,
    };
    send(Message::Notice(notice), out).await
}

#[async_trait]
impl Connector for WatchConnector {
    fn spec(&self) -> Spec {
        let (source, quarantine_limit_bp) = self.files.source();
        Spec {
            kind: self.kind,
            title: self.title.clone(),
            config_schema: Self::config_schema(),
            incremental: true,
            source,
            quarantine_limit_bp,
            ..Spec::default()
        }
    }

    async fn check(&self) -> Result<()> {
        self.place.list().await.map(drop).map_err(Failure::from)
    }

    async fn discover(&self) -> Result<Vec<Discovered>> {
        let looks = self.looks().await.map_err(Failure::from)?;
        let found = looks.into_iter().map(|look| Discovered {
            dataset: self.files.dataset_of(&look.name),
            bytes: look.version.bytes,
            cursor: Some("version".to_owned()),
            place: look.name,
            ..Discovered::default()
        });
        Ok(found.collect())
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()> {
        self.sync(request, out).await.map_err(Failure::from)
    }
}

//! The connector itself: configuration in, sessions and streams out.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use connector::coerce::date::Zone;
use connector::factory::secret::Secret;
use connector::port::{RawBatch, RawStore};
use connector::{Connector, Discovered, KeyBatch, Message, ReadRequest, Spec};
use domain::ports::Result;
use domain::{Bilingual, Failure};
use tokio::sync::mpsc;

use crate::columns::notice;
use crate::config::{DatabaseConfig, Kind, Limits};
use crate::error::DatabaseError;
use crate::reader::{CancelOnDrop, FIRST_WAIT, StreamReader, Tries};
use crate::select::Select;
use crate::session::Session;
use crate::statement::Template;
use crate::{mysql, postgres};

/// Reads queries of one database.
#[derive(Debug)]
pub struct DatabaseConnector {
    pub(crate) config: DatabaseConfig,
    /// Folder that the paths of secrets start from.
    base: PathBuf,
    pub(crate) kind: Kind,
    pub(crate) limits: Limits,
    pub(crate) zone: Zone,
    /// One a stream, in its order.
    templates: Vec<Template>,
    /// What messages call the server: kind, host and database.
    pub(crate) place: String,
    first_wait: Duration,
}

impl DatabaseConnector {
    /// From the text of a TOML file in the folder `base`. Reads no secret and reaches for no server.
    pub fn from_toml(text: &str, base: &Path) -> Result<Self> {
        Self::new(DatabaseConfig::from_text(text)?, base)
    }

    /// From a table of a larger TOML file.
    pub fn from_value(value: toml::Value, base: &Path) -> Result<Self> {
        Self::new(DatabaseConfig::from_value(value)?, base)
    }

    fn new(config: DatabaseConfig, base: &Path) -> Result<Self> {
        let kind = config.kind()?;
        let templates = config.streams.iter().map(|stream| {
            Template::parse(&stream.query, kind).map_err(|message| DatabaseError::Query {
                stream: stream.name().to_owned(),
                message,
            })
        });
        let templates = templates.collect::<std::result::Result<Vec<_>, _>>()?;
        Ok(Self {
            base: base.to_owned(),
            kind,
            limits: config.limits()?,
            zone: config.zone()?,
            templates,
            place: place(&config, kind),
            first_wait: FIRST_WAIT,
            config,
        })
    }

    /// Waits at most so long before the second try to reach the server, twice as long before the third and so on.
    #[must_use]
    pub fn with_first_wait(self, first_wait: Duration) -> Self {
        Self { first_wait, ..self }
    }

    pub(crate) fn tries(&self) -> Tries {
        Tries::new(self.limits.tries, self.first_wait)
    }

    async fn check_once(&self) -> std::result::Result<(), DatabaseError> {
        let (request, cancelled) = (nothing_kept(), Arc::default());
        // Also without streams the server must let us in.
        let mut session = self.connect().await?;
        for reader in self.readers(&request, &cancelled) {
            reader.check(session.as_mut()).await?;
        }
        Ok(())
    }

    async fn discover_once(&self) -> std::result::Result<Vec<Discovered>, DatabaseError> {
        let mut session = self.connect().await?;
        let mut found = Vec::new();
        for (stream, template) in self.config.streams.iter().zip(&self.templates) {
            let described = session.describe(&Select::plain(self.kind, template)).await;
            let described = described.map_err(|e| e.in_stream(stream.name()))?;
            found.push(Discovered {
                place: stream.name().to_owned(),
                dataset: Some(stream.dataset.clone()),
                bytes: 0,
                columns: described.into_iter().map(|d| (d.name, d.ty)).collect(),
                cursor: stream.cursor.clone(),
            });
        }
        let tables = session.tables().await?;
        found.extend(tables.into_iter().map(|(place, columns)| Discovered {
            place,
            columns,
            ..Discovered::default()
        }));
        Ok(found)
    }

    pub(crate) async fn connect(&self) -> std::result::Result<Box<dyn Session>, DatabaseError> {
        let connection = &self.config.connection;
        let password = connection
            .password
            .as_ref()
            .map(|secret| secret.resolve(&self.base))
            .transpose()?;
        let url = connection.url.as_deref().unwrap_or_default();
        let password = password.as_ref().map(Secret::reveal);
        let session: std::result::Result<Box<dyn Session>, DatabaseError> = match self.kind {
            Kind::Postgres => postgres::connect(url, password, &self.limits, &self.place)
                .await
                .map(|s| Box::new(s) as Box<dyn Session>),
            Kind::MySql => mysql::connect(
                url,
                password,
                &self.limits,
                &self.place,
                self.config.zero_dates_are_null,
            )
            .await
            .map(|s| Box::new(s) as Box<dyn Session>),
            #[cfg(feature = "odbc")]
            Kind::Odbc => crate::odbc::connect(connection, password, &self.limits, &self.place)
                .map(|s| Box::new(s) as Box<dyn Session>),
            #[cfg(not(feature = "odbc"))]
            Kind::Odbc => Err(DatabaseError::NoOdbc),
        };
        session.map_err(|e| e.without(password))
    }

    fn readers<'a>(
        &'a self,
        request: &'a ReadRequest,
        cancelled: &'a Arc<AtomicBool>,
    ) -> impl Iterator<Item = StreamReader<'a>> {
        let streams = self.config.streams.iter().zip(&self.templates);
        streams.map(move |(stream, template)| StreamReader {
            connector: self,
            stream,
            template,
            request,
            cancelled,
        })
    }
}

/// Kind, host and database of the source, without user and password.
fn place(config: &DatabaseConfig, kind: Kind) -> String {
    let url = config.connection.url.as_deref().unwrap_or_default();
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let rest = rest.split('?').next().unwrap_or("");
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    match rest {
        "" => format!("{} source {}", kind.name(), config.source),
        rest => format!("{} {rest}", kind.name()),
    }
}

#[async_trait]
impl Connector for DatabaseConnector {
    fn spec(&self) -> Spec {
        Spec {
            kind: "database",
            title: Bilingual::new("数据库", "Database"),
            config_schema: DatabaseConfig::schema(),
            overlaps: true,
            incremental: true,
            lists_keys: true,
            source: Some(self.config.source.clone()),
            quarantine_limit_bp: self.config.quarantine_limit_bp().ok().flatten(),
        }
    }

    async fn check(&self) -> Result<()> {
        let mut tries = self.tries();
        loop {
            let checked = self.check_once().await;
            if !tries.go_on(checked.as_ref().err()).await {
                return Ok(checked?);
            }
        }
    }

    async fn reach(&self) -> Result<()> {
        let mut tries = self.tries();
        loop {
            let reached = self.connect().await.map(drop);
            if !tries.go_on(reached.as_ref().err()).await {
                return Ok(reached?);
            }
        }
    }

    /// The configured streams, then the tables that the user may read.
    async fn discover(&self) -> Result<Vec<Discovered>> {
        let mut tries = self.tries();
        loop {
            let found = self.discover_once().await;
            if !tries.go_on(found.as_ref().err()).await {
                return Ok(found?);
            }
        }
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(cancelled.clone());
        let mut failed: Vec<(&str, DatabaseError)> = Vec::new();
        for reader in self.readers(&request, &cancelled) {
            match reader.read(&out).await {
                Ok(()) => {}
                // The other streams are worth reading; the sync fails all the same.
                Err(error) if error.is_of_the_stream() => {
                    let told = notice(
                        "STREAM_FAILED",
                        reader.stream.name(),
                        "",
                        &format!("未能读取：{error}"),
                        &format!("could not be read: {error}"),
                    );
                    if out.send(Message::Notice(told)).await.is_err() {
                        return Err(DatabaseError::Cancelled.into());
                    }
                    failed.push((reader.stream.name(), error));
                }
                Err(error) => return Err(error.into()),
            }
        }
        connector::port::all_streams(failed)
    }

    async fn keys(&self, request: ReadRequest, out: mpsc::Sender<KeyBatch>) -> Result<()> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let _guard = CancelOnDrop(cancelled.clone());
        for reader in self.readers(&request, &cancelled) {
            reader.keys(&out).await?;
        }
        Ok(())
    }
}

/// A request for calls that read no rows.
fn nothing_kept() -> ReadRequest {
    struct Nothing;
    impl RawStore for Nothing {
        fn put_file(&self, _: &Path, name: &str) -> Result<RawBatch> {
            self.put_bytes(&[], name)
        }
        fn put_bytes(&self, _: &[u8], name: &str) -> Result<RawBatch> {
            Err(Failure::invalid(
                "NOT_READING",
                format!("{name} is not kept: nothing is being read"),
            ))
        }
    }
    ReadRequest::new(Arc::new(Nothing), DateTime::UNIX_EPOCH)
}

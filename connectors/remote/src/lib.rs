//! The kind `remote`: a vendor's connector, in any language, that serves `lianjing.v1.ConnectorPort` over gRPC.
//!
//! Rows come as JSON objects by English column names, or as Arrow IPC with the columns of the data model; both become
//! typed rows here, by the same rules as pushed rows: an unknown member or an unreadable value sends the row to
//! quarantine. What the vendor sends as raw bytes is kept before its rows are read; rows without raw bytes are kept as
//! they were sent.

mod arrow_rows;
mod config;
mod json_rows;
mod reader;
mod transport;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use connector::{Connector, ConnectorFactory, Discovered, KeyBatch, Message, ReadRequest, Spec};
use domain::ports::Result;
use domain::{Bilingual, Failure, FailureKind};
use proto::v1 as pb;
use proto::v1::connector_port_client::ConnectorPortClient;
use tokio::sync::mpsc;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

use config::Config;
use reader::Reader;

/// Largest message of a vendor's connector, in bytes.
const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Rows in one of its messages, at most.
const ROWS_MAX: usize = 100_000;

type Client = ConnectorPortClient<InterceptedService<Channel, transport::Token>>;

/// Makes [`RemoteConnector`]s of `config` tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct RemoteFactory;

impl ConnectorFactory for RemoteFactory {
    fn spec(&self) -> Spec {
        Spec {
            kind: "remote",
            title: Bilingual::new("厂商连接器（gRPC）", "A vendor's connector over gRPC"),
            config_schema: config::schema(),
            overlaps: true,
            incremental: true,
            lists_keys: true,
            ..Spec::default()
        }
    }

    fn open(&self, config: toml::Table, base: &Path) -> Result<Box<dyn Connector>> {
        Ok(Box::new(RemoteConnector::new(Config::parse(config)?, base)?))
    }
}

/// A connector that asks another process.
#[derive(Debug, Clone)]
pub struct RemoteConnector {
    config: Arc<Config>,
    base: PathBuf,
    endpoint: Endpoint,
}

impl RemoteConnector {
    fn new(config: Config, base: &Path) -> Result<Self> {
        let endpoint = Endpoint::from_shared(config.url.clone())
            .map_err(|e| {
                Failure::invalid(
                    "REMOTE_CONFIGURATION",
                    format!(
                        "config: key `url` is {:?}: {e}; write e.g. \"http://127.0.0.1:50051\"",
                        config.url
                    ),
                )
            })?
            .connect_timeout(Duration::from_secs(config.connect_seconds_max))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(config.silence_seconds_max))
            .keep_alive_timeout(Duration::from_secs(config.silence_seconds_max));
        Ok(Self {
            config: Arc::new(config),
            base: base.to_owned(),
            endpoint,
        })
    }

    /// Connects anew, with the certificates and the token as they are now.
    async fn client(&self) -> Result<Client> {
        let endpoint = transport::secured(self.endpoint.clone(), &self.config, &self.base)?;
        let token = transport::Token::new(self.config.token.as_ref(), &self.base)?;
        let channel = endpoint.connect().await.map_err(|e| {
            Failure::new(
                FailureKind::Unavailable,
                "REMOTE_UNREACHABLE",
                format!(
                    "the connector at {} cannot be reached: {}; see that it runs and listens there, and that its certificate is trusted",
                    self.config.url,
                    Failure::internal(&e).message
                ),
            )
        })?;
        Ok(ConnectorPortClient::with_interceptor(channel, token)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX))
    }

    /// What the vendor's connector says of itself, checked against what this source needs.
    async fn remote_spec(&self, client: &mut Client) -> Result<pb::SpecResponse> {
        let request = self.unary(pb::SpecRequest {});
        let spec = client
            .spec(request)
            .await
            .map_err(|s| self.failed(&s))?
            .into_inner();
        if !spec.config_schema_json.is_empty()
            && serde_json::from_str::<serde_json::Map<_, _>>(&spec.config_schema_json).is_err()
        {
            return Err(self.wrong("its config_schema_json is no JSON object".into()));
        }
        Ok(spec)
    }

    fn unary<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.set_timeout(Duration::from_secs(self.config.call_seconds_max));
        request
    }

    fn wrong(&self, problem: String) -> Failure {
        Failure::new(
            FailureKind::Internal,
            "REMOTE_PROTOCOL",
            format!(
                "the connector at {} breaks the protocol: {problem}; tell its vendor",
                self.config.url
            ),
        )
    }

    fn failed(&self, status: &Status) -> Failure {
        // A connection that broke, or that the other side refused for want of a certificate, has no code of its own.
        let broke = std::error::Error::source(status).filter(|e| e.is::<tonic::transport::Error>());
        if let Some(error) = broke {
            return Failure::new(
                FailureKind::Unavailable,
                "REMOTE_UNREACHABLE",
                format!(
                    "the connection to the connector at {} broke: {}; see that it runs, and that it trusts our certificate",
                    self.config.url,
                    Failure::internal(error).message
                ),
            );
        }
        let (kind, reason) = match status.code() {
            Code::InvalidArgument | Code::OutOfRange => (FailureKind::Invalid, "REMOTE_CONFIGURATION"),
            Code::NotFound => (FailureKind::NotFound, "REMOTE_NOT_FOUND"),
            Code::FailedPrecondition | Code::PermissionDenied | Code::Unauthenticated => {
                (FailureKind::Precondition, "REMOTE_PRECONDITION")
            }
            Code::Unavailable => (FailureKind::Unavailable, "REMOTE_UNAVAILABLE"),
            Code::DeadlineExceeded => (FailureKind::DeadlineExceeded, "REMOTE_TOO_SLOW"),
            Code::ResourceExhausted => (FailureKind::Exhausted, "REMOTE_EXHAUSTED"),
            Code::Cancelled => (FailureKind::Unavailable, "REMOTE_HUNG_UP"),
            Code::Unimplemented => (FailureKind::Invalid, "REMOTE_UNIMPLEMENTED"),
            _ => (FailureKind::Internal, "REMOTE_FAILED"),
        };
        Failure::new(
            kind,
            reason,
            format!(
                "the connector at {} says: {} ({:?})",
                self.config.url,
                status.message(),
                status.code()
            ),
        )
    }
}

#[async_trait]
impl Connector for RemoteConnector {
    /// What the vendor's says is known only when it is reached; the configuration says what to expect.
    fn spec(&self) -> Spec {
        Spec {
            incremental: self.config.incremental,
            lists_keys: self.config.lists_keys,
            ..RemoteFactory.spec()
        }
    }

    async fn check(&self) -> Result<()> {
        let mut client = self.client().await?;
        let spec = self.remote_spec(&mut client).await?;
        for (key, wanted, found) in [
            ("incremental", self.config.incremental, spec.incremental),
            ("lists_keys", self.config.lists_keys, spec.lists_keys),
        ] {
            if wanted && !found {
                return Err(Failure::invalid(
                    "REMOTE_CONFIGURATION",
                    format!(
                        "config: key `{key}` is true, but the connector at {} (kind {:?}) says it is not; set `{key} = false`",
                        self.config.url, spec.kind
                    ),
                ));
            }
        }
        let request = self.unary(pb::CheckRequest {
            config_json: self.config.settings_json(),
        });
        client.check(request).await.map_err(|s| self.failed(&s))?;
        Ok(())
    }

    async fn discover(&self) -> Result<Vec<Discovered>> {
        let request = self.unary(pb::DiscoverRequest {
            config_json: self.config.settings_json(),
        });
        let found = self
            .client()
            .await?
            .discover(request)
            .await
            .map_err(|s| self.failed(&s))?;
        found
            .into_inner()
            .streams
            .into_iter()
            .map(|stream| {
                let some = |text: String| Some(text).filter(|t| !t.is_empty());
                let dataset = some(stream.dataset);
                if let Some(name) = dataset.as_deref().filter(|n| domain::dataset(n).is_none()) {
                    return Err(self.wrong(format!("stream {:?} names no dataset but {name:?}", stream.name)));
                }
                Ok(Discovered {
                    place: stream.name,
                    dataset,
                    cursor: some(stream.cursor_column),
                    ..Discovered::default()
                })
            })
            .collect()
    }

    async fn read(&self, request: ReadRequest, out: mpsc::Sender<Message>) -> Result<()> {
        let asked = pb::ReadRequest {
            config_json: self.config.settings_json(),
            cursors: request.cursors.clone(),
            started_at_micros: request.started_at.timestamp_micros(),
            batch_rows: u32::try_from(request.batch_rows.clamp(1, ROWS_MAX)).unwrap_or(1),
        };
        let mut client = self.client().await?;
        let mut stream = client
            .read(asked)
            .await
            .map_err(|s| self.failed(&s))?
            .into_inner();
        let mut reader = Some(Reader::new(request.raw.clone()));
        let wait = Duration::from_secs(self.config.silence_seconds_max);
        loop {
            let next = tokio::time::timeout(wait, stream.message()).await;
            let message = match next {
                Err(_) => {
                    return Err(Failure::new(
                        FailureKind::DeadlineExceeded,
                        "REMOTE_TOO_SLOW",
                        format!(
                            "the connector at {} sent nothing for {} s; raise `silence_seconds_max` if that is usual",
                            self.config.url,
                            wait.as_secs()
                        ),
                    ));
                }
                Ok(Err(status)) => return Err(self.failed(&status)),
                Ok(Ok(None)) => break,
                Ok(Ok(Some(response))) => response
                    .message
                    .ok_or_else(|| self.wrong("an empty message in Read".into()))?,
            };
            // Parsing and keeping block, so they leave the async threads.
            let Some(mut at_work) = reader.take() else { break };
            let (back, made) = tokio::task::spawn_blocking(move || {
                let made = at_work.take(message);
                (at_work, made)
            })
            .await
            .map_err(|e| Failure::internal(&e))?;
            reader = Some(back);
            for message in made.map_err(|problem| problem.into_failure(|p| self.wrong(p)))? {
                out.send(message).await.map_err(|_| {
                    Failure::new(FailureKind::Cancelled, "CANCELLED", "the sync was cancelled")
                })?;
            }
        }
        Ok(())
    }

    async fn keys(&self, _request: ReadRequest, out: mpsc::Sender<KeyBatch>) -> Result<()> {
        let asked = pb::KeysRequest {
            config_json: self.config.settings_json(),
        };
        let mut client = self.client().await?;
        let mut stream = client
            .keys(asked)
            .await
            .map_err(|s| self.failed(&s))?
            .into_inner();
        while let Some(response) = stream.message().await.map_err(|s| self.failed(&s))? {
            let dataset = domain::dataset(&response.dataset)
                .ok_or_else(|| self.wrong(format!("keys of {:?}, which is no dataset", response.dataset)))?;
            if response.json_keys.len() > ROWS_MAX {
                return Err(self.wrong(format!(
                    "{} keys in one message, more than {ROWS_MAX}",
                    response.json_keys.len()
                )));
            }
            let keys = json_rows::keys(&dataset, &response.json_keys)
                .map_err(|problem| self.wrong(format!("a key of {}: {problem}", dataset.name)))?;
            out.send(KeyBatch { dataset, keys }).await.map_err(|_| {
                Failure::new(FailureKind::Cancelled, "CANCELLED", "the listing was cancelled")
            })?;
        }
        Ok(())
    }
}

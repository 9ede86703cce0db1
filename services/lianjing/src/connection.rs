//! Reaches the services: a server over the network, or the same services in this process.

use gateway::{InProcess, MESSAGE_BYTES_MAX};
use proto::v1::alert_service_client::AlertServiceClient;
use proto::v1::collision_service_client::CollisionServiceClient;
use proto::v1::connector_service_client::ConnectorServiceClient;
use proto::v1::graph_service_client::GraphServiceClient;
use proto::v1::operation_service_client::OperationServiceClient;
use proto::v1::query_service_client::QueryServiceClient;
use proto::v1::schedule_service_client::ScheduleServiceClient;
use proto::v1::screening_service_client::ScreeningServiceClient;
use std::time::Duration;
use tonic::transport::{Channel, Endpoint};

use crate::cli::Global;
use crate::outcome::{CliError, CliResult, chain};
use crate::wiring::{self, Opening};

/// Longest wait for a server to accept a connection.
const CONNECT_SECONDS_MAX: u64 = 10;

/// Clients of all services over one connection.
pub struct Connection {
    channel: Channel,
    own: Option<(InProcess, wiring::Wired)>,
}

macro_rules! clients {
    ($($name:ident $client:ident,)*) => {
        $(pub fn $name(&self) -> $client<Channel> {
            $client::new(self.channel.clone())
                .max_decoding_message_size(MESSAGE_BYTES_MAX)
                .max_encoding_message_size(MESSAGE_BYTES_MAX)
        })*
    };
}

impl Connection {
    /// Connects as the global options say.
    pub async fn open(global: &Global, opening: Opening) -> CliResult<Self> {
        match &global.server {
            Some(_) if global.rules.is_some() => Err(CliError::usage(
                "--rules 只对本进程有效；服务器的规则在其启动时指定 / --rules is for this process only: a server is given its rules when it starts",
            )),
            Some(url) => Self::to_server(url).await,
            None => {
                let wired = wiring::open(global, opening).await?;
                let inner = wired.gateway()?.in_process();
                Ok(Self {
                    channel: inner.channel(),
                    own: Some((inner, wired)),
                })
            }
        }
    }

    async fn to_server(url: &str) -> CliResult<Self> {
        let endpoint = Endpoint::from_shared(url.to_owned()).map_err(|e| {
            CliError::usage(format!(
                "--server {url:?} is no URL ({e}); write e.g. http://127.0.0.1:7070"
            ))
        })?;
        let channel = endpoint
            .connect_timeout(Duration::from_secs(CONNECT_SECONDS_MAX))
            .tcp_nodelay(true)
            .connect()
            .await
            .map_err(|e| {
                CliError::failed(format!(
                    "cannot reach {url}: {}; is `lianjing serve` running there?",
                    chain(&e)
                ))
            })?;
        Ok(Self { channel, own: None })
    }

    /// Whether the services run in this process.
    pub fn is_own(&self) -> bool {
        self.own.is_some()
    }

    /// The services of this process, if they run here.
    pub fn wired(&self) -> Option<&wiring::Wired> {
        self.own.as_ref().map(|(_, wired)| wired)
    }

    /// Ends the services of this process, if it has any: running work is stopped and files are let go.
    pub async fn close(self) {
        if let Some((inner, wired)) = self.own {
            drop(self.channel);
            if let Err(e) = inner.stop().await {
                tracing::warn!(error = %e, "the in-process server did not end well");
            }
            wired.close().await;
        }
    }

    clients! {
        connectors ConnectorServiceClient,
        collisions CollisionServiceClient,
        alerts AlertServiceClient,
        queries QueryServiceClient,
        graph GraphServiceClient,
        operations OperationServiceClient,
        screening ScreeningServiceClient,
        schedule ScheduleServiceClient,
    }
}

//! Puts the services together and serves them: over TCP on this machine, or within this process.

use std::future::Future;
use std::io;
use std::sync::Arc;

use domain::sources::JobRunner;
use futures::Stream;
use proto::v1::alert_service_server::AlertServiceServer;
use proto::v1::collision_service_server::CollisionServiceServer;
use proto::v1::connector_service_server::ConnectorServiceServer;
use proto::v1::graph_service_server::GraphServiceServer;
use proto::v1::operation_service_server::OperationServiceServer;
use proto::v1::query_service_server::QueryServiceServer;
use proto::v1::schedule_service_server::ScheduleServiceServer;
use proto::v1::screening_service_server::ScreeningServiceServer;
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::{Connected, TcpIncoming};
use tonic::transport::{Channel, Endpoint, Server};
use tonic_health::ServingStatus;
use tower::util::option_layer;

use crate::deadline::DeadlineLayer;
use crate::error::GatewayError;
use crate::host_guard::HostGuardLayer;
use crate::jobs::Jobs;
use crate::operations::Registry;
use crate::policy::Methods;
use crate::services::Services;
use crate::{Options, Ports};

/// Largest message that clients of this crate's own channel take, and that the server takes, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 << 20;
/// Flow-control window of a stream, in bytes.
const WINDOW_BYTES: u32 = 1 << 20;
/// Buffer of an in-process connection, in bytes.
const DUPLEX_BYTES: usize = 1 << 20;

/// All services, checked and ready to serve.
pub struct Gateway {
    services: Services,
    methods: Arc<Methods>,
}

/// A gateway that serves within this process.
pub struct InProcess {
    channel: Channel,
    shutdown: CancellationToken,
    server: tokio::task::JoinHandle<Result<(), GatewayError>>,
}

// === impl Gateway ===

impl Gateway {
    /// Fails when some method of the API declares no policy.
    pub fn new(ports: Ports, options: Options) -> Result<Self, GatewayError> {
        let methods = Arc::new(Methods::read(proto::FILE_DESCRIPTOR_SET)?);
        let shutdown = CancellationToken::new();
        let operations = Registry::new(ports.clock.clone(), shutdown.clone());
        Ok(Self {
            services: Services {
                ports,
                options,
                operations,
                shutdown,
            },
            methods,
        })
    }

    /// Does what scheduled jobs ask for on these services. It keeps them alive: let go of it before closing them.
    pub fn job_runner(&self) -> Arc<dyn JobRunner> {
        Arc::new(Jobs(self.services.clone()))
    }

    /// Serves `listener` until `shutdown` resolves: health turns NOT_SERVING, streams end with UNAVAILABLE, long-running
    /// work is cancelled, and calls get `Options::shutdown_grace` to finish. Refuses any address but this machine's own.
    pub async fn run(
        self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<(), GatewayError> {
        let address = listener.local_addr().map_err(GatewayError::ListenerAddress)?;
        if !address.ip().is_loopback() {
            return Err(GatewayError::NotLoopback { address });
        }
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        self.serve(incoming, shutdown, Some(HostGuardLayer)).await
    }

    /// Serves within this process, over an in-memory connection. Must be called inside a Tokio runtime.
    pub fn in_process(self) -> InProcess {
        let (connections, accepted) = mpsc::channel::<io::Result<DuplexStream>>(1);
        let shutdown = CancellationToken::new();
        let stop = shutdown.clone().cancelled_owned();
        let server = tokio::spawn(async move { self.serve(ReceiverStream::new(accepted), stop, None).await });
        let connect = tower::service_fn(move |_| {
            let connections = connections.clone();
            async move {
                let (near, far) = tokio::io::duplex(DUPLEX_BYTES);
                connections
                    .send(Ok(far))
                    .await
                    .map_err(|_| io::Error::from(io::ErrorKind::ConnectionRefused))?;
                io::Result::Ok(hyper_util::rt::TokioIo::new(near))
            }
        });
        let channel = Endpoint::from_static("http://lianjing.in-process")
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .connect_with_connector_lazy(connect);
        InProcess {
            channel,
            shutdown,
            server,
        }
    }

    async fn serve<I, IO>(
        self,
        incoming: I,
        shutdown: impl Future<Output = ()> + Send,
        guard: Option<HostGuardLayer>,
    ) -> Result<(), GatewayError>
    where
        I: Stream<Item = io::Result<IO>>,
        IO: AsyncRead + AsyncWrite + Connected + Unpin + Send + 'static,
    {
        let Self { services, methods } = self;
        let (health, health_service) = tonic_health::server::health_reporter();
        let names: Vec<String> = methods
            .services()
            .iter()
            .cloned()
            .chain([String::new()])
            .collect();
        for name in &names {
            health.set_service_status(name, ServingStatus::Serving).await;
        }
        let reflection = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let (stop, grace) = (services.shutdown.clone(), services.options.shutdown_grace);
        let deadline = DeadlineLayer {
            methods,
            default: services.options.deadline,
        };
        let own = services;
        macro_rules! sized {
            ($server:ident) => {
                $server::new(own.clone())
                    .max_decoding_message_size(MESSAGE_BYTES_MAX)
                    .max_encoding_message_size(MESSAGE_BYTES_MAX)
            };
        }
        let serving = Server::builder()
            .accept_http1(true)
            .initial_stream_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .layer(option_layer(guard))
            .layer(tonic_web::GrpcWebLayer::new())
            .layer(deadline)
            .add_service(health_service)
            .add_service(reflection().build_v1().map_err(GatewayError::Reflection)?)
            .add_service(reflection().build_v1alpha().map_err(GatewayError::Reflection)?)
            .add_service(sized!(ConnectorServiceServer))
            .add_service(sized!(CollisionServiceServer))
            .add_service(sized!(AlertServiceServer))
            .add_service(sized!(QueryServiceServer))
            .add_service(sized!(GraphServiceServer))
            .add_service(sized!(OperationServiceServer))
            .add_service(sized!(ScreeningServiceServer))
            .add_service(sized!(ScheduleServiceServer))
            .serve_with_incoming_shutdown(incoming, stop.clone().cancelled_owned());
        let stopping = async {
            shutdown.await;
            for name in &names {
                health.set_service_status(name, ServingStatus::NotServing).await;
            }
            stop.cancel();
            tokio::time::sleep(grace).await;
        };
        tokio::select! {
            served = serving => served.map_err(GatewayError::Serve),
            () = stopping => {
                tracing::warn!(shutdown.grace_ms = grace.as_millis() as u64, "calls were cut off at shutdown");
                Ok(())
            }
        }
    }
}

// === impl InProcess ===

impl InProcess {
    /// Reaches the services; may be cloned.
    pub fn channel(&self) -> Channel {
        self.channel.clone()
    }

    /// Stops as [`Gateway::run`] does.
    pub async fn stop(self) -> Result<(), GatewayError> {
        self.shutdown.cancel();
        drop(self.channel);
        self.server.await.unwrap_or(Ok(()))
    }
}

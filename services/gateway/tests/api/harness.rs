//! Starts a gateway on a free port and connects to it.

use std::net::SocketAddr;
use std::sync::Arc;

use gateway::{Gateway, GatewayError, Options, status};
use proto::v1 as pb;
use proto::v1::alert_service_client::AlertServiceClient;
use proto::v1::collision_service_client::CollisionServiceClient;
use proto::v1::connector_service_client::ConnectorServiceClient;
use proto::v1::graph_service_client::GraphServiceClient;
use proto::v1::operation_service_client::OperationServiceClient;
use proto::v1::query_service_client::QueryServiceClient;
use proto::v1::screening_service_client::ScreeningServiceClient;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::Channel;

use crate::fakes::World;

pub struct Served {
    pub world: Arc<World>,
    pub address: SocketAddr,
    pub channel: Channel,
    stop: oneshot::Sender<()>,
    server: JoinHandle<Result<(), GatewayError>>,
}

pub async fn serve(world: Arc<World>) -> Served {
    serve_with(world, Options::default()).await
}

pub async fn serve_with(world: Arc<World>, options: Options) -> Served {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let gateway = Gateway::new(world.ports(), options).expect("a complete API");
    let (stop, stopped) = oneshot::channel();
    let server = tokio::spawn(gateway.run(listener, async move {
        let _ = stopped.await;
    }));
    let endpoint = Channel::from_shared(format!("http://{address}")).expect("a URL");
    let channel = endpoint.connect().await.expect("the server listens");
    Served {
        world,
        address,
        channel,
        stop,
        server,
    }
}

impl Served {
    pub fn connectors(&self) -> ConnectorServiceClient<Channel> {
        ConnectorServiceClient::new(self.channel.clone())
    }
    pub fn collisions(&self) -> CollisionServiceClient<Channel> {
        CollisionServiceClient::new(self.channel.clone())
    }
    pub fn alerts(&self) -> AlertServiceClient<Channel> {
        AlertServiceClient::new(self.channel.clone())
    }
    pub fn queries(&self) -> QueryServiceClient<Channel> {
        QueryServiceClient::new(self.channel.clone())
    }
    pub fn graph(&self) -> GraphServiceClient<Channel> {
        GraphServiceClient::new(self.channel.clone())
    }
    pub fn screening(&self) -> ScreeningServiceClient<Channel> {
        ScreeningServiceClient::new(self.channel.clone())
    }
    pub fn operations(&self) -> OperationServiceClient<Channel> {
        OperationServiceClient::new(self.channel.clone())
    }

    /// Waits for the end of an operation.
    pub async fn ended(&self, operation: Option<pb::Operation>) -> pb::Operation {
        let operation_id = operation.expect("an operation").operation_id;
        let request = pb::WaitOperationRequest {
            operation_id,
            timeout_seconds: 60,
        };
        let answer = self
            .operations()
            .wait_operation(request)
            .await
            .expect("is known")
            .into_inner();
        answer.operation.expect("an operation")
    }

    /// Runs all rules and gives the record.
    pub async fn run(&self) -> pb::RunRecord {
        let started = self
            .collisions()
            .run_rules(pb::RunRulesRequest::default())
            .await
            .expect("starts");
        match self.ended(started.into_inner().operation).await.result {
            Some(pb::operation::Result::Run(run)) => run,
            other => panic!("no run but {other:?}"),
        }
    }

    /// Tells the server to stop; gives its end.
    pub fn stop(self) -> JoinHandle<Result<(), GatewayError>> {
        self.stop.send(()).expect("the server runs");
        self.server
    }
}

/// The stable reason of an error.
pub fn reason(status: &Status) -> String {
    status::error_info(status)
        .unwrap_or_else(|| panic!("no ErrorInfo in {status:?}"))
        .0
}

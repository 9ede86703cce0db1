//! OperationService: how long-running work goes.

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt as _;
use proto::v1 as pb;
use proto::v1::operation_service_server::OperationService;
use tonic::{Request, Response};

use super::{Answer, BoxStream, Services};
use crate::paging::Page;
use crate::status::to_status;

const WAIT_SECONDS_DEFAULT: u32 = 20;
const WAIT_SECONDS_MAX: u32 = 300;

#[async_trait]
impl OperationService for Services {
    type WatchOperationStream = BoxStream<pb::WatchOperationResponse>;

    async fn get_operation(
        &self,
        request: Request<pb::GetOperationRequest>,
    ) -> Answer<pb::GetOperationResponse> {
        let operation = self
            .operations
            .get(&request.into_inner().operation_id)
            .map_err(to_status)?;
        Ok(Response::new(pb::GetOperationResponse {
            operation: Some(operation.to_proto()),
        }))
    }

    async fn list_operations(
        &self,
        request: Request<pb::ListOperationsRequest>,
    ) -> Answer<pb::ListOperationsResponse> {
        let request = request.into_inner();
        let page = Page::new("operations", request.page_size, &request.page_token).map_err(to_status)?;
        let (operations, next_page_token) = page.cut(self.operations.list());
        let operations = operations.iter().map(|o| o.to_proto()).collect();
        Ok(Response::new(pb::ListOperationsResponse {
            operations,
            next_page_token,
        }))
    }

    async fn wait_operation(
        &self,
        request: Request<pb::WaitOperationRequest>,
    ) -> Answer<pb::WaitOperationResponse> {
        let request = request.into_inner();
        let operation = self.operations.get(&request.operation_id).map_err(to_status)?;
        let seconds = match request.timeout_seconds {
            0 => WAIT_SECONDS_DEFAULT,
            n => n.min(WAIT_SECONDS_MAX),
        };
        // Either way the answer is how the operation stands.
        let _ = tokio::time::timeout(Duration::from_secs(seconds.into()), operation.ended()).await;
        Ok(Response::new(pb::WaitOperationResponse {
            operation: Some(operation.to_proto()),
        }))
    }

    async fn watch_operation(
        &self,
        request: Request<pb::WatchOperationRequest>,
    ) -> Answer<Self::WatchOperationStream> {
        let operation = self
            .operations
            .get(&request.into_inner().operation_id)
            .map_err(to_status)?;
        let states = operation
            .watch()
            .map(|o| Ok(pb::WatchOperationResponse { operation: Some(o) }));
        Ok(Response::new(self.until_shutdown(states)))
    }

    async fn cancel_operation(
        &self,
        request: Request<pb::CancelOperationRequest>,
    ) -> Answer<pb::CancelOperationResponse> {
        let operation = self
            .operations
            .get(&request.into_inner().operation_id)
            .map_err(to_status)?;
        operation.cancel().await.map_err(to_status)?;
        Ok(Response::new(pb::CancelOperationResponse {
            operation: Some(operation.to_proto()),
        }))
    }
}

//! ScreeningService: suppliers, parties and orders before approval.

use std::sync::Arc;

use async_trait::async_trait;
use domain::Failure;
use domain::ports::{Screener, ScreeningPort};
use futures::{Stream, StreamExt as _};
use proto::v1 as pb;
use proto::v1::screening_service_server::ScreeningService;
use tonic::{Request, Response, Status, Streaming};

use super::{Answer, BoxStream, Services};
use crate::convert;
use crate::status::to_status;

/// Questions of one batch.
const BATCH_MAX: usize = 1_000;
/// So many are answered before others get their turn on the thread.
const ANSWERS_PER_TURN: usize = 16;

#[async_trait]
impl ScreeningService for Services {
    type ScreenStreamStream = BoxStream<pb::ScreenStreamResponse>;

    async fn screen(&self, request: Request<pb::ScreenRequest>) -> Answer<pb::ScreenResponse> {
        let request = request.into_inner();
        let question =
            convert::question_from_proto(request.question, self.ports.clock.today()).map_err(to_status)?;
        let screener = screener(&*self.ports.screening, request.min_snapshot).await?;
        Ok(Response::new(pb::ScreenResponse {
            screening: Some(convert::screening_to_proto(screener.screen(&question))),
        }))
    }

    async fn screen_batch(
        &self,
        request: Request<pb::ScreenBatchRequest>,
    ) -> Answer<pb::ScreenBatchResponse> {
        let request = request.into_inner();
        let asked = request.questions.len();
        if asked == 0 || asked > BATCH_MAX {
            let failure = Failure::invalid(
                "INVALID_FIELD",
                format!("questions has {asked} entries; it takes 1 to {BATCH_MAX}"),
            );
            return Err(to_status(failure.with("field", "questions")));
        }
        let today = self.ports.clock.today();
        let questions = request
            .questions
            .into_iter()
            .enumerate()
            .map(|(index, question)| {
                convert::question_from_proto(Some(question), today).map_err(|f| at(f, index))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let screener = screener(&*self.ports.screening, request.min_snapshot).await?;
        let mut screenings = Vec::with_capacity(questions.len());
        for turn in questions.chunks(ANSWERS_PER_TURN) {
            screenings.extend(
                turn.iter()
                    .map(|q| convert::screening_to_proto(screener.screen(q))),
            );
            tokio::task::yield_now().await;
        }
        Ok(Response::new(pb::ScreenBatchResponse { screenings }))
    }

    async fn screen_stream(
        &self,
        request: Request<Streaming<pb::ScreenStreamRequest>>,
    ) -> Answer<Self::ScreenStreamStream> {
        let answers = answers(self.clone(), request.into_inner());
        Ok(Response::new(self.until_shutdown(answers)))
    }
}

/// One answer a request, in order; after an error nothing more.
fn answers(
    services: Services,
    requests: Streaming<pb::ScreenStreamRequest>,
) -> impl Stream<Item = Result<pb::ScreenStreamResponse, Status>> + Send {
    futures::stream::try_unfold(
        (services, requests, 0),
        |(services, mut requests, index)| async move {
            let Some(request) = requests.message().await? else {
                return Ok(None);
            };
            let question = convert::question_from_proto(request.question, services.ports.clock.today())
                .map_err(|f| at(f, index))?;
            let screener = screener(&*services.ports.screening, request.min_snapshot).await?;
            let answer = pb::ScreenStreamResponse {
                screening: Some(convert::screening_to_proto(screener.screen(&question))),
            };
            if index % ANSWERS_PER_TURN == ANSWERS_PER_TURN - 1 {
                tokio::task::yield_now().await;
            }
            Ok(Some((answer, (services, requests, index + 1))))
        },
    )
    .boxed()
}

async fn screener(port: &dyn ScreeningPort, min_snapshot: i64) -> Result<Arc<dyn Screener>, Status> {
    if min_snapshot < 0 {
        let failure = Failure::invalid(
            "INVALID_FIELD",
            format!("min_snapshot is {min_snapshot}; they count from 0"),
        );
        return Err(to_status(failure.with("field", "min_snapshot")));
    }
    port.screener(min_snapshot).await.map_err(to_status)
}

/// The failure of one question among many.
fn at(failure: Failure, index: usize) -> Status {
    to_status(failure.with("index", index.to_string()))
}

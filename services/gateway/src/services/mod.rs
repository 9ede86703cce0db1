//! One file a service. Each parses its request, calls a port, and answers; nothing else.

mod alert;
mod collision;
mod connector;
mod graph;
mod judgements;
mod operation;
mod query;
mod schedule;
mod screening;

pub(crate) use collision::EvidenceRows;

use futures::{Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use domain::{Failure, FailureKind};

use crate::operations::Registry;
use crate::status::to_status;
use crate::{Options, Ports};

type Answer<T> = Result<tonic::Response<T>, Status>;
type BoxStream<T> = futures::stream::BoxStream<'static, Result<T, Status>>;

/// What every service shares.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) ports: Ports,
    pub(crate) options: Options,
    pub(crate) operations: Registry,
    pub(crate) shutdown: CancellationToken,
}

impl Services {
    /// Ends a stream with UNAVAILABLE when the server stops, so that its reader knows to come back.
    fn until_shutdown<T: Send + 'static>(
        &self,
        stream: impl Stream<Item = Result<T, Status>> + Send + 'static,
    ) -> BoxStream<T> {
        let shutdown = self.shutdown.clone();
        let bounded = futures::stream::unfold(
            (stream.boxed(), shutdown, false),
            |(mut stream, stop, ended)| async move {
                if ended {
                    return None;
                }
                tokio::select! {
                    biased;
                    () = stop.cancelled() => Some((Err(to_status(stopping())), (stream, stop, true))),
                    item = stream.next() => item.map(|i| {
                        let failed = i.is_err();
                        (i, (stream, stop, failed))
                    }),
                }
            },
        );
        bounded.boxed()
    }
}

fn stopping() -> Failure {
    Failure::new(
        FailureKind::Unavailable,
        "SHUTTING_DOWN",
        "the server is stopping; connect again",
    )
}

/// Refuses an absent or overlong text.
fn required<'a>(field: &str, text: &'a str, chars_max: usize) -> Result<&'a str, Failure> {
    let chars = text.chars().count();
    if chars == 0 || chars > chars_max {
        return Err(Failure::invalid(
            "INVALID_FIELD",
            format!("{field} has {chars} characters; it takes 1 to {chars_max}"),
        )
        .with("field", field));
    }
    Ok(text)
}

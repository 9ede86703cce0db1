//! No unary call runs for ever: a layer that gives each a deadline and drops the work when it passes.
//!
//! A shorter `grpc-timeout` of the caller is honoured by tonic itself, outside of this layer; a caller that goes away
//! has its call dropped by the HTTP server. Either way the future of the handler, and with it the work, is gone.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use domain::{Failure, FailureKind};
use tonic::body::Body;
use tonic::codegen::http::{Request, Response};
use tower::{Layer, Service};

use crate::policy::Methods;
use crate::status::to_status;

/// Wraps a service in [`Deadline`].
#[derive(Clone)]
pub(crate) struct DeadlineLayer {
    pub(crate) methods: Arc<Methods>,
    pub(crate) default: Duration,
}

impl<S> Layer<S> for DeadlineLayer {
    type Service = Deadline<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Deadline {
            inner,
            layer: self.clone(),
        }
    }
}

/// Cuts unary calls off at their deadline.
#[derive(Clone)]
pub(crate) struct Deadline<S> {
    inner: S,
    layer: DeadlineLayer,
}

impl<S> Service<Request<Body>> for Deadline<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let limit = self
            .layer
            .methods
            .get(request.uri().path())
            .filter(|m| m.unary)
            .map(|m| m.deadline.unwrap_or(self.layer.default));
        let call = self.inner.call(request);
        match limit {
            None => Box::pin(call),
            Some(limit) => Box::pin(async move {
                match tokio::time::timeout(limit, call).await {
                    Ok(answer) => answer,
                    Err(_) => Ok(to_status(too_long(limit)).into_http()),
                }
            }),
        }
    }
}

fn too_long(limit: Duration) -> Failure {
    let seconds = limit.as_secs_f64();
    Failure::new(
        FailureKind::DeadlineExceeded,
        "DEADLINE_EXCEEDED",
        format!("the call took longer than {seconds} s and its work was stopped; ask for less, or use a long-running operation"),
    )
    .with("deadline_seconds", seconds.to_string())
}

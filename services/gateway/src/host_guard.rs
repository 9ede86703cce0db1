//! Lets in only requests addressed to this machine, so that no web page can reach the server by a name that it makes
//! point at 127.0.0.1.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::http::{Request, Response, StatusCode, header, uri::Authority};
use tower::{Layer, Service};

/// Wraps a service in [`HostGuard`].
#[derive(Clone, Copy)]
pub(crate) struct HostGuardLayer;

impl<S> Layer<S> for HostGuardLayer {
    type Service = HostGuard<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HostGuard { inner }
    }
}

/// Answers 421 to requests for another host.
#[derive(Clone)]
pub(crate) struct HostGuard<S> {
    inner: S,
}

impl<S, B> Service<Request<B>> for HostGuard<S>
where
    S: Service<Request<B>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if is_for_this_machine(&request) {
            return Box::pin(self.inner.call(request));
        }
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::MISDIRECTED_REQUEST;
        Box::pin(std::future::ready(Ok(answer)))
    }
}

fn is_for_this_machine<B>(request: &Request<B>) -> bool {
    let named = request.uri().authority().cloned().or_else(|| {
        let host = request.headers().get(header::HOST)?;
        Authority::try_from(host.as_bytes()).ok()
    });
    // HTTP/1.1 and HTTP/2 requests name a host; one that does not comes from no browser.
    named.is_none_or(|authority| is_loopback_name(authority.host()))
}

fn is_loopback_name(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_pass() {
        let request = |host: &str| {
            Request::builder()
                .uri("/x")
                .header("host", host)
                .body(())
                .expect("valid")
        };
        for host in [
            "localhost:7070",
            "127.0.0.1:7070",
            "127.9.9.9",
            "[::1]:7070",
            "LOCALHOST",
        ] {
            assert!(is_for_this_machine(&request(host)), "{host}");
        }
        for host in [
            "evil.example:7070",
            "10.0.0.1",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
        ] {
            assert!(!is_for_this_machine(&request(host)), "{host}");
        }
        let other = Request::builder()
            .uri("http://evil.example/x")
            .body(())
            .expect("valid");
        assert!(!is_for_this_machine(&other));
    }
}

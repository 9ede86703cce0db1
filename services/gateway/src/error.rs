//! Why the gateway does not start or stops serving.

/// What can go wrong outside a single call.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("the descriptors of the API cannot be read; rebuild the binary")]
    Descriptors(#[source] prost_reflect::DescriptorError),
    #[error(
        "these methods declare no policy: {}; give each `option (lianjing.v1.policy) = \"resource.action\"` in its proto",
        .methods.join(", ")
    )]
    PolicyMissing { methods: Vec<String> },
    #[error(
        "the server will not listen on {address}: callers are not yet told apart, so only addresses of this machine are allowed; use 127.0.0.1:PORT, or an SSH tunnel to reach it from elsewhere"
    )]
    NotLoopback { address: std::net::SocketAddr },
    #[error("the listener's address cannot be read")]
    ListenerAddress(#[source] std::io::Error),
    #[error("the reflection service cannot be built from the descriptors")]
    Reflection(#[source] tonic_reflection::server::Error),
    #[error("serving failed")]
    Serve(#[source] tonic::transport::Error),
}

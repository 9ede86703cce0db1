//! What makes a connection to a vendor's connector safe: whom it trusts, as whom it appears, and the token it shows.

use std::path::Path;

use connector::factory::secret::SecretRef;
use domain::ports::Result;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
use tonic::{Request, Status};

use crate::config::{Config, wrong};

/// The endpoint as `tls` says; as it is for http://.
pub fn secured(endpoint: Endpoint, config: &Config, base: &Path) -> Result<Endpoint> {
    if !config.url.starts_with("https://") {
        return Ok(endpoint);
    }
    let read = |key: &str, path: &Path| {
        let path = base.join(path);
        std::fs::read(&path).map_err(|e| wrong(format!("key `tls.{key}`: {}: {e}", path.display())))
    };
    let mut tls = ClientTlsConfig::new();
    tls = match &config.tls.ca {
        Some(ca) => tls.ca_certificate(Certificate::from_pem(read("ca", ca)?)),
        None => tls.with_native_roots(),
    };
    if let (Some(cert), Some(key)) = (&config.tls.client_cert, &config.tls.client_key) {
        tls = tls.identity(Identity::from_pem(
            read("client_cert", cert)?,
            read("client_key", key)?,
        ));
    }
    if let Some(name) = &config.tls.server_name {
        tls = tls.domain_name(name);
    }
    endpoint
        .tls_config(tls)
        .map_err(|e| wrong(format!("`tls`: {}", domain::Failure::internal(&e).message)))
}

/// Shows the token with each call, if there is one.
#[derive(Clone)]
pub struct Token(Option<MetadataValue<Ascii>>);

impl Token {
    pub fn new(secret: Option<&SecretRef>, base: &Path) -> Result<Self> {
        let Some(secret) = secret else {
            return Ok(Self(None));
        };
        let secret = secret
            .resolve(base)
            .map_err(|e| wrong(format!("key `token`: {e}")))?;
        let mut shown: MetadataValue<Ascii> = format!("Bearer {}", secret.reveal())
            .parse()
            .map_err(|_| wrong("key `token`: it has characters that no header may have".to_owned()))?;
        shown.set_sensitive(true);
        Ok(Self(Some(shown)))
    }
}

impl Interceptor for Token {
    fn call(&mut self, mut request: Request<()>) -> std::result::Result<Request<()>, Status> {
        if let Some(shown) = &self.0 {
            request.metadata_mut().insert("authorization", shown.clone());
        }
        Ok(request)
    }
}

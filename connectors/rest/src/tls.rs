//! The TLS side of the client: whom to trust, and as whom to appear.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::config::Tls;
use crate::error::RestError;

/// The configuration for a source that is not encrypted: it trusts nobody, and the system's authorities need not be read.
pub fn unused() -> Result<ClientConfig, RestError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| RestError::Tls {
        path: "the TLS provider".to_owned(),
        what: e.to_string(),
    })?;
    Ok(builder
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth())
}

/// The configuration for one source. Reads the files now, so that renewed certificates are used from the next sync on.
pub fn client_config(tls: &Tls, base: &Path) -> Result<ClientConfig, RestError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let wrong = |path: &str, what: String| RestError::Tls {
        path: path.to_owned(),
        what,
    };
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|e| wrong("the TLS provider", e.to_string()))?;
    let builder = match &tls.ca {
        Some(ca) if !tls.system_roots => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates(ca, base)? {
                roots
                    .add(certificate)
                    .map_err(|e| wrong(ca, format!("holds a certificate that is no authority: {e}")))?;
            }
            builder.with_root_certificates(roots)
        }
        ca => {
            let extra = ca
                .as_ref()
                .map(|ca| certificates(ca, base))
                .transpose()?
                .unwrap_or_default();
            let verifier = Verifier::new_with_extra_roots(extra, provider)
                .map_err(|e| wrong("the system's list of authorities", format!("cannot be used: {e}")))?;
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(verifier))
        }
    };
    match (&tls.client_cert, &tls.client_key) {
        (Some(cert), Some(key)) => {
            let chain = certificates(cert, base)?;
            let private = PrivateKeyDer::from_pem_file(base.join(key)).map_err(|_| {
                wrong(
                    key,
                    "is no readable private key in PEM without a password".to_owned(),
                )
            })?;
            builder
                .with_client_auth_cert(chain, private)
                .map_err(|e| wrong(cert, format!("does not fit its key: {e}")))
        }
        _ => Ok(builder.with_no_client_auth()),
    }
}

fn certificates(path: &str, base: &Path) -> Result<Vec<CertificateDer<'static>>, RestError> {
    let wrong = |what: &str| RestError::Tls {
        path: path.to_owned(),
        what: what.to_owned(),
    };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(base.join(path))
        .map_err(|_| wrong("cannot be read; give a file of PEM certificates"))?
        .collect();
    match certificates {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(wrong("holds no PEM certificate")),
    }
}

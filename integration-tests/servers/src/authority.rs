//! A private certificate authority, for tests of connections that trust it alone.

use std::io::{Error, Result};
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// Writes `ca.pem` of a new authority, and of it `server.pem` and `server.key` for `server_name`, `client.pem` and
/// `client.key` for a client.
pub fn write_certificates(dir: &Path, server_name: &str) -> Result<()> {
    let mut authority = CertificateParams::new(Vec::new()).map_err(Error::other)?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().map_err(Error::other)?;
    let authority = CertifiedIssuer::self_signed(authority, key).map_err(Error::other)?;
    std::fs::write(dir.join("ca.pem"), authority.pem())?;
    for (name, host) in [("server", server_name), ("client", "hospital")] {
        let key = KeyPair::generate().map_err(Error::other)?;
        let params = CertificateParams::new(vec![host.to_owned()]).map_err(Error::other)?;
        let certificate = params.signed_by(&key, &authority).map_err(Error::other)?;
        std::fs::write(dir.join(format!("{name}.pem")), certificate.pem())?;
        std::fs::write(dir.join(format!("{name}.key")), key.serialize_pem())?;
    }
    Ok(())
}

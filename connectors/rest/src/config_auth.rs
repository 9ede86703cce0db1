//! How requests are authorised, as the TOML file writes it.

use std::collections::BTreeMap;
use std::time::Duration;

use connector::factory::secret::SecretRef;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::span::Span;

/// How requests are authorised.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Auth {
    #[default]
    None,
    Header(HeaderAuth),
    Query(QueryAuth),
    Basic(BasicAuth),
    Oauth2(Oauth2),
    Signed(Signed),
}

/// A secret in a header.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderAuth {
    /// The header, e.g. `Authorization`.
    pub name: String,
    /// What stands before the secret, e.g. `Bearer ` with its space.
    #[serde(default)]
    pub prefix: String,
    /// The secret, by reference.
    pub value: SecretRef,
}

/// A secret in the query.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryAuth {
    /// The query parameter, e.g. `appKey`.
    pub name: String,
    /// The secret, by reference.
    pub value: SecretRef,
}

/// User and password (RFC 7617).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// The user's name.
    pub user: String,
    /// The password, by reference.
    pub password: SecretRef,
}

/// OAuth 2.0 client credentials (RFC 6749, 4.4). The token is kept until it expires, and asked for once more
/// when the platform says 401.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2 {
    /// Where tokens are given: a path below `base_url`, or a whole URL.
    pub token_url: String,
    /// The client's public name.
    pub client_id: String,
    /// The client's secret, by reference.
    pub client_secret: SecretRef,
    /// What the token is to be good for, as the platform calls it.
    pub scope: Option<String>,
    /// How the client shows itself: `form` (id and secret in a form, the default), `basic`, or `json`.
    #[serde(default)]
    pub client_auth: ClientAuth,
    /// Further members of the token request.
    #[serde(default)]
    pub extra: BTreeMap<String, String>,
    /// Where the answer holds the token.
    #[serde(default = "access_token")]
    pub token: String,
    /// Where the answer holds the token's life in seconds; without it the token is kept until a 401.
    #[serde(default = "expires_in")]
    pub expires_in: String,
    /// How long before its end a token is given up.
    #[serde(default = "early")]
    pub early: Span,
    /// Header that carries the token.
    #[serde(default = "authorization")]
    pub header: String,
    /// What stands before the token.
    #[serde(default = "bearer")]
    pub prefix: String,
}

/// How an OAuth 2.0 client shows itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ClientAuth {
    #[default]
    Form,
    Basic,
    Json,
}

/// Requests signed with a shared secret, each try anew. The placeholders of `canonical`, `headers` and `query` are `{app_id}`,
/// `{timestamp}`, `{nonce}`, `{method}`, `{path}`, `{query}`, `{params}`, `{body}`, `{body_digest}`, `{secret}`
/// (only in `canonical`) and `{signature}` (not in `canonical`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// `hmac-sha256` or `hmac-sm3`; or `sha256` or `sm3`, plain digests for which `{secret}` stands in `canonical`.
    pub algorithm: Algorithm,
    /// The shared secret, by reference.
    pub secret: SecretRef,
    /// The public name of the caller.
    #[serde(default)]
    pub app_id: String,
    /// What is signed, e.g. `{method}\n{path}\n{params}\n{timestamp}\n{nonce}\n{body_digest}`. `{query}` is the query as
    /// `a=1&b=2`, sorted by name; `{params}` the same with the form's fields, or the plain members of a JSON body's
    /// first level, sorted in. Query parameters that the signature adds are in both, but for the one that carries it.
    pub canonical: String,
    /// How the signature is written.
    #[serde(default)]
    pub encoding: Encoding,
    /// `epoch_ms` (the default), `epoch_s`, `rfc3339`, or a pattern such as `%Y%m%d%H%M%S` in the source's time zone.
    #[serde(default = "epoch_ms")]
    pub timestamp: String,
    /// Whether values are percent-encoded in `{query}` and `{params}`.
    #[serde(default)]
    pub percent_encode: bool,
    /// Whether parameters without a value are left out of `{query}` and `{params}`.
    #[serde(default = "yes")]
    pub skip_empty: bool,
    /// Headers to add: `{ "X-Sign" = "{signature}" }`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Query parameters to add.
    #[serde(default)]
    pub query: BTreeMap<String, String>,
}

/// How a request is signed. `sha256` and `sm3` are plain digests: put `{secret}` into `canonical`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Algorithm {
    #[serde(rename = "hmac-sha256")]
    HmacSha256,
    #[serde(rename = "hmac-sm3")]
    HmacSm3,
    #[serde(rename = "sha256")]
    Sha256,
    #[serde(rename = "sm3")]
    Sm3,
}

/// How a signature is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    #[default]
    Hex,
    HexUpper,
    Base64,
}

fn access_token() -> String {
    "$.access_token".to_owned()
}
fn expires_in() -> String {
    "$.expires_in".to_owned()
}
fn early() -> Span {
    Span(Duration::from_secs(60))
}
fn authorization() -> String {
    "Authorization".to_owned()
}
fn bearer() -> String {
    "Bearer ".to_owned()
}
fn epoch_ms() -> String {
    "epoch_ms".to_owned()
}
fn yes() -> bool {
    true
}

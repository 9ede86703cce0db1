//! The configuration of one platform as its TOML file writes it, with the JSON Schema that describes it.
//!
//! Only shapes here: names are looked up, templates and selectors parsed in [`plan`](crate::plan). The comments
//! of the fields are the descriptions in the schema and in `docs/connectors/platform-rest.md`.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use connector::mapping::written::{RawColumn, RawRow, Scalar};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, de};

use crate::secret::SecretRef;

/// One platform.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name that the rows carry as `_source`.
    pub source: Option<String>,
    /// Zone of times that have none: `Asia/Shanghai` (the default), `UTC`, `+08:00`.
    pub time_zone: Option<String>,
    /// Share of quarantined rows above which a sync fails, e.g. `1%`.
    pub quarantine_limit: Option<String>,
    /// Texts that mean "no value" in every stream.
    #[serde(default)]
    pub nulls: Vec<String>,
    /// What all paths are below, e.g. `https://api.example.gov.cn/open/v1`.
    pub base_url: String,
    /// Must be true for a `base_url` that starts with `http://`: everything, secrets too, then travels in the clear.
    #[serde(default)]
    pub allow_http: bool,
    /// A proxy, e.g. `http://10.0.0.5:3128`. Proxies of the environment are not used.
    pub proxy: Option<String>,
    /// Headers of every request; no secrets here, use `auth`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Whom to trust, and as whom to appear.
    #[serde(default)]
    pub tls: Tls,
    /// How requests are authorised.
    #[serde(default)]
    pub auth: Auth,
    /// How hard the platform may be asked, and how long to wait.
    #[serde(default)]
    pub limits: Limits,
    /// For platforms that answer HTTP 200 with a code of their own: `{"code": 500, "msg": "..."}`.
    pub envelope: Option<Envelope>,
    /// What to read, in this order.
    pub stream: Vec<Stream>,
    /// Rows that the platform does not hold, such as the hospital itself.
    #[serde(default)]
    pub rows: Vec<RawRow>,
}

/// Transport security. TLS 1.2 or newer.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file with the certificates of a private authority; only these are trusted then.
    pub ca: Option<String>,
    /// With `ca`: trust the system's authorities besides.
    pub system_roots: bool,
    /// PEM file with the client certificate and its chain.
    pub client_cert: Option<String>,
    /// PEM file with the client certificate's key, without a password.
    pub client_key: Option<String>,
}

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
    pub value: SecretRef,
}

/// A secret in the query.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct QueryAuth {
    /// The query parameter, e.g. `appKey`.
    pub name: String,
    pub value: SecretRef,
}

/// User and password (RFC 7617).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    pub user: String,
    pub password: SecretRef,
}

/// OAuth 2.0 client credentials (RFC 6749, 4.4). The token is kept until it expires, and asked for once more
/// when the platform says 401.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Oauth2 {
    /// Where tokens are given: a path below `base_url`, or a whole URL.
    pub token_url: String,
    pub client_id: String,
    pub client_secret: SecretRef,
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

/// Requests signed with a shared secret. The placeholders of `canonical`, `headers` and `query` are `{app_id}`,
/// `{timestamp}`, `{nonce}`, `{method}`, `{path}`, `{query}`, `{params}`, `{body}`, `{body_digest}`, `{secret}`
/// (only in `canonical`) and `{signature}` (not in `canonical`).
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    pub algorithm: Algorithm,
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

/// Limits. Spans are written as `500ms`, `30s`, `10m`, `24h`, `7d`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests in a minute, tries included.
    pub requests_per_minute: u32,
    /// How many of them may come at once.
    pub burst: u32,
    /// How often one request is tried when the failure may pass.
    pub tries: u32,
    /// Longest wait before the second try; doubles with each try. The wait is drawn evenly from zero to it.
    pub retry_first: Span,
    /// Longest wait between tries, `retry-after` aside.
    pub retry_cap: Span,
    /// Longest `retry-after` that is waited for; a longer one ends the sync.
    pub retry_after_max: Span,
    pub connect_timeout: Span,
    /// Longest silence while an answer comes.
    pub read_timeout: Span,
    /// Longest time that one answer may take, from the first byte of the request to the last of the answer.
    pub total_timeout: Span,
    /// Largest answer, unpacked.
    pub body_bytes_max: u64,
    /// Most pages in one pass over a list or a window.
    pub pages_max: u64,
    /// How often a list that moves while it is read is read again, at most.
    pub passes_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = |n| Span(Duration::from_secs(n));
        Self {
            requests_per_minute: 300,
            burst: 5,
            tries: 5,
            retry_first: seconds(1),
            retry_cap: seconds(60),
            retry_after_max: seconds(600),
            connect_timeout: seconds(10),
            read_timeout: seconds(30),
            total_timeout: seconds(120),
            body_bytes_max: 64 << 20,
            pages_max: 100_000,
            passes_max: 6,
        }
    }
}

/// The platform's own code in each answer.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// Where the code is, e.g. `$.code`.
    pub code: String,
    /// Codes that mean success: `[0, 200]`. Any other code is a failure.
    pub success: Vec<Scalar>,
    /// Where the platform says what is wrong, e.g. `$.msg`.
    pub message: Option<String>,
    /// Codes of failures that may pass.
    #[serde(default = "transient_codes")]
    pub transient: Vec<Scalar>,
    /// Codes that say that the token has expired.
    #[serde(default = "expired_codes")]
    pub expired: Vec<Scalar>,
}

/// One list of the platform, read into one dataset.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Its name, which must never change: how far it was read is kept under it. The dataset's when left out.
    pub name: Option<String>,
    /// Dataset that the rows belong to.
    pub dataset: String,
    pub request: Request,
    pub response: Response,
    /// How the list is cut into pages.
    #[serde(default)]
    pub pagination: Pagination,
    /// How only what is new is read; without it every sync reads the whole list.
    pub incremental: Option<Incremental>,
    /// A list that is read whole is left alone until its last reading is this old.
    pub reread_after: Option<Span>,
    /// How the keys of all rows are listed, for finding rows that were deleted. Without it the whole list is read.
    pub keys: Option<Keys>,
    /// Texts that mean "no value" in this stream.
    #[serde(default)]
    pub nulls: Vec<String>,
    /// Paths of members that are known and not wanted.
    #[serde(default)]
    pub ignore: Vec<String>,
    /// Mapped columns whose member the platform leaves out when it has no value. A record that lacks any other mapped
    /// member is quarantined.
    #[serde(default)]
    pub optional: Vec<String>,
    /// Dataset column -> path of a member, or a table as in the mapping of files.
    #[serde(default)]
    pub columns: BTreeMap<String, RawColumn>,
}

/// What is asked. Templates may hold `{from}`, `{to}`, `{cursor}`, `{token}`, `{page}`, `{page_size}` and `{offset}`; a
/// query parameter, form field or header whose placeholder has no value is left out.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Request {
    #[serde(default)]
    pub method: Method,
    /// Below `base_url`.
    pub path: String,
    #[serde(default)]
    pub query: BTreeMap<String, Scalar>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body. A quoted placeholder without a value, `"{token}"`, becomes null.
    pub body: Option<String>,
    /// The fields of a form, instead of `body`.
    #[serde(default)]
    pub form: BTreeMap<String, Scalar>,
}

/// How data are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Get,
    Post,
}

/// Where things are in an answer. Selectors are JSONPath (RFC 9535), `$.data.list[*]`, or a path, `data.list`.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// The records, or the list of them.
    pub records: String,
    /// Each record holds a list at this member, and each of its elements is a row, with the record's other members
    /// beside it: with `lines = "items"` a column may be `items.sku` or `orderNo`.
    pub lines: Option<String>,
    /// How many records the platform announces.
    pub total: Option<String>,
    /// Whether the announced number is to be believed: `exact` (the default), or `estimate`: a difference is then only told.
    #[serde(default)]
    pub total_is: TotalIs,
    /// Whether more pages follow.
    pub has_more: Option<String>,
    /// Whether an answer without the list, or with null in its place, means "no records" rather than a fault.
    #[serde(default)]
    pub empty_when_missing: bool,
    /// Encoding of the text, e.g. `gb18030`, for platforms that do not say it in their header. UTF-8 otherwise.
    pub encoding: Option<String>,
}

/// Whether an announced number is to be believed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TotalIs {
    #[default]
    Exact,
    Estimate,
}

/// How a list is cut into pages.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Pagination {
    /// The whole list is one answer.
    #[default]
    None,
    /// Pages with numbers, `{page}`: until an empty page, or as many as `pages`, `total` or `has_more` say.
    Page(PagePagination),
    /// `{offset}` records are passed over.
    Offset(OffsetPagination),
    /// Each answer holds the token of the next page, `{token}`.
    Token(TokenPagination),
    /// The header `Link` with `rel="next"` (RFC 8288).
    Link(LinkPagination),
    /// Each answer holds the URL of the next page.
    NextUrl(NextUrlPagination),
    /// The next page starts at the last `{cursor}` value of this one. Needs `incremental` of kind `cursor` and a list in
    /// ascending order of it.
    Keyset(KeysetPagination),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PagePagination {
    /// Number of the first page.
    #[serde(default = "one")]
    pub first: u64,
    /// Records on a page, `{page_size}`.
    #[serde(default = "hundred")]
    pub size: u64,
    /// Where an answer holds the number of pages.
    pub pages: Option<String>,
    #[serde(default)]
    pub verify: Verify,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OffsetPagination {
    /// Records on a page, `{page_size}`. The next offset counts the records that came, so a smaller page does no harm.
    #[serde(default = "hundred")]
    pub size: u64,
    #[serde(default)]
    pub verify: Verify,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenPagination {
    /// Where an answer holds the token of the next page; none there, null or empty: the end.
    pub next: String,
    /// Records on a page, `{page_size}`.
    #[serde(default = "hundred")]
    pub size: u64,
    #[serde(default = "no_verify")]
    pub verify: Verify,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkPagination {
    /// Records on a page, `{page_size}`.
    #[serde(default = "hundred")]
    pub size: u64,
    #[serde(default)]
    pub verify: Verify,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NextUrlPagination {
    /// Where an answer holds the URL of the next page, whole or relative; on the same host.
    pub next: String,
    /// Records on a page, `{page_size}`.
    #[serde(default = "hundred")]
    pub size: u64,
    #[serde(default)]
    pub verify: Verify,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysetPagination {
    /// Records on a page, `{page_size}`; no more than the platform gives.
    #[serde(default = "hundred")]
    pub size: u64,
}

/// What is done against rows that slip from one page to another while a list of several pages is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// The list is read until two passes agree, and only then are its rows handed over.
    #[default]
    Stable,
    /// Nothing: for pages that cannot slip.
    None,
}

/// How only what is new is read.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Incremental {
    /// Spans of time, `{from}` and `{to}`, one after another up to the start of the sync.
    Window(Window),
    /// Everything from the last value of a member on, `{cursor}`.
    Cursor(Cursor),
    /// A feed of changes that goes on from the last token, `{token}`.
    Feed(Feed),
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// Where the first sync starts: `2023-01-01`, or with a time.
    pub start: String,
    /// Length of one window; the smaller, the less is read again after an interruption.
    pub length: Span,
    /// How far before the last bound the next sync starts: rows that the platform commits late are found within it.
    pub look_back: Span,
    /// How far before the start of the sync the last window ends.
    #[serde(default = "five_minutes")]
    pub safety_lag: Span,
    /// By how much a window reaches back into the one before it, so that a bound belongs to one of them whatever the
    /// platform takes `{from}` and `{to}` for.
    #[serde(default = "one_second")]
    pub overlap: Span,
    /// How times are written: `rfc3339`, `epoch_ms`, `epoch_s`, or a pattern such as `%Y-%m-%d %H:%M:%S` in the source's zone.
    pub format: String,
    /// Path of the member that the platform filters by; rows outside their window are then told.
    pub field: Option<String>,
    /// A window with more records than this is halved until it has not: for platforms that end lists there.
    pub split_over: Option<u64>,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Path of the member whose greatest value is kept.
    pub field: String,
    /// How its values are written: `number`, `rfc3339`, `epoch_ms`, `epoch_s`, or a pattern such as `%Y-%m-%d %H:%M:%S`.
    pub format: String,
    /// Where the first sync starts, in that format; from the beginning when left out.
    pub start: Option<Scalar>,
    /// How far before the last value the next sync starts: a span, or for numbers a number.
    pub look_back: Scalar,
    /// How far before the start of the sync the kept value stays behind, for times.
    #[serde(default = "five_minutes")]
    pub safety_lag: Span,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Feed {
    /// The first token; none when left out.
    pub start: Option<String>,
}

/// How the keys of all rows are listed. What is left out is as in the stream.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    pub request: Request,
    pub response: Response,
    #[serde(default)]
    pub pagination: Pagination,
    /// The key columns, where they are called otherwise than in the stream.
    #[serde(default)]
    pub columns: BTreeMap<String, RawColumn>,
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
fn one() -> u64 {
    1
}
fn hundred() -> u64 {
    100
}
fn no_verify() -> Verify {
    Verify::None
}
fn five_minutes() -> Span {
    Span(Duration::from_secs(300))
}
fn one_second() -> Span {
    Span(Duration::from_secs(1))
}
fn codes(codes: &[&str]) -> Vec<Scalar> {
    codes.iter().map(|c| Scalar((*c).to_owned())).collect()
}
fn transient_codes() -> Vec<Scalar> {
    codes(&["408", "425", "429", "500", "502", "503", "504"])
}
fn expired_codes() -> Vec<Scalar> {
    codes(&["401"])
}

/// A span of time, written as `500ms`, `30s`, `10m`, `24h` or `7d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// None when the text is no span.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let count: u64 = text[..digits].parse().ok()?;
        let unit_ms: u64 = match &text[digits..] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        Some(Self(Duration::from_millis(count.checked_mul(unit_ms)?)))
    }

    pub fn micros(self) -> i64 {
        i64::try_from(self.0.as_micros()).unwrap_or(i64::MAX)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            de::Error::custom(format!(
                "{text:?} is no span of time such as \"500ms\", \"30s\", \"10m\", \"24h\", \"7d\""
            ))
        })
    }
}

impl serde::Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ms = self.0.as_millis();
        let text = match ms {
            ms if ms > 0 && ms % 86_400_000 == 0 => format!("{}d", ms / 86_400_000),
            ms if ms > 0 && ms % 3_600_000 == 0 => format!("{}h", ms / 3_600_000),
            ms if ms > 0 && ms % 60_000 == 0 => format!("{}m", ms / 60_000),
            ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
            ms => format!("{ms}ms"),
        };
        serializer.serialize_str(&text)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9]+(ms|s|m|h|d)$" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans() {
        for (text, ms) in [("0s", 0), ("250ms", 250), ("10m", 600_000), ("24h", 86_400_000), ("7d", 604_800_000)] {
            assert_eq!(Span::parse(text), Some(Span(Duration::from_millis(ms))), "{text}");
        }
        for text in ["", "5", "s", "1.5s", "-1s", "1 s", "1w", "99999999999999999999d"] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
    }
}

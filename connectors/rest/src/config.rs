//! The configuration of one platform as its TOML file writes it, with the JSON Schema that describes it.
//!
//! Only shapes here: names are looked up, templates and selectors parsed in [`plan`](crate::plan). The comments
//! of the fields are the descriptions in the schema and in `docs/connectors/platform-rest.md`.

use std::collections::BTreeMap;
use std::time::Duration;

use connector::mapping::written::{RawColumn, RawRow, Scalar};
use schemars::JsonSchema;
use serde::Deserialize;

pub use crate::config_auth::{
    Algorithm, Auth, BasicAuth, ClientAuth, Encoding, HeaderAuth, Oauth2, QueryAuth, Signed,
};
pub use crate::span::Span;

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
    /// Longest time until a connection stands.
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
    /// What is asked.
    pub request: Request,
    /// Where things are in the answer.
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
    /// `GET` (the default) or `POST`; both only read.
    #[serde(default)]
    pub method: Method,
    /// Below `base_url`.
    pub path: String,
    /// Query parameters: `{ page = "{page}", type = 3 }`.
    #[serde(default)]
    pub query: BTreeMap<String, Scalar>,
    /// Headers of this request only.
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
    /// `stable` (the default): the list is read until two passes agree. `none`: once.
    #[serde(default)]
    pub verify: Verify,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OffsetPagination {
    /// Records on a page, `{page_size}`. The next offset counts the records that came, so a smaller page does no harm.
    #[serde(default = "hundred")]
    pub size: u64,
    /// `stable` (the default): the list is read until two passes agree. `none`: once.
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
    /// `none` (the default): the list is read once. `stable`: until two passes agree.
    #[serde(default = "no_verify")]
    pub verify: Verify,
}

#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkPagination {
    /// Records on a page, `{page_size}`.
    #[serde(default = "hundred")]
    pub size: u64,
    /// `stable` (the default): the list is read until two passes agree. `none`: once.
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
    /// `stable` (the default): the list is read until two passes agree. `none`: once.
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

/// How the keys of all rows are listed.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// What is asked.
    pub request: Request,
    /// Where things are in the answer.
    pub response: Response,
    /// How the list of keys is cut into pages.
    #[serde(default)]
    pub pagination: Pagination,
    /// The key columns, where they are called otherwise than in the stream.
    #[serde(default)]
    pub columns: BTreeMap<String, RawColumn>,
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

//! What stops a sync of a platform, and what each failure asks its reader to do.

use std::time::Duration;

use connector::factory::secret::SecretError;
use domain::{Failure, FailureKind};

use crate::span::Span;

#[derive(Debug, thiserror::Error)]
pub enum RestError {
    #[error("the configuration is wrong: {message}")]
    Config { message: String },
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error("{path}, named under tls, {what}")]
    Tls { path: String, what: String },
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),

    // === What the platform refuses ===
    #[error(
        "{request}: the platform does not accept the credentials ({said}); check auth and the machine's clock"
    )]
    Unauthorized { request: String, said: String },
    #[error("{request}: the platform forbids it ({said}); ask its operator for the right to this interface")]
    Forbidden { request: String, said: String },
    #[error(
        "{request}: there is no such interface any more (HTTP 404); check the path, or ask the operator where it went"
    )]
    Lost { request: String },
    #[error(
        "{request}: the platform no longer holds what follows the last position ({said}); `lianjing source reset NAME \
         --stream {}` has the stream read from the start",
        stream_of(request)
    )]
    PositionGone { request: String, said: String },
    #[error("{request}: the platform refuses the request ({said}); check path, query and body")]
    Refused { request: String, said: String },
    #[error(
        "{request}: the platform answers with its code {code} ({said}); see its documentation, and list the code under envelope if it is success or may pass"
    )]
    Platform {
        request: String,
        code: String,
        said: String,
    },
    #[error("{request}: the answer points to {target}, another host; credentials are not sent there")]
    OtherHost { request: String, target: String },

    #[error(
        "stream {stream}: {absent}; the records have {members}; correct columns or incremental.field, or list under \
         optional what the platform leaves out"
    )]
    Absent {
        stream: String,
        absent: String,
        members: String,
    },

    // === What may pass ===
    #[error("{request}: too many requests, {tries} tries; lower limits.requests_per_minute")]
    RateLimited {
        request: String,
        tries: u32,
        retry_after: Option<Duration>,
    },
    #[error(
        "{request}: the platform asks to wait {}, longer than limits.retry_after_max ({}); it said {said}",
        Span(*asked).words(),
        Span(*longest).words()
    )]
    AsksToWait {
        request: String,
        said: String,
        asked: Duration,
        longest: Duration,
        /// Because it was asked too often, and not because it is out of order.
        is_rate: bool,
    },
    #[error("{request}: the platform is out of order ({said}), {tries} tries")]
    Unavailable {
        request: String,
        said: String,
        tries: u32,
    },
    #[error("{request}: no connection, or it broke ({said}), {tries} tries")]
    Network {
        request: String,
        said: String,
        tries: u32,
    },
    #[error("{request}: no whole answer in time ({said}), {tries} tries")]
    Timeout {
        request: String,
        said: String,
        tries: u32,
    },
    #[error("{request}: the answer is no whole JSON document ({said}), {tries} tries")]
    Unreadable {
        request: String,
        said: String,
        tries: u32,
    },

    // === What the answers do not hold together ===
    #[error(
        "{request}: the answer has more than {bytes_max} bytes; ask for smaller pages, or raise limits.body_bytes_max"
    )]
    TooLarge { request: String, bytes_max: u64 },
    #[error(
        "{request}: {what}; check response.{selector}, or ask the operator what has changed{}",
        hint(outline, *is_bare)
    )]
    Shape {
        request: String,
        selector: &'static str,
        what: String,
        /// What the answer looks like, without its records.
        outline: String,
        /// There is no `envelope`, so that a refusal under HTTP 200 looks like this too.
        is_bare: bool,
    },
    #[error(
        "stream {stream}: the list moved during each of {passes} passes, the last two differ in {differing} records; read it at a quieter time, or in windows"
    )]
    Unstable {
        stream: String,
        passes: u32,
        differing: usize,
    },
    #[error(
        "stream {stream}: the platform announces {announced} records and gives {received}; if its number is an estimate, say response.total_is = \"estimate\""
    )]
    TotalMismatch {
        stream: String,
        announced: u64,
        received: u64,
    },
    #[error(
        "{request}: the same page came twice, so the platform does not turn pages as configured; name response.total or pagination.pages, or check the page parameter"
    )]
    PageRepeated { request: String },
    #[error("stream {stream}: more than {pages_max} pages; read it in windows, or raise limits.pages_max")]
    TooManyPages { stream: String, pages_max: u64 },
    #[error("stream {stream}: the list is not in ascending order of {field}, which keyset pagination needs")]
    Unsorted { stream: String, field: String },
    #[error(
        "stream {stream}: more records follow, but none on the page has a {field} that can be read, so the next page \
         cannot be asked for; the records have {members}; correct incremental.field or incremental.format"
    )]
    CursorUnreadable {
        stream: String,
        field: String,
        members: String,
    },
    #[error(
        "stream {stream}: more than {size} records have the {field} {value}, so the next page cannot be asked for; raise pagination.size"
    )]
    CursorStuck {
        stream: String,
        field: String,
        value: String,
        size: u64,
    },
    #[error(
        "stream {stream}: its position {position} does not fit the configuration ({what}); after changing how it is read, \
         `lianjing source reset NAME --stream {stream}` has it read from the start"
    )]
    BadPosition {
        stream: String,
        position: String,
        what: String,
    },
    #[error("stream {stream}: {rows} records have no readable key, so the list of keys has holes")]
    KeysIncomplete { stream: String, rows: u64 },
    #[error("stream {stream}: a feed of changes is no list of keys; give the stream a `keys` table")]
    KeysUnknown { stream: String },

    // === Ourselves ===
    #[error("the raw copy of {name} could not be kept: {source}")]
    Keep {
        name: String,
        #[source]
        source: Failure,
    },
    #[error("the raw copy of {name} could not be read again")]
    ReadAgain {
        name: String,
        #[source]
        source: std::io::Error,
    },
    #[error("the rows of {name} could not be put together")]
    Assemble {
        name: String,
        #[source]
        source: arrow::error::ArrowError,
    },
    #[error("reading stopped unexpectedly")]
    Stopped,
    #[error("the sync was cancelled")]
    Cancelled,
}

/// The stream that a request is of: it is named first.
fn stream_of(request: &str) -> &str {
    request.split(' ').next().unwrap_or(request)
}

/// What the answer looks like, and that it may be a refusal.
fn hint(outline: &str, is_bare: bool) -> String {
    let envelope = if is_bare {
        "; if that is the platform's own code of a refusal, say under envelope where the code is and which mean success"
    } else {
        ""
    };
    match outline {
        "" => String::new(),
        outline => format!("; the answer is {outline}{envelope}"),
    }
}

impl RestError {
    /// Whether only this stream is concerned, so that the others can be read.
    pub fn is_of_the_stream(&self) -> bool {
        matches!(
            self,
            Self::Forbidden { .. }
                | Self::Lost { .. }
                | Self::PositionGone { .. }
                | Self::Refused { .. }
                | Self::Platform { .. }
                | Self::OtherHost { .. }
                | Self::Absent { .. }
                | Self::TooLarge { .. }
                | Self::Shape { .. }
                | Self::Unstable { .. }
                | Self::TotalMismatch { .. }
                | Self::PageRepeated { .. }
                | Self::TooManyPages { .. }
                | Self::Unsorted { .. }
                | Self::CursorUnreadable { .. }
                | Self::CursorStuck { .. }
                | Self::BadPosition { .. }
        )
    }

    pub fn config(message: impl Into<String>) -> Self {
        Self::Config {
            message: message.into(),
        }
    }
}

impl From<RestError> for Failure {
    fn from(error: RestError) -> Self {
        use FailureKind::{
            Cancelled, DeadlineExceeded, Exhausted, Internal, Invalid, NotFound, Precondition, Unavailable,
        };
        let (kind, reason) = match &error {
            RestError::Config { .. } => (Invalid, "CONFIG_INVALID"),
            RestError::Secret(_) => (Invalid, "SECRET_UNREADABLE"),
            RestError::Tls { .. } => (Invalid, "TLS_INVALID"),
            RestError::Client(_) => (Invalid, "CLIENT_INVALID"),
            RestError::Unauthorized { .. } => (Precondition, "UNAUTHORIZED"),
            RestError::Forbidden { .. } => (Precondition, "FORBIDDEN"),
            RestError::Lost { .. } => (NotFound, "STREAM_LOST"),
            RestError::PositionGone { .. } => (Precondition, "POSITION_GONE"),
            RestError::Refused { .. } => (Invalid, "REQUEST_REFUSED"),
            RestError::Platform { .. } => (Precondition, "PLATFORM_REFUSED"),
            RestError::Absent { .. } => (Invalid, "COLUMNS_INVALID"),
            RestError::OtherHost { .. } => (Precondition, "OTHER_HOST"),
            RestError::AsksToWait { is_rate: true, .. } => (Exhausted, "RATE_LIMITED"),
            RestError::AsksToWait { .. } => (Unavailable, "SOURCE_UNAVAILABLE"),
            RestError::RateLimited { .. } => (Exhausted, "RATE_LIMITED"),
            RestError::Unavailable { .. } => (Unavailable, "SOURCE_UNAVAILABLE"),
            RestError::Network { .. } => (Unavailable, "SOURCE_UNREACHABLE"),
            RestError::Timeout { .. } => (DeadlineExceeded, "SOURCE_TIMEOUT"),
            RestError::Unreadable { .. } => (Unavailable, "RESPONSE_UNREADABLE"),
            RestError::TooLarge { .. } => (Precondition, "RESPONSE_TOO_LARGE"),
            RestError::Shape { .. } => (Precondition, "RESPONSE_SHAPE"),
            RestError::Unstable { .. } => (Unavailable, "PAGES_UNSTABLE"),
            RestError::TotalMismatch { .. } => (Unavailable, "TOTAL_MISMATCH"),
            RestError::PageRepeated { .. } => (Precondition, "PAGE_REPEATED"),
            RestError::TooManyPages { .. } => (Precondition, "TOO_MANY_PAGES"),
            RestError::Unsorted { .. } => (Precondition, "UNSORTED"),
            RestError::CursorUnreadable { .. } => (Invalid, "CURSOR_UNREADABLE"),
            RestError::CursorStuck { .. } => (Precondition, "CURSOR_STUCK"),
            RestError::BadPosition { .. } => (Precondition, "POSITION_INVALID"),
            RestError::KeysIncomplete { .. } => (Precondition, "KEYS_INCOMPLETE"),
            RestError::KeysUnknown { .. } => (Invalid, "KEYS_UNSUPPORTED"),
            RestError::Keep { source, .. } => (source.kind, source.reason),
            RestError::ReadAgain { .. } => (Unavailable, "RAW_UNREADABLE"),
            RestError::Assemble { .. } | RestError::Stopped => (Internal, "INTERNAL"),
            RestError::Cancelled => (Cancelled, "CANCELLED"),
        };
        let failure = Failure::new(kind, reason, Failure::internal(&error).message);
        match error {
            RestError::AsksToWait { asked: wait, .. }
            | RestError::RateLimited {
                retry_after: Some(wait),
                ..
            } => failure.with("retry_after_s", wait.as_secs().to_string()),
            _ => failure,
        }
    }
}

//! What stops the sync of a database, and how a caller should react. What is wrong with one row is
//! quarantined instead.

use connector::factory::secret::SecretError;
use domain::{Failure, FailureKind};

/// Everything that can go wrong between the configuration and the last row. No message holds a password.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the configuration of the database source is wrong: {message}")]
    Config { message: String },
    #[error(transparent)]
    Secret(#[from] SecretError),
    #[error(
        "this program was built without ODBC; build it with `--features odbc` (Debian needs unixodbc-dev), or use a \
         postgres:// or mysql:// url"
    )]
    NoOdbc,
    #[error("stream {stream}: {message}")]
    Query { stream: String, message: String },
    #[error("stream {stream}: {message}")]
    Columns { stream: String, message: String },
    #[error("stream {stream}: {message}")]
    Drift { stream: String, message: String },
    #[error(
        "stream {stream}: the saved cursor does not fit ({message}); `lianjing source reset NAME --stream {stream}` has the \
         stream read from the start"
    )]
    SavedCursor { stream: String, message: String },
    #[error("{place}: the database refused: {message}; {advice}")]
    Refused {
        place: String,
        message: String,
        advice: &'static str,
    },
    #[error(
        "{place}: the database cannot be reached now: {message}; see that it runs and takes connections from here"
    )]
    Unreachable { place: String, message: String },
    #[error(
        "{place}: a statement ran into its time limit: {message}; index the cursor column, narrow the query, or raise \
         statement_timeout"
    )]
    TooSlow { place: String, message: String },
    #[error("{place}: {message}")]
    Unexpected { place: String, message: String },
    #[error("the raw copy of {name} could not be kept: {source}")]
    Keep {
        name: String,
        #[source]
        source: Failure,
    },
    #[error("the rows of stream {stream} could not be put together")]
    Assemble {
        stream: String,
        #[source]
        source: arrow::error::ArrowError,
    },
    #[error("the sync was cancelled")]
    Cancelled,
}

impl DatabaseError {
    /// The same without the secret, should a driver repeat it.
    pub fn without(mut self, secret: Option<&str>) -> Self {
        if let (
            Some(secret),
            Self::Refused { message, .. }
            | Self::Unreachable { message, .. }
            | Self::TooSlow { message, .. }
            | Self::Unexpected { message, .. },
        ) = (secret.filter(|s| !s.is_empty()), &mut self)
        {
            *message = message.replace(secret, "***");
        }
        self
    }

    /// The same, told of the stream at which it happened.
    pub fn in_stream(mut self, stream: &str) -> Self {
        if let Self::Refused { place, .. }
        | Self::Unreachable { place, .. }
        | Self::TooSlow { place, .. }
        | Self::Unexpected { place, .. } = &mut self
        {
            let told = format!("stream {stream}: ");
            if !place.starts_with(&told) {
                place.insert_str(0, &told);
            }
        }
        self
    }

    /// Whether the same may work a little later.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// Whether reading can go on from where it came to.
    pub fn is_interruption(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::TooSlow { .. })
    }

    /// Whether only this stream is concerned, so that the others can be read.
    pub fn is_of_the_stream(&self) -> bool {
        matches!(
            self,
            Self::Query { .. }
                | Self::Columns { .. }
                | Self::Drift { .. }
                | Self::SavedCursor { .. }
                | Self::Refused { .. }
                | Self::TooSlow { .. }
        )
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Self {
        let (kind, reason) = match &error {
            DatabaseError::Config { .. } => (FailureKind::Invalid, "SOURCE_CONFIG_INVALID"),
            DatabaseError::Secret(_) => (FailureKind::Invalid, "SECRET_UNREADABLE"),
            DatabaseError::NoOdbc => (FailureKind::Invalid, "ODBC_MISSING"),
            DatabaseError::Query { .. } => (FailureKind::Invalid, "QUERY_INVALID"),
            DatabaseError::Columns { .. } => (FailureKind::Invalid, "COLUMNS_INVALID"),
            DatabaseError::Drift { .. } => (FailureKind::Invalid, "SCHEMA_DRIFT"),
            DatabaseError::SavedCursor { .. } => (FailureKind::Invalid, "CURSOR_INVALID"),
            DatabaseError::Refused { .. } => (FailureKind::Invalid, "DATABASE_REFUSED"),
            DatabaseError::Unreachable { .. } => (FailureKind::Unavailable, "DATABASE_UNREACHABLE"),
            DatabaseError::TooSlow { .. } => (FailureKind::DeadlineExceeded, "STATEMENT_TIMEOUT"),
            DatabaseError::Unexpected { .. } => (FailureKind::Internal, "DATABASE_ERROR"),
            DatabaseError::Keep { source, .. } => (source.kind, source.reason),
            DatabaseError::Assemble { .. } => (FailureKind::Internal, "INTERNAL"),
            DatabaseError::Cancelled => (FailureKind::Cancelled, "CANCELLED"),
        };
        let message = Failure::internal(&error).message;
        Failure::new(kind, reason, message)
    }
}

/// How a server's error code is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Refused(&'static str),
    Unreachable,
    TooSlow,
    Unexpected,
}

const SIGN_IN: &str = "check the user, the password and the database's name";
const GRANT: &str = "grant the user SELECT on the tables of the query";
const QUERY: &str = "correct the query, or ask what was renamed or dropped at the source";

/// By SQLSTATE (ISO/IEC 9075 classes, PostgreSQL's appendix A, ODBC's appendix A).
pub fn by_sqlstate(state: &str) -> Verdict {
    match state {
        "57014" | "HYT00" | "HYT01" => return Verdict::TooSlow,
        "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" | "55P03" => return Verdict::Unreachable,
        "42501" => return Verdict::Refused(GRANT),
        "IM002" | "IM003" | "01000" => {
            return Verdict::Refused("install the ODBC driver and name it as odbcinst.ini does");
        }
        _ => {}
    }
    match state.get(..2).unwrap_or("") {
        "08" | "40" | "53" | "58" => Verdict::Unreachable,
        "28" | "3D" => Verdict::Refused(SIGN_IN),
        "42" | "S0" | "22" | "0A" | "3F" | "21" | "25" => Verdict::Refused(QUERY),
        _ => Verdict::Unexpected,
    }
}

/// By the number of a MySQL or MariaDB error.
pub fn by_mysql_number(number: u16) -> Verdict {
    match number {
        1044 | 1045 | 1049 | 1251 | 1698 | 1820 | 1862 | 2061 | 3118 => Verdict::Refused(SIGN_IN),
        1142 | 1143 | 1227 | 1370 => Verdict::Refused(GRANT),
        1317 | 1969 | 3024 => Verdict::TooSlow,
        1040
        | 1042
        | 1043
        | 1053
        | 1077..=1079
        | 1152..=1161
        | 1203
        | 1205
        | 1213
        | 1226
        | 1927
        | 2002
        | 2003
        | 2006
        | 2013
        | 4031 => Verdict::Unreachable,
        1051..=1072
        | 1109
        | 1146
        | 1149
        | 1247
        | 1248
        | 1267
        | 1270
        | 1271
        | 1292
        | 1305
        | 1318
        | 1356
        | 1365
        | 1690
        | 1792 => Verdict::Refused(QUERY),
        _ => Verdict::Unexpected,
    }
}

impl Verdict {
    pub fn error(self, place: &str, message: String) -> DatabaseError {
        let place = place.to_owned();
        match self {
            Self::Refused(advice) => DatabaseError::Refused {
                place,
                message,
                advice,
            },
            Self::Unreachable => DatabaseError::Unreachable { place, message },
            Self::TooSlow => DatabaseError::TooSlow { place, message },
            Self::Unexpected => DatabaseError::Unexpected { place, message },
        }
    }
}

/// An error of sqlx at `place`.
pub fn of_sqlx(place: &str, error: &sqlx::Error) -> DatabaseError {
    use sqlx::Error;
    let message = error.to_string();
    let verdict = match error {
        Error::Database(inner) => {
            let message = inner.message().to_owned();
            let verdict = match inner.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>() {
                Some(mysql) => by_mysql_number(mysql.number()),
                None => by_sqlstate(inner.code().as_deref().unwrap_or("")),
            };
            return verdict.error(place, message);
        }
        Error::Io(_) | Error::WorkerCrashed | Error::PoolTimedOut => Verdict::Unreachable,
        // What a server that is going away leaves of a message.
        Error::Protocol(_) => Verdict::Unreachable,
        Error::Tls(_) => Verdict::Refused("check sslmode and the certificate (sslrootcert, ssl-ca)"),
        Error::Configuration(_) => Verdict::Refused("correct the url"),
        _ => Verdict::Unexpected,
    };
    verdict.error(place, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_whether_to_try_again() {
        for state in ["08006", "40001", "53300", "57P01", "40P01"] {
            assert_eq!(by_sqlstate(state), Verdict::Unreachable, "{state}");
        }
        for state in ["28P01", "42P01", "42703", "42501", "3D000", "25006", "42S02"] {
            assert!(matches!(by_sqlstate(state), Verdict::Refused(_)), "{state}");
        }
        assert_eq!(by_sqlstate("57014"), Verdict::TooSlow);
        assert_eq!(by_sqlstate("XX000"), Verdict::Unexpected);
        for number in [1040, 1205, 1213, 1053, 2013] {
            assert_eq!(by_mysql_number(number), Verdict::Unreachable, "{number}");
        }
        for number in [1045, 1142, 1146, 1054, 1064] {
            assert!(matches!(by_mysql_number(number), Verdict::Refused(_)), "{number}");
        }
        assert_eq!(by_mysql_number(1969), Verdict::TooSlow);
        assert_eq!(by_mysql_number(1030), Verdict::Unexpected);
    }
}

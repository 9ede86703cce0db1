//! When to try again, and how long to wait before.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::Rng;
use rand::RngCore;

use crate::config::Limits;
use crate::error::RestError;

/// What went wrong with one try.
#[derive(Debug)]
pub enum Trouble {
    /// Trying again would not help.
    Final(RestError),
    /// The credentials are no longer accepted.
    Expired { said: String },
    /// May pass.
    Passing {
        kind: Passing,
        said: String,
        retry_after: Option<Duration>,
    },
}

/// What may pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passing {
    RateLimited,
    Unavailable,
    Network,
    Timeout,
    Unreadable,
}

impl Trouble {
    pub fn passing(kind: Passing, said: impl Into<String>) -> Self {
        Self::Passing {
            kind,
            said: said.into(),
            retry_after: None,
        }
    }
}

impl Passing {
    /// The error when all tries are used up.
    pub fn error(
        self,
        request: String,
        said: String,
        tries: u32,
        retry_after: Option<Duration>,
    ) -> RestError {
        match self {
            Self::RateLimited => RestError::RateLimited {
                request,
                tries,
                retry_after,
            },
            Self::Unavailable => RestError::Unavailable { request, said, tries },
            Self::Network => RestError::Network { request, said, tries },
            Self::Timeout => RestError::Timeout { request, said, tries },
            Self::Unreadable => RestError::Unreadable { request, said, tries },
        }
    }
}

/// How long to wait after the try with number `done`, from 1; none when there is to be no other.
///
/// Full jitter: evenly between nothing and the doubled first wait, which is cut at the cap. What the source asks
/// for with `retry-after` is waited for at least, unless it is longer than `retry_after_max`.
pub fn wait_after(
    done: u32,
    limits: &Limits,
    retry_after: Option<Duration>,
    random: &mut impl RngCore,
) -> Option<Duration> {
    if done >= limits.tries || retry_after.is_some_and(|asked| asked > limits.retry_after_max.0) {
        return None;
    }
    let longest = limits
        .retry_first
        .0
        .saturating_mul(2u32.saturating_pow(done.saturating_sub(1)))
        .min(limits.retry_cap.0);
    let micros = u64::try_from(longest.as_micros()).unwrap_or(u64::MAX);
    let drawn = Duration::from_micros(random.random_range(0..=micros));
    Some(drawn.max(retry_after.unwrap_or_default()))
}

/// The value of a `Retry-After` header: seconds or an HTTP date (RFC 9110, 10.2.3).
pub fn parse_retry_after(value: &str, now: DateTime<Utc>) -> Option<Duration> {
    let value = value.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = DateTime::<Utc>::from(httpdate::parse_http_date(value).ok()?);
    Some((moment - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_end() {
        let limits = Limits {
            tries: 9,
            ..Limits::default()
        };
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for (done, longest_s) in [(1, 1), (2, 2), (3, 4), (4, 8), (7, 60), (8, 60)] {
            let waits: Vec<Duration> = (0..400)
                .map(|_| wait_after(done, &limits, None, &mut random).unwrap())
                .collect();
            let longest = Duration::from_secs(longest_s);
            assert!(waits.iter().all(|w| *w <= longest), "{done}");
            // Full jitter: the whole range is used.
            assert!(
                waits.iter().any(|w| *w < longest / 10) && waits.iter().any(|w| *w > longest * 9 / 10),
                "{done}"
            );
        }
        assert_eq!(wait_after(9, &limits, None, &mut random), None);
    }

    #[test]
    fn the_source_is_given_the_time_it_asks_for() {
        let limits = Limits::default();
        let mut random = ChaCha8Rng::seed_from_u64(7);
        let asked = Some(Duration::from_secs(90));
        assert_eq!(wait_after(1, &limits, asked, &mut random), asked);
        assert_eq!(
            wait_after(1, &limits, Some(Duration::from_secs(601)), &mut random),
            None
        );
    }

    #[test]
    fn retry_after_in_both_forms() {
        let now = DateTime::parse_from_rfc3339("2015-10-21T07:28:00Z")
            .unwrap()
            .to_utc();
        for (value, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Wed, 21 Oct 2015 07:28:30 GMT", Some(30)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            assert_eq!(
                parse_retry_after(value, now).map(|d| d.as_secs()),
                seconds,
                "{value}"
            );
        }
    }
}

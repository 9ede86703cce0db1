//! What the headers of an answer say: its encoding, and where the next page is.

use encoding_rs::Encoding;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LINK};

/// The encoding that `Content-Type` names.
pub fn charset(headers: &HeaderMap) -> Option<&'static Encoding> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let label = value.split(';').find_map(|part| {
        let (name, label) = part.split_once('=')?;
        name.trim()
            .eq_ignore_ascii_case("charset")
            .then(|| label.trim().trim_matches('"'))
    })?;
    Encoding::for_label(label.as_bytes())
}

/// The target of `Link: <...>; rel="next"` (RFC 8288).
pub fn next_link(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(LINK).iter().filter_map(|v| v.to_str().ok());
    for value in values {
        let mut rest = value;
        while let Some(open) = rest.find('<') {
            let after = &rest[open + 1..];
            let Some((target, tail)) = after.split_once('>') else {
                break;
            };
            let params = tail.split(",").next().unwrap_or("");
            let is_next = params.split(';').any(|param| {
                let Some((name, value)) = param.split_once('=') else {
                    return false;
                };
                let value = value.trim().trim_matches('"');
                name.trim().eq_ignore_ascii_case("rel")
                    && value
                        .split_ascii_whitespace()
                        .any(|r| r.eq_ignore_ascii_case("next"))
            });
            if is_next {
                return Some(target.to_owned());
            }
            rest = tail;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links() {
        let next = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, value.parse().unwrap());
            next_link(&headers)
        };
        assert_eq!(
            next(r#"<https://h/a?p=2>; rel="next""#).as_deref(),
            Some("https://h/a?p=2")
        );
        assert_eq!(
            next(r#"</a?p=1,2>; rel=prev, </a?p=3>; title="x"; rel="last next""#).as_deref(),
            Some("/a?p=3")
        );
        assert_eq!(next(r#"<a>; rel="prev""#), None);
        assert_eq!(next("nonsense"), None);
    }

    #[test]
    fn charsets() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, value.parse().unwrap());
            charset(&headers).map(Encoding::name)
        };
        assert_eq!(of("application/json; charset=\"GBK\""), Some("GBK"));
        assert_eq!(of("application/json"), None);
        assert_eq!(of("application/json; charset=klingon"), None);
    }
}

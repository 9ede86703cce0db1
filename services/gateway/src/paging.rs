//! AIP-158 pages over lists that a port gives as a whole: opaque tokens that hold only for the same arguments.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use domain::Failure;

const PAGE_DEFAULT: usize = 50;
const PAGE_MAX: usize = 1_000;

/// Which part of a list is asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Page {
    scope: String,
    start: usize,
    size: usize,
}

impl Page {
    /// `scope` names the list and its arguments; a token of another scope is refused.
    pub(crate) fn new(scope: impl Into<String>, size: i32, token: &str) -> Result<Self, Failure> {
        let scope = scope.into();
        let size = match usize::try_from(size) {
            Ok(0) => PAGE_DEFAULT,
            Ok(n) => n.min(PAGE_MAX),
            Err(_) => {
                return Err(Failure::invalid(
                    "INVALID_PAGE_SIZE",
                    format!("page_size is {size}; use 0 for the default or 1 to {PAGE_MAX}"),
                ));
            }
        };
        let start = if token.is_empty() {
            0
        } else {
            read_token(&scope, token)?
        };
        Ok(Self { scope, start, size })
    }

    /// How many entries, from the first one on, must be fetched to answer: one more than the page needs.
    pub(crate) fn fetch(&self) -> usize {
        self.start.saturating_add(self.size).saturating_add(1)
    }

    /// The page's part of the first `fetch()` entries, and the token of the next page (empty at the end).
    pub(crate) fn cut<T>(&self, entries: impl IntoIterator<Item = T>) -> (Vec<T>, String) {
        let mut rest = entries.into_iter().skip(self.start);
        let page: Vec<T> = rest.by_ref().take(self.size).collect();
        let token = match rest.next() {
            None => String::new(),
            Some(_) => URL_SAFE_NO_PAD.encode(format!("{}\n{}", self.start + self.size, self.scope)),
        };
        (page, token)
    }
}

fn read_token(scope: &str, token: &str) -> Result<usize, Failure> {
    let text = URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let parts = text.as_deref().and_then(|t| t.split_once('\n'));
    match parts.and_then(|(start, of)| Some((start.parse::<usize>().ok()?, of))) {
        Some((start, of)) if of == scope => Ok(start),
        _ => Err(Failure::invalid(
            "INVALID_PAGE_TOKEN",
            "page_token is not from an answer to this method with the same arguments; start again without it",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_a_list_without_gap_or_overlap() {
        let list: Vec<u32> = (0..7).collect();
        let (mut token, mut seen) = (String::new(), Vec::new());
        loop {
            let page = Page::new("list", 3, &token).expect("valid");
            let (part, next) = page.cut(list.iter().copied().take(page.fetch()));
            seen.extend(part);
            token = next;
            if token.is_empty() {
                break;
            }
        }
        assert_eq!(seen, list);
    }

    #[test]
    fn sizes_are_defaulted_coerced_and_refused() {
        assert_eq!(Page::new("l", 0, "").expect("default").size, 50);
        assert_eq!(Page::new("l", 5_000, "").expect("coerced").size, 1_000);
        assert_eq!(
            Page::new("l", -1, "").expect_err("negative").reason,
            "INVALID_PAGE_SIZE"
        );
    }

    #[test]
    fn a_token_holds_only_for_the_same_arguments() {
        let (_, token) = Page::new("quarantine\nsuppliers", 1, "")
            .expect("valid")
            .cut([1, 2]);
        assert!(Page::new("quarantine\nsuppliers", 1, &token).is_ok());
        for (scope, token) in [("quarantine\nstaff", token.as_str()), ("x", "!"), ("x", "YWJj")] {
            assert_eq!(
                Page::new(scope, 1, token).expect_err("refused").reason,
                "INVALID_PAGE_TOKEN"
            );
        }
    }
}

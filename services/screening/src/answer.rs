//! Builds answers so that a check nobody gave a reason for can never come out clean.

use chrono::NaiveDate;
use domain::Bilingual;
use domain::screening::{CheckKind, CheckResult, Reason, Verdict};

use crate::input::RowRef;

/// Half-open days in which something holds; `None` is an open end.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Days {
    pub from: Option<NaiveDate>,
    pub to: Option<NaiveDate>,
}

impl Days {
    pub fn new(from: Option<NaiveDate>, to: Option<NaiveDate>) -> Self {
        Self { from, to }
    }

    pub fn contain(&self, day: NaiveDate) -> bool {
        self.from.is_none_or(|f| f <= day) && self.to.is_none_or(|t| day < t)
    }
}

/// A reason under construction.
pub(crate) fn reason(
    verdict: Verdict,
    code: &'static str,
    zh: impl Into<String>,
    en: impl Into<String>,
) -> Reason {
    Reason {
        verdict,
        code,
        text: Bilingual::new(zh, en),
        lawful_explanation: Bilingual::default(),
        legal_basis: String::new(),
        evidence: Vec::new(),
        path: Vec::new(),
        line_no: 0,
        valid_from: None,
        valid_to: None,
    }
}

pub(crate) fn hit(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Reason {
    reason(Verdict::Hit, code, zh, en)
}

pub(crate) fn clean(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Reason {
    reason(Verdict::Clean, code, zh, en)
}

pub(crate) fn not_computed(code: &'static str, zh: impl Into<String>, en: impl Into<String>) -> Reason {
    reason(Verdict::NotComputed, code, zh, en)
}

/// What is added to a reason.
pub(crate) trait ReasonExt: Sized {
    fn because_lawful(self, zh: &str, en: &str) -> Self;
    fn under(self, law: &str) -> Self;
    fn citing<'a>(self, rows: impl IntoIterator<Item = &'a RowRef>) -> Self;
    fn holding(self, days: Days) -> Self;
    fn at_line(self, line_no: u32) -> Self;
}

impl ReasonExt for Reason {
    fn because_lawful(mut self, zh: &str, en: &str) -> Self {
        self.lawful_explanation = Bilingual::new(zh, en);
        self
    }

    fn under(mut self, law: &str) -> Self {
        self.legal_basis = law.to_owned();
        self
    }

    /// Rows once each, in order; those that no dataset states are left out.
    fn citing<'a>(mut self, rows: impl IntoIterator<Item = &'a RowRef>) -> Self {
        let rows = rows.into_iter().filter(|r| r.row > 0).map(RowRef::cite);
        self.evidence.extend(rows);
        self.evidence.sort();
        self.evidence.dedup();
        self
    }

    fn holding(mut self, days: Days) -> Self {
        self.valid_from = days.from;
        self.valid_to = days.to;
        self
    }

    fn at_line(mut self, line_no: u32) -> Self {
        self.line_no = line_no;
        self
    }
}

/// The check with its reasons; without any it is not computed.
pub(crate) fn result(check: CheckKind, mut reasons: Vec<Reason>) -> CheckResult {
    if reasons.is_empty() {
        reasons.push(not_computed(
            "NOTHING_LOOKED_AT",
            "没有可供判断的内容",
            "there was nothing to look at",
        ));
    }
    // The gravest first; within one verdict as they were found.
    reasons.sort_by_key(|r| std::cmp::Reverse(r.verdict));
    CheckResult {
        check,
        verdict: reasons[0].verdict,
        reasons,
    }
}

/// "2024-03-05" or words for an open end.
pub(crate) fn day(date: Option<NaiveDate>) -> (String, String) {
    date.map_or_else(
        || ("长期".to_owned(), "open".to_owned()),
        |d| (d.to_string(), d.to_string()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_half_open() {
        let d = |n| NaiveDate::from_ymd_opt(2025, 3, n);
        let days = Days::new(d(2), d(5));
        let inside = |n| days.contain(d(n).expect("a day"));
        assert!(!inside(1) && inside(2) && inside(4) && !inside(5));
        assert!(Days::default().contain(NaiveDate::MIN));
    }

    #[test]
    fn a_check_without_a_reason_is_not_clean() {
        assert_eq!(result(CheckKind::Lists, Vec::new()).verdict, Verdict::NotComputed);
    }

    #[test]
    fn the_gravest_reason_decides_and_stands_first() {
        let reasons = vec![clean("A", "", ""), hit("B", "", ""), not_computed("C", "", "")];
        let result = result(CheckKind::Lists, reasons);
        assert_eq!(result.verdict, Verdict::Hit);
        let codes: Vec<_> = result.reasons.iter().map(|r| r.code).collect();
        assert_eq!(codes, ["B", "C", "A"]);
    }
}

//! What the host counts for itself while rows pass: compared with what the lake says, so that no row is lost
//! without anybody knowing.

use std::collections::BTreeMap;

use connector::{Reason, Rejected};
use domain::ports::{DatasetCounts, Notice, QuarantineEntry};

use crate::error::{IngestError, Result};

/// Quarantined rows in a report; all of them are in the lake.
const SAMPLE_ROWS: usize = 20;
/// Reasons that a failed sync names.
const WORST_REASONS: usize = 3;
/// What a reason's first row says, at most.
const DETAIL_CHARS_MAX: usize = 120;

/// Counts of one sync.
#[derive(Debug, Default)]
pub struct Tally {
    /// Dataset -> rows that came, rejected ones included.
    came: BTreeMap<String, u64>,
    /// (dataset, reason) -> (rows, where the first one stood).
    reasons: BTreeMap<(String, &'static str), (u64, String)>,
    notices: BTreeMap<(String, String), Notice>,
    sample: Vec<QuarantineEntry>,
    pub bytes: u64,
}

impl Tally {
    pub fn rows(&mut self, dataset: &str, rows: u64) {
        *self.came.entry(dataset.to_owned()).or_default() += rows;
    }

    /// Whether rows of the dataset came.
    pub fn has(&self, dataset: &str) -> bool {
        self.came.contains_key(dataset)
    }

    pub fn rejected(&mut self, rejected: &Rejected) {
        self.rows(&rejected.dataset, 1);
        let key = (rejected.dataset.to_string(), rejected.reason.code());
        let first = || {
            let place = match rejected.position {
                0 => rejected.file.to_string(),
                position => format!("{}:{position}", rejected.file),
            };
            let field = rejected
                .field
                .as_deref()
                .map(|f| format!(", {f}"))
                .unwrap_or_default();
            let detail: String = rejected.detail.chars().take(DETAIL_CHARS_MAX).collect();
            match detail.is_empty() {
                true => format!("{place}{field}"),
                false => format!("{place}{field}: {detail}"),
            }
        };
        self.reasons.entry(key).or_insert_with(|| (0, first())).0 += 1;
        if self.sample.len() < SAMPLE_ROWS {
            self.sample.push(QuarantineEntry {
                dataset: rejected.dataset.to_string(),
                file: rejected.file.to_string(),
                row: rejected.position,
                field: rejected.field.as_deref().map(str::to_owned),
                reason: rejected.reason.code().to_owned(),
                detail: rejected.detail.clone(),
                raw: readable(&rejected.raw),
            });
        }
    }

    /// Adds up notices of one kind and place.
    pub fn notice(&mut self, notice: Notice) {
        self.notices
            .entry((notice.code.clone(), notice.place.clone()))
            .and_modify(|n| n.count += notice.count)
            .or_insert(notice);
    }

    /// Fails when too large a share of the rows was rejected. `limit_bp` is in ten-thousandths.
    /// Up to `always` rejected rows pass whatever their share.
    pub fn check_limit(&self, source: &str, limit_bp: u32, always: u64) -> Result<()> {
        let read: u64 = self.came.values().sum();
        // A total is known to be no row.
        let total = Reason::TotalsRow.code();
        let quarantined: u64 = self
            .reasons
            .iter()
            .filter(|((_, reason), _)| *reason != total)
            .map(|(_, (rows, _))| rows)
            .sum();
        if quarantined <= always
            || u128::from(quarantined) * 10_000 <= u128::from(read) * u128::from(limit_bp)
        {
            return Ok(());
        }
        let mut worst: Vec<_> = self.reasons.iter().collect();
        worst.sort_by(|a, b| b.1.0.cmp(&a.1.0).then_with(|| a.0.cmp(b.0)));
        let told = worst
            .iter()
            .take(WORST_REASONS)
            .map(|((dataset, reason), (rows, first))| {
                format!("{reason} in {dataset}, {rows} rows, first at {first}")
            });
        Err(IngestError::OverLimit {
            source_name: source.to_owned(),
            read,
            quarantined,
            limit: format!("{}.{:02} %", limit_bp / 100, limit_bp % 100),
            worst: told.collect::<Vec<_>>().join("; "),
            reasons: worst
                .iter()
                .map(|((d, r), (rows, _))| (format!("{d}.{r}"), *rows))
                .collect(),
        })
    }

    /// Fails when the lake's counts do not add up to the rows that came.
    pub fn check_conservation(&self, counts: &[DatasetCounts]) -> Result<()> {
        let lost = |dataset: &str, came: u64, c: &DatasetCounts| IngestError::Conservation {
            dataset: dataset.to_owned(),
            came,
            read: c.read,
            inserted: c.inserted,
            updated: c.updated,
            unchanged: c.unchanged,
            quarantined: c.quarantined,
        };
        for c in counts {
            let came = self.came.get(&c.dataset).copied().unwrap_or_default();
            let rejected: u64 = self
                .reasons
                .iter()
                .filter(|((d, _), _)| *d == c.dataset)
                .map(|(_, (rows, _))| rows)
                .sum();
            if !c.holds() || c.read != came || c.quarantined != rejected {
                return Err(lost(&c.dataset, came, c));
            }
        }
        let told = |dataset: &String| counts.iter().any(|c| c.dataset == *dataset);
        match self
            .came
            .iter()
            .find(|(dataset, rows)| **rows > 0 && !told(dataset))
        {
            Some((dataset, rows)) => Err(lost(dataset, *rows, &DatasetCounts::default())),
            None => Ok(()),
        }
    }

    /// The notices, in order of code and place, and the first quarantined rows.
    pub fn into_told(self) -> (Vec<Notice>, Vec<QuarantineEntry>) {
        (self.notices.into_values().collect(), self.sample)
    }
}

/// Raw bytes as a person reads them: sources are UTF-8 or GB18030.
///
/// A few short GB18030 texts are valid UTF-8 too (医院 reads as two Cyrillic letters): letters of alphabets
/// that no such source uses, and nothing else beside ASCII, give them away.
pub fn readable(raw: &[u8]) -> String {
    let is_foreign = |c: char| matches!(c, '\u{100}'..='\u{36f}' | '\u{400}'..='\u{7ff}');
    match std::str::from_utf8(raw) {
        Ok(text) if text.is_ascii() || !text.chars().all(|c| c.is_ascii() || is_foreign(c)) => {
            text.to_owned()
        }
        _ => encoding_rs::GB18030
            .decode_without_bom_handling(raw)
            .0
            .into_owned(),
    }
}

#[cfg(test)]
mod tests {

    use super::*;

    fn rejected(dataset: &str, reason: Reason, position: u64) -> Rejected {
        Rejected {
            dataset: dataset.into(),
            batch: "".into(),
            file: "a.csv".into(),
            position,
            field: None,
            reason,
            detail: String::new(),
            raw: Vec::new(),
        }
    }

    fn tally(rows: u64, bad: u64) -> Tally {
        let mut tally = Tally::default();
        tally.rows("bids", rows);
        (0..bad).for_each(|n| tally.rejected(&rejected("bids", Reason::BadDate, n + 1)));
        tally
    }

    #[test]
    fn the_limit_is_a_share_that_may_be_reached_but_not_passed() {
        assert!(tally(99, 1).check_limit("s", 100, 0).is_ok());
        let error = tally(98, 2).check_limit("s", 100, 0).unwrap_err().to_string();
        assert!(
            error.contains("2 of 100 rows") && error.contains("1.00 %"),
            "{error}"
        );
        assert!(
            error.contains("BAD_DATE in bids, 2 rows, first at a.csv:1"),
            "{error}"
        );
        assert!(tally(0, 0).check_limit("s", 0, 0).is_ok());
        assert!(tally(5, 1).check_limit("s", 0, 0).is_err());
        assert!(tally(5, 2).check_limit("s", 0, 2).is_ok());
        assert!(tally(5, 3).check_limit("s", 0, 2).is_err());
    }

    #[test]
    fn a_row_that_nobody_counted_is_noticed() {
        let counts = |read, inserted, quarantined| DatasetCounts {
            dataset: "bids".into(),
            read,
            inserted,
            quarantined,
            ..Default::default()
        };
        let tally = tally(3, 1);
        assert!(tally.check_conservation(&[counts(4, 3, 1)]).is_ok());
        for wrong in [counts(3, 2, 1), counts(4, 4, 0), counts(4, 2, 1), counts(5, 4, 1)] {
            assert!(
                tally.check_conservation(std::slice::from_ref(&wrong)).is_err(),
                "{wrong:?}"
            );
        }
        assert!(tally.check_conservation(&[]).is_err());
    }

    #[test]
    fn bytes_of_either_encoding_are_readable() {
        for text in ["医院", "abc", "", "5μg×10", "α-干扰素"] {
            assert_eq!(readable(text.as_bytes()), text);
        }
        assert_eq!(readable(&[0xd2, 0xbd, 0xd4, 0xba]), "医院");
    }
}

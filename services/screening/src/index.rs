//! An immutable index of one snapshot: built once, asked from any thread.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::NaiveDate;
use domain::ports::{Screener, ScreeningPort};
use domain::screening::{CheckKind, Reason, ScreenRequest, Screening};
use domain::{Failure, FailureKind, ports};
use hashbrown::{HashMap, HashSet};

use crate::checks;
use crate::input::{
    AgreementRow, BranchLink, CreditRecord, DatasetState, FilingRow, HospitalRow, ListingRow, NEEDS,
    PartyRow, ProductRow, ScreeningInput, StaffTie, TenderRow, ThresholdRow,
};
use crate::names::NameIndex;
use crate::settings::Settings;

/// Rows of one kind, grouped by a text.
#[derive(Debug)]
pub(crate) struct Grouped<T> {
    rows: HashMap<Box<str>, Vec<T>>,
}

impl<T> Grouped<T> {
    fn by(rows: Vec<T>, key: impl Fn(&T) -> Option<Box<str>>) -> Self {
        let mut grouped: HashMap<Box<str>, Vec<T>> = HashMap::new();
        for row in rows {
            if let Some(key) = key(&row) {
                grouped.entry(key).or_default().push(row);
            }
        }
        Self { rows: grouped }
    }

    pub fn of(&self, key: &str) -> &[T] {
        self.rows.get(key).map_or(&[], Vec::as_slice)
    }
}

/// Answers screenings over one snapshot.
#[derive(Debug)]
pub struct Index {
    pub(crate) snapshot: i64,
    pub(crate) settings: Settings,
    pub(crate) parties: Vec<PartyRow>,
    pub(crate) by_id: HashMap<Box<str>, u32>,
    pub(crate) by_uscc: HashMap<Box<str>, Vec<u32>>,
    pub(crate) names: NameIndex,
    pub(crate) credit_records: Grouped<CreditRecord>,
    /// By party.
    pub(crate) agreements: Grouped<AgreementRow>,
    pub(crate) branches: Grouped<BranchLink>,
    pub(crate) ties: Grouped<StaffTie>,
    pub(crate) ties_cut: bool,
    /// By national code.
    pub(crate) listings: Grouped<ListingRow>,
    pub(crate) products: Grouped<ProductRow>,
    pub(crate) hospitals: Grouped<HospitalRow>,
    /// By region code.
    pub(crate) thresholds: Grouped<ThresholdRow>,
    /// By budget item.
    pub(crate) tenders: Grouped<TenderRow>,
    /// By filing number.
    pub(crate) filings: Grouped<FilingRow>,
    datasets: HashMap<Box<str>, DatasetState>,
    /// Hospitals that have agreements.
    with_agreements: HashSet<Box<str>>,
}

impl Index {
    /// Builds the index. Takes about a second for 100,000 parties.
    pub fn build(input: ScreeningInput, settings: Settings) -> Self {
        let mut by_id = HashMap::with_capacity(input.parties.len());
        let mut by_uscc: HashMap<Box<str>, Vec<u32>> = HashMap::new();
        for (at, party) in input.parties.iter().enumerate() {
            by_id.insert(party.party_id.clone(), at as u32);
            if let Some(uscc) = &party.uscc {
                by_uscc.entry(uscc.clone()).or_default().push(at as u32);
            }
        }
        let names = NameIndex::build(input.parties.iter().enumerate().flat_map(|(at, party)| {
            std::iter::once(&party.name)
                .chain(&party.aliases)
                .map(move |name| (at as u32, &**name))
        }));
        let with_agreements = input.agreements.iter().map(|a| a.hospital_id.clone()).collect();
        Self {
            snapshot: input.snapshot,
            settings,
            with_agreements,
            by_id,
            by_uscc,
            names,
            credit_records: Grouped::by(input.credit_records, |r| Some(r.party_id.clone())),
            agreements: Grouped::by(input.agreements, |r| Some(r.party_id.clone())),
            branches: Grouped::by(input.branches, |r| Some(r.party_id.clone())),
            ties: Grouped::by(input.ties, |r| Some(r.party_id.clone())),
            ties_cut: input.ties_cut,
            listings: Grouped::by(input.listings, |r| Some(r.national_code.clone())),
            products: Grouped::by(input.products, |r| Some(r.product_id.clone())),
            hospitals: Grouped::by(input.hospitals, |r| Some(r.hospital_id.clone())),
            thresholds: Grouped::by(input.thresholds, |r| Some(r.region_code.clone())),
            tenders: Grouped::by(input.tenders, |r| Some(r.budget_item_code.clone())),
            filings: Grouped::by(input.filings, |r| Some(r.row.key.clone())),
            datasets: input.datasets.into_iter().collect(),
            parties: input.parties,
        }
    }

    /// Organisations known.
    pub fn parties(&self) -> usize {
        self.parties.len()
    }

    /// Names they are found by.
    pub fn names(&self) -> usize {
        self.names.len()
    }

    pub(crate) fn party(&self, at: u32) -> &PartyRow {
        &self.parties[at as usize]
    }

    pub(crate) fn hospital(&self, hospital_id: &str) -> Option<&HospitalRow> {
        self.hospitals.of(hospital_id).first()
    }

    /// Whether rows speak of the hospital; true where no row could.
    pub(crate) fn knows_hospital(&self, hospital_id: &str) -> bool {
        self.hospitals.rows.is_empty()
            || self.hospital(hospital_id).is_some()
            || self.with_agreements.contains(hospital_id)
    }

    /// Whether the dataset was synced and has rows.
    pub(crate) fn has(&self, dataset: &str) -> bool {
        self.datasets.get(dataset).is_some_and(|d| d.has_rows)
    }

    /// What keeps a dataset from being relied on for that day; `None`: nothing. The codes are those of rules
    /// that are NOT_EVALUABLE.
    pub(crate) fn lacking(&self, dataset: &str, as_of: NaiveDate) -> Option<Reason> {
        checks::lacking(
            dataset,
            self.datasets.get(dataset),
            NEEDS
                .iter()
                .find(|(name, _)| *name == dataset)
                .map_or(&[], |(_, columns)| columns),
            as_of,
            &self.settings.staleness,
        )
    }
}

impl Screener for Index {
    fn snapshot(&self) -> i64 {
        self.snapshot
    }

    fn screen(&self, request: &ScreenRequest) -> Screening {
        checks::screen(self, request)
    }
}

/// An index that is never swapped, as a port: for tests, and where a snapshot is served for itself.
#[derive(Debug, Clone)]
pub struct FixedIndex(pub Arc<Index>);

#[async_trait]
impl ScreeningPort for FixedIndex {
    async fn screener(&self, min_snapshot: i64) -> ports::Result<Arc<dyn Screener>> {
        if min_snapshot > self.0.snapshot {
            return Err(not_committed(min_snapshot, self.0.snapshot));
        }
        Ok(self.0.clone())
    }
}

/// The failure of a port that is asked for a snapshot beyond the newest.
pub fn not_committed(min_snapshot: i64, newest: i64) -> Failure {
    Failure::new(
        FailureKind::OutOfRange,
        "SNAPSHOT_NOT_COMMITTED",
        format!("snapshot {min_snapshot} was not committed yet, the newest is {newest}; sync first, or ask without min_snapshot"),
    )
    .with("newest_snapshot", newest.to_string())
}

/// Which checks a request gives the facts for when it does not say, and what the others lack.
pub(crate) fn applicable(request: &ScreenRequest, check: CheckKind) -> Option<(&'static str, &'static str)> {
    let hospital = request.hospital_id.is_some();
    let order = request.order.as_ref();
    match check {
        CheckKind::Identity | CheckKind::Lists | CheckKind::Relations => None,
        CheckKind::Agreement => (!hospital).then_some(("未给出医院", "no hospital was given")),
        CheckKind::Price | CheckKind::Channel => order
            .is_none_or(|o| o.lines.is_empty())
            .then_some(("未给出订单明细", "no order lines were given")),
        CheckKind::Threshold => order.is_none().then_some(("未给出订单", "no order was given")),
    }
}

//! What an index is made of: plain rows, each with where it was read from.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use domain::Value;
use domain::screening::SourceRow;
use rust_decimal::Decimal;

/// Where a row stands. Texts that many rows share are shared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowRef {
    pub dataset: Arc<str>,
    /// The value of the dataset's only key column, or of its first.
    pub key: Box<str>,
    pub source: Arc<str>,
    /// Digest of the raw batch.
    pub batch: Arc<str>,
    /// From 1; 0 when no row of a dataset states it (a branch told by its name).
    pub row: u64,
}

impl RowRef {
    pub(crate) fn cite(&self) -> SourceRow {
        let column = domain::dataset(&self.dataset)
            .and_then(|d| d.key.first().cloned())
            .unwrap_or_else(|| "party_id".to_owned());
        SourceRow {
            dataset: self.dataset.to_string(),
            key: BTreeMap::from([(column, Value::text(&*self.key))]),
            source: self.source.to_string(),
            batch: self.batch.to_string(),
            row: self.row,
        }
    }
}

/// An organisation. Persons are not screened: they are never told by name.
#[derive(Debug, Clone)]
pub struct PartyRow {
    pub party_id: Box<str>,
    pub name: Box<str>,
    pub aliases: Vec<Box<str>>,
    /// A code whose check character holds.
    pub uscc: Option<Box<str>>,
    /// Its row in the register of suppliers or hospitals, when it has one.
    pub row: Option<RowRef>,
    /// Whether any row tells who owns or leads it. Without one, "no tie found" says nothing.
    pub owners_known: bool,
}

/// A row of `credit_records`.
#[derive(Debug, Clone)]
pub struct CreditRecord {
    pub row: RowRef,
    pub party_id: Box<str>,
    /// Code of the dataset: bribery_blacklist, credit_rating, penalty, court; `None` when the source left it out.
    pub record_type: Option<Box<str>>,
    pub level: Option<Box<str>>,
    pub region_code: Option<Box<str>>,
    pub issued_on: Option<NaiveDate>,
    /// First day it no longer holds.
    pub expires_on: Option<NaiveDate>,
}

/// A row of `agreements` that names a hospital, a supplier and a kind.
#[derive(Debug, Clone)]
pub struct AgreementRow {
    pub row: RowRef,
    pub party_id: Box<str>,
    pub hospital_id: Box<str>,
    /// integrity_agreement or integrity_commitment.
    pub kind: Box<str>,
    pub signed_on: Option<NaiveDate>,
    pub valid_from: Option<NaiveDate>,
    /// First day it no longer binds.
    pub valid_to: Option<NaiveDate>,
}

/// A row of `procurement_thresholds` that names an amount.
#[derive(Debug, Clone)]
pub struct ThresholdRow {
    pub row: RowRef,
    /// Six digits; empty: the whole country.
    pub region_code: Box<str>,
    /// works, goods or services.
    pub kind: Box<str>,
    /// must_tender, public_tender or decentralised.
    pub measure: Box<str>,
    pub amount: Decimal,
    pub effective_from: Option<NaiveDate>,
    pub effective_to: Option<NaiveDate>,
    /// The document that sets it.
    pub source: Option<Box<str>>,
}

/// A row of `platform_listings` with a code and a price above zero.
#[derive(Debug, Clone)]
pub struct ListingRow {
    pub row: RowRef,
    pub national_code: Box<str>,
    pub party_id: Option<Box<str>>,
    pub product_id: Option<Box<str>>,
    pub region_code: Option<Box<str>>,
    pub listed_price: Decimal,
    pub listed_from: Option<NaiveDate>,
    pub listed_to: Option<NaiveDate>,
}

/// What is needed of `products`.
#[derive(Debug, Clone)]
pub struct ProductRow {
    pub product_id: Box<str>,
    pub national_code: Option<Box<str>>,
    /// Smallest units in a pack, above zero.
    pub pack_size: Option<Decimal>,
}

/// A member of staff tied to a supplier: a row of `related_parties`.
#[derive(Debug, Clone)]
pub struct StaffTie {
    pub party_id: Box<str>,
    pub staff_id: Box<str>,
    pub hospital_id: Option<Box<str>>,
    pub is_key_post: bool,
    /// First day the person no longer worked there.
    pub left_on: Option<NaiveDate>,
    pub staff_row: RowRef,
    /// Hops as the graph gives them: maps with from, to, relation, share, dates and the row of each.
    pub hops: Vec<Value>,
    pub hop_rows: Vec<RowRef>,
    /// Combined share in percent.
    pub share: Option<Decimal>,
    pub controls: bool,
    /// Shares of a company limited by shares, which may be listed: anybody may hold a few.
    pub may_be_listed: bool,
    /// When all hops hold at once, half open.
    pub valid_from: Option<NaiveDate>,
    pub valid_to: Option<NaiveDate>,
}

/// Two companies that are one legal person (a parent and its branch, or two branches), said once in each
/// direction.
#[derive(Debug, Clone)]
pub struct BranchLink {
    pub party_id: Box<str>,
    pub other_party_id: Box<str>,
    /// The row of `relations` that states it; `None`: told by the name.
    pub row: Option<RowRef>,
    pub since: Option<NaiveDate>,
    pub until: Option<NaiveDate>,
}

/// What is needed of `hospitals`.
#[derive(Debug, Clone)]
pub struct HospitalRow {
    pub row: RowRef,
    pub hospital_id: Box<str>,
    pub region_code: Option<Box<str>>,
}

/// A tender as the view `tender_facts` gives it.
#[derive(Debug, Clone)]
pub struct TenderRow {
    pub row: RowRef,
    pub hospital_id: Box<str>,
    pub budget_item_code: Box<str>,
    pub class_code: Box<str>,
    /// goods, services or works.
    pub kind: Box<str>,
    pub method: Option<Box<str>>,
    pub budget: Decimal,
    pub started_on: NaiveDate,
    /// Another method was approved before it began.
    pub is_approved: bool,
    /// Nothing was bought.
    pub is_void: bool,
}

/// A row of `filings`.
#[derive(Debug, Clone)]
pub struct FilingRow {
    pub row: RowRef,
    pub hospital_id: Option<Box<str>>,
    pub national_code: Option<Box<str>>,
    pub product_id: Option<Box<str>>,
    pub valid_from: Option<NaiveDate>,
    pub valid_to: Option<NaiveDate>,
}

/// What the checks need: datasets, with the columns that must not be null in every row. A dataset that is not here
/// is asked for nothing.
pub const NEEDS: [(&str, &[&str]); 9] = [
    ("agreements", &["hospital_id", "kind"]),
    ("credit_records", &["record_type", "issued_on"]),
    ("declarations", &[]),
    ("filings", &[]),
    ("platform_listings", &["national_code", "listed_price"]),
    ("procurement_thresholds", &["amount"]),
    ("relations", &["from_id"]),
    ("staff", &["hospital_id", "id_number"]),
    (
        "tenders",
        &["hospital_id", "budget_item_code", "catalogue_code", "budget"],
    ),
];

/// What is known of a dataset as a whole. One that was never synced has no state.
#[derive(Debug, Clone, Default)]
pub struct DatasetState {
    pub last_synced: Option<DateTime<Utc>>,
    pub has_rows: bool,
    /// Of the columns that the checks need, those that are null in every row.
    pub empty_columns: Vec<Box<str>>,
}

/// Everything of one snapshot that screening looks at.
#[derive(Debug, Clone, Default)]
pub struct ScreeningInput {
    pub snapshot: i64,
    pub parties: Vec<PartyRow>,
    pub credit_records: Vec<CreditRecord>,
    pub agreements: Vec<AgreementRow>,
    pub thresholds: Vec<ThresholdRow>,
    pub listings: Vec<ListingRow>,
    pub products: Vec<ProductRow>,
    pub ties: Vec<StaffTie>,
    /// A limit cut the search for ties, so that some may be missing.
    pub ties_cut: bool,
    pub branches: Vec<BranchLink>,
    pub hospitals: Vec<HospitalRow>,
    pub tenders: Vec<TenderRow>,
    pub filings: Vec<FilingRow>,
    /// Synced datasets by name.
    pub datasets: BTreeMap<Box<str>, DatasetState>,
}

//! Screening: what is asked of a supplier, a party or an order before approval, and what is answered.
//!
//! Three answers are kept apart everywhere: a hit (a lead for review, never a finding of guilt), clean, and
//! "could not be computed". The last is never shown as clean.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::text::Bilingual;
use crate::value::Value;

/// What one check looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CheckKind {
    /// Who the supplier is: its code's check character, and whether name and code are one firm's.
    Identity,
    /// Bribery listings, credit ratings, penalties and judgements.
    Lists,
    /// Integrity agreement and commitment with the hospital.
    Agreement,
    /// Staff of the hospital tied to the supplier.
    Relations,
    /// Unit prices of the order's lines against the listings of the day.
    Price,
    /// The order's amount against the standard for public tender, alone and with what was bought before.
    Threshold,
    /// Listed products bought off the platform.
    Channel,
}

impl CheckKind {
    /// In the order they are made and shown.
    pub const ALL: [CheckKind; 7] = [
        Self::Identity,
        Self::Lists,
        Self::Agreement,
        Self::Relations,
        Self::Price,
        Self::Threshold,
        Self::Channel,
    ];

    /// The code on the wire and in output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "IDENTITY",
            Self::Lists => "LISTS",
            Self::Agreement => "AGREEMENT",
            Self::Relations => "RELATIONS",
            Self::Price => "PRICE",
            Self::Threshold => "THRESHOLD",
            Self::Channel => "CHANNEL",
        }
    }

    /// For people.
    pub fn title(self) -> Bilingual {
        let (zh, en) = match self {
            Self::Identity => ("主体识别", "identity"),
            Self::Lists => ("不良记录", "lists"),
            Self::Agreement => ("廉洁协议", "agreement"),
            Self::Relations => ("关联关系", "relations"),
            Self::Price => ("挂网价格", "price"),
            Self::Threshold => ("采购限额", "threshold"),
            Self::Channel => ("采购渠道", "channel"),
        };
        Bilingual::new(zh, en)
    }
}

/// The answer of a check or of a whole screening, worst last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Verdict {
    /// Everything that was asked was looked at, on data fresh enough, and nothing was found.
    Clean,
    /// Something needed is missing, stale or ambiguous, and nothing was found in the rest.
    NotComputed,
    /// Something was found. Other parts may still be not computed: see [`Screening::complete`].
    Hit,
}

impl Verdict {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "CLEAN",
            Self::NotComputed => "NOT_COMPUTED",
            Self::Hit => "HIT",
        }
    }

    /// For people.
    pub fn title(self) -> Bilingual {
        let (zh, en) = match self {
            Self::Clean => ("未发现", "clean"),
            Self::NotComputed => ("无法判断", "could not be computed"),
            Self::Hit => ("命中线索", "hit"),
        };
        Bilingual::new(zh, en)
    }
}

/// Who is screened. At least one of the three is given; a party id goes before a code, a code before a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenSubject {
    pub party_id: Option<String>,
    /// As written; its check character is looked at.
    pub uscc: Option<String>,
    pub name: Option<String>,
}

/// One line of an order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenOrderLine {
    /// From 1; 0: its place in the order counts.
    pub line_no: u32,
    pub product_id: Option<String>,
    pub product_name: Option<String>,
    pub national_code: Option<String>,
    /// Decimal text, in the product's unit.
    pub quantity: Option<String>,
    /// Decimal text, CNY per unit.
    pub unit_price: Option<String>,
    /// Decimal text, CNY; else quantity times price.
    pub amount: Option<String>,
}

/// An order before approval.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenOrder {
    pub order_id: Option<String>,
    /// Decimal text, CNY; else the sum of the lines.
    pub amount: Option<String>,
    /// Code of `tenders.category`: drug, consumable, reagent, equipment, works, service, goods.
    pub category: Option<String>,
    /// 品目编码, e.g. "A02320000": its first letter says goods, works or services.
    pub catalogue_code: Option<String>,
    pub budget_item_code: Option<String>,
    /// Code of `tenders.method`, e.g. "public", "inquiry", "direct".
    pub method: Option<String>,
    /// 采购方式批复文号, when another method was approved.
    pub method_approval_no: Option<String>,
    /// Code of `purchase_orders.channel`: platform, filed_offline, offline, emergency.
    pub channel: Option<String>,
    pub filing_no: Option<String>,
    pub lines: Vec<ScreenOrderLine>,
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScreenRequest {
    /// The caller's own mark, given back as it is.
    pub reference: String,
    pub subject: ScreenSubject,
    pub hospital_id: Option<String>,
    /// The day for which it is asked: each interval is half open, [from, to).
    pub as_of: NaiveDate,
    pub order: Option<ScreenOrder>,
    /// Empty: all for which the request gives the facts.
    pub checks: Vec<CheckKind>,
}

/// One row that a reason rests on, as it stands in the snapshot.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SourceRow {
    pub dataset: String,
    pub key: BTreeMap<String, Value>,
    pub source: String,
    /// Digest of the raw batch that last wrote the row.
    pub batch: String,
    /// Place in that batch, from 1.
    pub row: u64,
}

/// Why a check answers as it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reason {
    /// What this reason alone would answer.
    pub verdict: Verdict,
    /// UPPER_SNAKE, stable.
    pub code: &'static str,
    pub text: Bilingual,
    /// Of a hit: the lawful explanation to look for first. Empty otherwise.
    pub lawful_explanation: Bilingual,
    /// Of a hit: law and article; empty where none applies.
    pub legal_basis: String,
    pub evidence: Vec<SourceRow>,
    /// Hops of a tie, as the graph gives them.
    pub path: Vec<Value>,
    /// Line of the order it speaks of, from 1; 0: of the whole.
    pub line_no: u32,
    /// First day it holds; `None`: open.
    pub valid_from: Option<NaiveDate>,
    /// First day it no longer does; `None`: open.
    pub valid_to: Option<NaiveDate>,
}

/// The answer of one check. Its verdict is the worst of its reasons, of which there is at least one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    pub check: CheckKind,
    pub verdict: Verdict,
    pub reasons: Vec<Reason>,
}

/// A party that the subject is, or may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartyCandidate {
    pub party_id: String,
    pub name: String,
    pub uscc: Option<String>,
    /// How it was found: "party_id", "uscc", or the level of the comparison of names, e.g. "missing_suffix".
    pub level: &'static str,
    pub explanation: Bilingual,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Screening {
    pub reference: String,
    pub snapshot: i64,
    pub as_of: NaiveDate,
    /// The worst of the checks.
    pub verdict: Verdict,
    /// Whether every check and every part of it could be computed.
    pub complete: bool,
    /// Who the subject is; `None` when nobody in the lake, or not decided.
    pub party: Option<PartyCandidate>,
    /// Who it may be, best first; at most 10.
    pub candidates: Vec<PartyCandidate>,
    pub checks: Vec<CheckResult>,
    /// Checks that the request gives no facts for, each with what is lacking.
    pub not_asked: Vec<(CheckKind, Bilingual)>,
}

//! What a hit said, as it is kept: facts for lists and filters, detail (path and full evidence) for readers.
//!
//! Contents are immutable and named by their digest. Evidence is never cut.

use std::collections::{BTreeMap, HashMap};

use domain::hit::{EvidenceRow, Hit, evidence_digest};
use domain::rule::Severity;
use domain::{Bilingual, Value};
use serde::{Deserialize, Serialize};

use super::{Cell, Row, Transaction, fetch_in, insert_many};
use crate::error::{Error, Result};
use crate::fingerprint::content_digest;

/// What an alert says besides its evidence, its state and its dates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    pub rule_version: u32,
    pub severity: Severity,
    pub hospital_id: Option<String>,
    pub identity: BTreeMap<String, Value>,
    pub subject: BTreeMap<String, Value>,
    pub amount_at_risk: Option<String>,
    pub message: Bilingual,
}

/// What an alert rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Detail {
    pub path: Vec<Value>,
    pub evidence: Vec<EvidenceRow>,
}

/// A content ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    pub digest: String,
    pub evidence_digest: String,
    pub facts: String,
    pub detail: String,
}

#[derive(Serialize)]
struct DetailRef<'a> {
    path: &'a [Value],
    evidence: &'a [EvidenceRow],
}

impl Content {
    /// What `hit` says under this version of its rule.
    pub fn of(hit: &Hit, rule_version: u32, severity: Severity) -> Result<Self> {
        let facts = encode(
            "what a hit says",
            &Facts {
                rule_version,
                severity,
                hospital_id: hospital_id(hit),
                identity: hit.identity.iter().cloned().collect(),
                subject: hit.subject.clone(),
                amount_at_risk: hit.amount_at_risk.clone(),
                message: hit.message.clone(),
            },
        )?;
        let detail = encode(
            "a hit's evidence",
            &DetailRef {
                path: &hit.path,
                evidence: &hit.evidence,
            },
        )?;
        Ok(Self {
            digest: content_digest(&facts, &detail),
            evidence_digest: evidence_digest(&hit.evidence),
            facts,
            detail,
        })
    }

    /// What it says, without path and evidence.
    pub fn facts(&self) -> Result<Facts> {
        decode("what a hit says", &self.facts)
    }
}

/// The hospital a hit is about: the subject's role `hospital` or `hospital_id`, else the identity column
/// `hospital_id`.
fn hospital_id(hit: &Hit) -> Option<String> {
    let in_identity = || {
        hit.identity
            .iter()
            .find(|(name, _)| name == "hospital_id")
            .map(|(_, v)| v)
    };
    hit.subject
        .get("hospital")
        .or_else(|| hit.subject.get("hospital_id"))
        .or_else(in_identity)
        .filter(|v| matches!(v, Value::Text(_) | Value::Int(_)))
        .map(Value::to_string)
}

pub fn encode<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|source| Error::Encode { what, source })
}

pub fn decode<'a, T: Deserialize<'a>>(what: &'static str, text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(|source| Error::Decode { what, source })
}

/// Reads facts fetched beside other columns.
pub fn facts(row: &mut Row) -> Result<Facts> {
    decode("what an alert says", &row.text()?)
}

/// Stores contents that are not there yet.
pub async fn insert(tx: &mut dyn Transaction, contents: Vec<Content>) -> Result<()> {
    let rows = contents
        .into_iter()
        .map(|c| vec![Cell::from(c.digest), Cell::from(c.facts), Cell::from(c.detail)])
        .collect();
    insert_many(
        tx,
        "storing evidence",
        "contents",
        &["digest", "facts", "detail"],
        "on conflict (digest) do nothing",
        rows,
    )
    .await
}

/// Facts, path and evidence of these contents, by digest.
pub async fn load(tx: &mut dyn Transaction, digests: &[String]) -> Result<HashMap<String, (Facts, Detail)>> {
    let rows = fetch_in(
        tx,
        "reading evidence",
        "select digest, facts, detail from contents where digest in",
        digests,
    )
    .await?;
    rows.into_iter()
        .map(|mut row| {
            Ok((
                row.text()?,
                (facts(&mut row)?, decode("an alert's evidence", &row.text()?)?),
            ))
        })
        .collect()
}

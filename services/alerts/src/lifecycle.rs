//! What a run's outcome does to alerts: the life cycle, as a function without a store.
//!
//! | before | the run says | after | event | counted as |
//! |---|---|---|---|---|
//! | no alert | hit | OPEN, episode 1 | OPENED | opened |
//! | OPEN | hit, same content | OPEN, last_seen moves | none | updated |
//! | OPEN | hit, other content | OPEN | UPDATED | updated, changed |
//! | CLEARED, STALE, WITHDRAWN | hit | OPEN | REOPENED | reopened |
//! | CLOSED | hit, no new evidence row | CLOSED | none | suppressed |
//! | CLOSED up to 180 days before as_of | hit with a new evidence row | OPEN | REOPENED | reopened |
//! | CLOSED longer before as_of | hit with a new evidence row | next episode, OPEN | OPENED | opened |
//! | OPEN, CLEARED, STALE, WITHDRAWN | looked, no hit, evidence rows stand | CLEARED | CLEARED | cleared |
//! | OPEN, CLEARED, STALE, WITHDRAWN | looked, no hit, some row changed or gone | WITHDRAWN | WITHDRAWN | withdrawn |
//! | OPEN, CLEARED, STALE | could not look (NOT_EVALUABLE, FAILED) | STALE | STALE | stale |
//! | WITHDRAWN | could not look | WITHDRAWN: that a record vanished stays true | none | - |
//! | CLOSED | no hit | CLOSED: only people and new evidence move it | none | - |
//!
//! An event is written only when the state or the content changes; content is all that an alert says
//! (severity and rule version included) besides `last_seen` and `as_of`. A CAPPED rule has looked as far as
//! its last kept hit; alerts whose identity sorts beyond it stay as they are. A run *before* the one that
//! last judged an alert, by (as_of, snapshot), leaves an occurrence and changes nothing else of it: its hits
//! count as updated (as suppressed when the alert is closed).

use std::collections::{HashMap, HashSet};

use chrono::{Days, NaiveDate};
use domain::Value;
use domain::alert::{AlertEventKind, AlertState, RuleCounts};
use domain::hit::{RuleOutcome, RuleState};
use domain::ports::EvidenceRef;

use crate::fingerprint::evidence_key;
use crate::store::content::{Content, Detail, Facts};
use crate::store::records::AlertRow;
use crate::store::runs::Occurrence;

/// A closed alert with new evidence reopens within this time; later a new episode begins.
const EPISODE_GAP_DAYS: u64 = 180;

/// A hit with its digests.
#[derive(Debug)]
pub struct Seen {
    pub fingerprint: String,
    pub content: Content,
    /// As the rule declares it, for comparing with the cap.
    pub identity: Vec<Value>,
    /// (dataset, key, hash) of each evidence row, canonical.
    pub evidence: Vec<Vec<u8>>,
}

/// The run that judges.
#[derive(Debug, Clone, Copy)]
pub struct Judge<'a> {
    pub run_id: &'a str,
    pub as_of: NaiveDate,
    pub snapshot: i64,
}

/// What is known of earlier alerts' evidence.
#[derive(Debug, Default)]
pub struct Knowledge {
    /// By content digest.
    pub contents: HashMap<String, (Facts, Detail)>,
    /// Whether a row still stands unchanged.
    pub stands: HashMap<EvidenceRef, bool>,
}

/// An alert to be stored.
#[derive(Debug)]
pub struct Change {
    /// Number 0: new, to be named.
    pub row: AlertRow,
    /// None: only dates move, nobody is told.
    pub event: Option<AlertEventKind>,
    /// The hit seen, if one was.
    pub occurrence: Option<Occurrence>,
    /// False: only the occurrence is to be stored.
    pub save: bool,
}

/// All that one rule's outcome does.
#[derive(Debug)]
pub struct Judgement {
    pub counts: RuleCounts,
    pub changes: Vec<Change>,
}

/// Alerts of the rule without a hit that the run may judge, by alert id; `known` by fingerprint.
fn missing<'a>(seen: &[Seen], known: &'a HashMap<String, AlertRow>, judge: Judge<'_>) -> Vec<&'a AlertRow> {
    let hit: HashSet<&str> = seen.iter().map(|s| s.fingerprint.as_str()).collect();
    let mut rows: Vec<&AlertRow> = known
        .values()
        .filter(|row| row.state != AlertState::Closed && !hit.contains(row.fingerprint.as_str()))
        .filter(|row| row.may_be_judged_at(judge.as_of, judge.snapshot))
        .collect();
    rows.sort_by(|a, b| a.alert_id.cmp(&b.alert_id));
    rows
}

/// Contents whose evidence must be known before judging.
pub fn contents_needed(
    outcome: &RuleOutcome,
    seen: &[Seen],
    known: &HashMap<String, AlertRow>,
    judge: Judge<'_>,
) -> Vec<String> {
    let mut needed = HashSet::new();
    if has_looked(outcome.state) {
        needed.extend(
            missing(seen, known, judge)
                .into_iter()
                .map(|row| row.content.clone()),
        );
    }
    for s in seen {
        if let Some(row) = known.get(&s.fingerprint)
            && row.state == AlertState::Closed
            && row.evidence_digest != s.content.evidence_digest
        {
            needed.insert(row.content.clone());
        }
    }
    needed.into_iter().collect()
}

/// Evidence rows of missing alerts whose standing is not known yet.
pub fn rows_to_check(
    outcome: &RuleOutcome,
    seen: &[Seen],
    known: &HashMap<String, AlertRow>,
    judge: Judge<'_>,
    knowledge: &Knowledge,
) -> Vec<EvidenceRef> {
    if !has_looked(outcome.state) {
        return Vec::new();
    }
    missing(seen, known, judge)
        .into_iter()
        .filter_map(|row| knowledge.contents.get(&row.content))
        .flat_map(|(_, detail)| refs(detail))
        .filter(|r| !knowledge.stands.contains_key(r))
        .collect()
}

fn has_looked(state: RuleState) -> bool {
    matches!(state, RuleState::Evaluated | RuleState::Capped)
}

fn refs(detail: &Detail) -> impl Iterator<Item = EvidenceRef> + '_ {
    detail.evidence.iter().map(|row| EvidenceRef {
        dataset: row.dataset.clone(),
        key: row.key.clone(),
        hash: row.hash.clone(),
    })
}

/// Judges one rule's alerts.
pub fn judge_rule(
    outcome: &RuleOutcome,
    seen: &[Seen],
    known: &HashMap<String, AlertRow>,
    judge: Judge<'_>,
    knowledge: &Knowledge,
) -> Judgement {
    let mut judgement = Judgement {
        counts: RuleCounts {
            hits: seen.len() as u64 + outcome.capped,
            capped: outcome.capped,
            ..RuleCounts::default()
        },
        changes: Vec::with_capacity(seen.len()),
    };
    for hit in seen {
        let change = match known.get(&hit.fingerprint) {
            None => open(outcome, hit, judge, None, &mut judgement.counts),
            Some(row) => again(outcome, hit, row, judge, knowledge, &mut judgement.counts),
        };
        judgement.changes.push(change);
    }
    let last_kept = seen.iter().map(|s| &s.identity).max();
    for row in missing(seen, known, judge) {
        let beyond_cap = outcome.state == RuleState::Capped
            && knowledge
                .identity_of(row, &outcome.rule.identity)
                .is_none_or(|identity| last_kept.is_none_or(|last| identity > *last));
        if !beyond_cap {
            judgement
                .changes
                .extend(not_seen(outcome, row, judge, knowledge, &mut judgement.counts));
        }
    }
    judgement
}

fn occurrence(outcome: &RuleOutcome, hit: &Seen, alert_no: i64) -> Option<Occurrence> {
    Some(Occurrence {
        alert_no,
        rule_version: outcome.rule.version,
        evidence_digest: hit.content.evidence_digest.clone(),
        content: hit.content.digest.clone(),
    })
}

/// A first alert of its fingerprint, or the next episode after `previous`.
fn open(
    outcome: &RuleOutcome,
    hit: &Seen,
    judge: Judge<'_>,
    previous: Option<&AlertRow>,
    counts: &mut RuleCounts,
) -> Change {
    counts.opened += 1;
    Change {
        row: AlertRow {
            alert_no: 0,
            alert_id: String::new(),
            fingerprint: hit.fingerprint.clone(),
            episode: previous.map_or(1, |p| p.episode + 1),
            rule_id: outcome.rule.id.clone(),
            severity: outcome.rule.severity,
            state: AlertState::Open,
            first_seen: judge.as_of,
            last_seen: judge.as_of,
            as_of: judge.as_of,
            snapshot: judge.snapshot,
            content: hit.content.digest.clone(),
            evidence_digest: hit.content.evidence_digest.clone(),
            revision: 0,
            kind: AlertEventKind::Opened,
            seen_run: judge.run_id.to_owned(),
            previous_alert_id: previous.map(|p| p.alert_id.clone()),
            closed_on: None,
        },
        event: Some(AlertEventKind::Opened),
        occurrence: occurrence(outcome, hit, 0),
        save: true,
    }
}

/// A hit of a known alert.
fn again(
    outcome: &RuleOutcome,
    hit: &Seen,
    row: &AlertRow,
    judge: Judge<'_>,
    knowledge: &Knowledge,
    counts: &mut RuleCounts,
) -> Change {
    let untouched = || Change {
        row: row.clone(),
        event: None,
        occurrence: occurrence(outcome, hit, row.alert_no),
        save: false,
    };
    let current = row.may_be_judged_at(judge.as_of, judge.snapshot);
    if row.state == AlertState::Closed {
        if !current || !has_new_evidence(hit, row, knowledge) {
            counts.suppressed += 1;
            return untouched();
        }
        if closed_long_before(row, judge.as_of) {
            return open(outcome, hit, judge, Some(row), counts);
        }
    } else if !current {
        counts.updated += 1;
        return untouched();
    }
    let changed = row.content != hit.content.digest;
    let event = if row.state != AlertState::Open {
        counts.reopened += 1;
        Some(AlertEventKind::Reopened)
    } else {
        counts.updated += 1;
        counts.changed += u64::from(changed);
        changed.then_some(AlertEventKind::Updated)
    };
    let next = AlertRow {
        severity: outcome.rule.severity,
        state: AlertState::Open,
        last_seen: judge.as_of,
        as_of: judge.as_of,
        snapshot: judge.snapshot,
        content: hit.content.digest.clone(),
        evidence_digest: hit.content.evidence_digest.clone(),
        seen_run: judge.run_id.to_owned(),
        closed_on: None,
        ..row.clone()
    };
    Change {
        save: next != *row,
        event,
        occurrence: occurrence(outcome, hit, row.alert_no),
        row: next,
    }
}

/// Whether the hit rests on a row that the closed alert did not rest on.
fn has_new_evidence(hit: &Seen, row: &AlertRow, knowledge: &Knowledge) -> bool {
    if hit.content.evidence_digest == row.evidence_digest {
        return false;
    }
    let Some((_, detail)) = knowledge.contents.get(&row.content) else {
        return true;
    };
    let closed: HashSet<Vec<u8>> = detail
        .evidence
        .iter()
        .map(|r| evidence_key(&r.dataset, &r.key, &r.hash))
        .collect();
    hit.evidence.iter().any(|key| !closed.contains(key))
}

fn closed_long_before(row: &AlertRow, as_of: NaiveDate) -> bool {
    row.closed_on
        .and_then(|day| day.checked_add_days(Days::new(EPISODE_GAP_DAYS)))
        .is_some_and(|limit| limit < as_of)
}

/// An alert that the rule did not yield this time.
fn not_seen(
    outcome: &RuleOutcome,
    row: &AlertRow,
    judge: Judge<'_>,
    knowledge: &Knowledge,
    counts: &mut RuleCounts,
) -> Option<Change> {
    let (state, kind) = if has_looked(outcome.state) {
        let stands = knowledge
            .contents
            .get(&row.content)
            .is_some_and(|(_, detail)| refs(detail).all(|r| knowledge.stands.get(&r) == Some(&true)));
        if stands {
            counts.cleared += 1;
            (AlertState::Cleared, AlertEventKind::Cleared)
        } else {
            counts.withdrawn += 1;
            (AlertState::Withdrawn, AlertEventKind::Withdrawn)
        }
    } else if row.state == AlertState::Withdrawn {
        return None;
    } else {
        counts.stale += 1;
        (AlertState::Stale, AlertEventKind::Stale)
    };
    let event = (state != row.state).then_some(kind);
    let next = AlertRow {
        state,
        as_of: judge.as_of,
        snapshot: judge.snapshot,
        ..row.clone()
    };
    (next != *row).then_some(Change {
        row: next,
        event,
        occurrence: None,
        save: true,
    })
}

// === impl Knowledge ===

impl Knowledge {
    /// The alert's identity in the order the rule declares; None when the rule now declares other columns.
    fn identity_of(&self, row: &AlertRow, declared: &[String]) -> Option<Vec<Value>> {
        let (facts, _) = self.contents.get(&row.content)?;
        if facts.identity.len() != declared.len() {
            return None;
        }
        declared
            .iter()
            .map(|name| facts.identity.get(name).cloned())
            .collect()
    }
}

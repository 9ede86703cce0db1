//! Recording a run: everything it did becomes visible in one commit, or nothing does.
//!
//! The evidence of alerts that were not hit again must be looked up in the lake, which may take long; the
//! commit section is not held meanwhile. It is entered, what must be asked is found out, it is left again,
//! the lake is asked, and all is read afresh. Answers are kept, so this ends.
//!
//! A run that is recorded already changes nothing, with one exception: another run of its rules on the same
//! snapshot and date was recorded since (other parameters were tried), and what stands now differs from
//! this run's judgement. Then its alerts are judged again and the run moves to the end of the order; no
//! second occurrence is written.

use std::collections::{HashMap, HashSet};

use domain::alert::{AlertEvent, AlertEventKind, RuleCounts};
use domain::hit::{RuleOutcome, RunOutput};
use domain::ports::{EvidenceCheck, EvidenceRef, RuleRunRecord, RunPreview, RunRecord};

use crate::error::{Error, Result};
use crate::fingerprint::{evidence_key, fingerprint, run_id};
use crate::lifecycle::{self, Change, Judge, Knowledge, Seen};
use crate::store::content::{self, Content, Detail};
use crate::store::log::{self, NewEvent};
use crate::store::records::{self, AlertRow};
use crate::store::runs::{self, Occurrence};
use crate::store::{BoxTransaction, Database, Transaction};

/// Changes that a preview lists, at most.
const PREVIEW_EVENTS_MAX: usize = 200;

/// Records `output`; `now` (RFC 3339) is when. Returns the run as recorded, with this recording's counts,
/// and whether anything was committed.
pub async fn record(
    database: &dyn Database,
    output: &RunOutput,
    rows: &dyn EvidenceCheck,
    now: &str,
) -> Result<(RunRecord, bool)> {
    let Judged {
        mut tx,
        run_id,
        rules,
        seen,
        known,
        counts,
        changes,
        ..
    } = judged(database, output, rows, Opening::Write).await?;
    let seq = runs::last_seq(&mut *tx).await? + 1;
    let again = runs::is_recorded(&mut *tx, &run_id).await?;
    let committed = if !again {
        content::insert(&mut *tx, new_contents(&seen, &known)).await?;
        runs::insert(&mut *tx, &run_id, seq, output, &counts, now).await?;
        apply(&mut *tx, &run_id, Some((seq, output)), changes, now).await?;
        true
    } else if runs::overtaken(&mut *tx, &run_id, &rules).await?
        && changes.iter().any(|change| change.event.is_some())
    {
        runs::move_to(&mut *tx, &run_id, seq).await?;
        apply(&mut *tx, &run_id, None, changes, now).await?;
        true
    } else {
        false
    };
    if committed {
        tx.commit().await?;
    } else {
        tx.rollback().await?;
    }
    Ok((run_record(run_id, output, counts), committed))
}

/// What [`record`] would do. Waits for no writer and keeps none waiting.
pub async fn preview(
    database: &dyn Database,
    output: &RunOutput,
    rows: &dyn EvidenceCheck,
) -> Result<RunPreview> {
    let mut judged = judged(database, output, rows, Opening::Read).await?;
    // One that is recorded already changes nothing, unless another run of its rules came after it.
    let tx = &mut *judged.tx;
    let is_idle = runs::is_recorded(tx, &judged.run_id).await?
        && !runs::overtaken(tx, &judged.run_id, &judged.rules).await?;
    let mut changes: Vec<(AlertEventKind, AlertRow)> = judged
        .changes
        .into_iter()
        .filter(|_| !is_idle)
        .filter_map(|change| Some((change.event?, change.row)))
        .collect();
    let events_total = changes.len() as u64;
    changes.truncate(PREVIEW_EVENTS_MAX);
    let said: HashMap<&str, &Content> = judged
        .seen
        .iter()
        .flatten()
        .map(|hit| (hit.content.digest.as_str(), &hit.content))
        .collect();
    // What alerts say that this run did not hit.
    let earlier: Vec<String> = changes
        .iter()
        .map(|(_, row)| row.content.clone())
        .filter(|digest| !said.contains_key(digest.as_str()))
        .collect();
    let earlier = content::load(&mut *judged.tx, &earlier).await?;
    judged.tx.rollback().await?;
    let mut events = Vec::with_capacity(changes.len());
    for (kind, row) in changes {
        let facts = match said.get(row.content.as_str()) {
            Some(content) => content.facts()?,
            None => {
                let (facts, _) = earlier.get(&row.content).ok_or(Error::Corrupt {
                    place: "contents",
                    expected: "the content of an alert",
                })?;
                facts.clone()
            }
        };
        let nothing = Detail {
            path: Vec::new(),
            evidence: Vec::new(),
        };
        events.push(AlertEvent {
            revision: 0,
            kind,
            alert: row.alert(facts, nothing),
        });
    }
    Ok(RunPreview {
        run: run_record(judged.run_id, output, judged.counts),
        events,
        events_total,
    })
}

/// What a run is judged in.
#[derive(Debug, Clone, Copy)]
enum Opening {
    /// The commit section.
    Write,
    /// One view of what is committed.
    Read,
}

/// A run judged against what the store holds, and the transaction in which that holds.
struct Judged {
    tx: BoxTransaction,
    run_id: String,
    rules: Vec<String>,
    /// Of each rule.
    seen: Vec<Vec<Seen>>,
    known: Known,
    counts: Vec<RuleCounts>,
    changes: Vec<Change>,
}

async fn judged(
    database: &dyn Database,
    output: &RunOutput,
    rows: &dyn EvidenceCheck,
    opening: Opening,
) -> Result<Judged> {
    let rules = rule_ids(output)?;
    let seen = output.outcomes.iter().map(hits_of).collect::<Result<Vec<_>>>()?;
    let run_id = run_id(
        output,
        seen.iter().enumerate().map(|(position, hits)| {
            (
                position,
                hits.iter()
                    .map(|h| (h.fingerprint.as_str(), h.content.digest.as_str()))
                    .collect(),
            )
        }),
    );
    let judge = Judge {
        run_id: &run_id,
        as_of: output.as_of,
        snapshot: output.snapshot,
    };
    let mut knowledge = Knowledge::default();
    loop {
        let mut tx = match opening {
            Opening::Write => database.write().await?,
            Opening::Read => database.read().await?,
        };
        let known = records::latest_episodes(&mut *tx, &rules).await?;
        let none = HashMap::new();
        let of_rule = |outcome: &RuleOutcome| known.get(&outcome.rule.id).unwrap_or(&none);

        let mut needed = Vec::new();
        for (outcome, hits) in output.outcomes.iter().zip(&seen) {
            needed.extend(lifecycle::contents_needed(outcome, hits, of_rule(outcome), judge));
        }
        needed.retain(|digest| !knowledge.contents.contains_key(digest));
        knowledge.contents.extend(content::load(&mut *tx, &needed).await?);

        let mut ask = HashSet::new();
        for (outcome, hits) in output.outcomes.iter().zip(&seen) {
            ask.extend(lifecycle::rows_to_check(
                outcome,
                hits,
                of_rule(outcome),
                judge,
                &knowledge,
            ));
        }
        if !ask.is_empty() {
            tx.rollback().await?;
            ask_lake(rows, ask, &mut knowledge).await?;
            continue;
        }

        let mut counts = Vec::with_capacity(output.outcomes.len());
        let mut changes = Vec::new();
        for (outcome, hits) in output.outcomes.iter().zip(&seen) {
            let judged = lifecycle::judge_rule(outcome, hits, of_rule(outcome), judge, &knowledge);
            check_conservation(outcome, &judged.counts)?;
            counts.push(judged.counts);
            changes.extend(judged.changes);
        }
        return Ok(Judged {
            tx,
            run_id,
            rules,
            seen,
            known,
            counts,
            changes,
        });
    }
}

/// Newest episodes by rule and fingerprint.
type Known = HashMap<String, HashMap<String, AlertRow>>;

fn rule_ids(output: &RunOutput) -> Result<Vec<String>> {
    let mut seen = HashSet::new();
    for outcome in &output.outcomes {
        if !seen.insert(outcome.rule.id.as_str()) {
            return Err(Error::DuplicateRule {
                rule_id: outcome.rule.id.clone(),
            });
        }
    }
    Ok(output.outcomes.iter().map(|o| o.rule.id.clone()).collect())
}

/// The hits of one rule with their digests.
fn hits_of(outcome: &RuleOutcome) -> Result<Vec<Seen>> {
    let mut fingerprints = HashSet::with_capacity(outcome.hits.len());
    let mut seen = Vec::with_capacity(outcome.hits.len());
    for hit in &outcome.hits {
        let fingerprint = fingerprint(&outcome.rule.id, &hit.identity);
        if !fingerprints.insert(fingerprint.clone()) {
            let identity = hit.identity.iter().map(|(name, value)| format!("{name}={value}"));
            return Err(Error::DuplicateIdentity {
                rule_id: outcome.rule.id.clone(),
                identity: identity.collect::<Vec<_>>().join(", "),
            });
        }
        seen.push(Seen {
            fingerprint,
            content: Content::of(hit, outcome.rule.version, outcome.rule.severity)?,
            identity: hit.identity.iter().map(|(_, value)| value.clone()).collect(),
            evidence: hit
                .evidence
                .iter()
                .map(|r| evidence_key(&r.dataset, &r.key, &r.hash))
                .collect(),
        });
    }
    Ok(seen)
}

/// What was said that no alert says already.
fn new_contents(seen: &[Vec<Seen>], known: &Known) -> Vec<Content> {
    let stored: HashSet<&str> = known
        .values()
        .flat_map(HashMap::values)
        .map(|row| row.content.as_str())
        .collect();
    let new = seen
        .iter()
        .flatten()
        .filter(|hit| !stored.contains(hit.content.digest.as_str()));
    new.map(|hit| hit.content.clone()).collect()
}

async fn ask_lake(
    rows: &dyn EvidenceCheck,
    ask: HashSet<EvidenceRef>,
    knowledge: &mut Knowledge,
) -> Result<()> {
    let mut asked: Vec<EvidenceRef> = ask.into_iter().collect();
    asked.sort();
    let answers = rows
        .unchanged(asked.clone())
        .await
        .map_err(Error::EvidenceCheck)?;
    if answers.len() != asked.len() {
        return Err(Error::EvidenceAnswers {
            asked: asked.len(),
            got: answers.len(),
        });
    }
    knowledge.stands.extend(asked.into_iter().zip(answers));
    Ok(())
}

fn check_conservation(outcome: &RuleOutcome, counts: &RuleCounts) -> Result<()> {
    if counts.holds() {
        return Ok(());
    }
    Err(Error::Conservation {
        rule_id: outcome.rule.id.clone(),
        counts: format!(
            "{} hits, {} opened, {} updated, {} reopened, {} suppressed, {} capped",
            counts.hits, counts.opened, counts.updated, counts.reopened, counts.suppressed, counts.capped
        ),
    })
}

/// Stores changes and their events. `occurrences`: the run's place, when its occurrences are to be written.
async fn apply(
    tx: &mut dyn Transaction,
    run_id: &str,
    occurrences: Option<(i64, &RunOutput)>,
    mut changes: Vec<Change>,
    now: &str,
) -> Result<()> {
    let new: Vec<&mut AlertRow> = changes
        .iter_mut()
        .map(|c| &mut c.row)
        .filter(|row| row.alert_no == 0)
        .collect();
    records::name_new(tx, new).await?;

    let mut revision = log::state(tx).await?.last_revision;
    for change in &mut changes {
        if let Some(kind) = change.event {
            revision += 1;
            change.row.revision = revision;
            change.row.kind = kind;
        }
        if let Some(occurrence) = &mut change.occurrence {
            occurrence.alert_no = change.row.alert_no;
        }
    }
    let save: Vec<&AlertRow> = changes.iter().filter(|c| c.save).map(|c| &c.row).collect();
    records::save(tx, &save).await?;
    let events = changes
        .iter()
        .filter(|c| c.event.is_some())
        .map(|c| NewEvent {
            row: &c.row,
            run_id: Some(run_id),
        })
        .collect();
    log::append(tx, events, now).await?;
    if let Some((seq, output)) = occurrences {
        let seen: Vec<Occurrence> = changes.iter().filter_map(|c| c.occurrence.clone()).collect();
        runs::insert_occurrences(tx, run_id, seq, output.as_of, &seen).await?;
    }
    Ok(())
}

fn run_record(run_id: String, output: &RunOutput, counts: Vec<RuleCounts>) -> RunRecord {
    let rules = output
        .outcomes
        .iter()
        .zip(counts)
        .map(|(outcome, counts)| RuleRunRecord {
            rule_id: outcome.rule.id.clone(),
            rule_version: outcome.rule.version,
            rule_hash: outcome.rule_hash.clone(),
            state: outcome.state,
            reason_code: outcome.reason.as_ref().map(|(code, _)| code.clone()),
            reason: outcome.reason.as_ref().map(|(_, text)| text.clone()),
            counts,
            elapsed_ms: outcome.elapsed_ms,
        })
        .collect();
    RunRecord {
        run_id,
        snapshot: output.snapshot,
        as_of: output.as_of,
        bundle_hash: output.bundle_hash.clone(),
        rules,
    }
}

/// Closes an alert by a person; `today` is the date in China, `now` RFC 3339.
pub async fn close(
    database: &dyn Database,
    alert_id: &str,
    actor: &str,
    reason: &str,
    today: chrono::NaiveDate,
    now: &str,
) -> Result<()> {
    for (value, missing) in [(actor, "the name of who closes it"), (reason, "a reason")] {
        if value.trim().is_empty() {
            return Err(Error::CloseIncomplete { missing });
        }
    }
    let mut tx = database.write().await?;
    let (mut row, _) = records::by_id(&mut *tx, alert_id).await?;
    if row.state == domain::alert::AlertState::Closed {
        return Err(Error::AlreadyClosed {
            alert_id: alert_id.to_owned(),
        });
    }
    row.state = domain::alert::AlertState::Closed;
    row.closed_on = Some(today);
    row.kind = AlertEventKind::Closed;
    row.revision = log::state(&mut *tx).await?.last_revision + 1;
    records::save(&mut *tx, &[&row]).await?;
    log::append(
        &mut *tx,
        vec![NewEvent {
            row: &row,
            run_id: None,
        }],
        now,
    )
    .await?;
    records::insert_closure(&mut *tx, &row, actor, reason, now.to_owned()).await?;
    tx.commit().await
}

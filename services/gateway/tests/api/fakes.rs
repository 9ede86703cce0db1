//! Small working stand-ins for the ports: an in-memory world with one rule over a list of orders. Whatever is asked
//! to "hang" never ends, and tells when it was begun and when it was dropped.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, NaiveDate};
use domain::alert::{Alert, AlertEvent, AlertEventKind, AlertState, RuleCounts};
use domain::clock::FixedClock;
use domain::hit::{EvidenceRow, Hit, RuleOutcome, RuleState, RunOutput, evidence_digest};
use domain::ports::*;
use domain::rule::RuleSpec;
use domain::{Bilingual, Failure, FailureKind, Value};
use futures::{StreamExt as _, stream};
use gateway::Ports;
use tokio::sync::{mpsc, watch};

pub const RULE: &str = "OFF-01";

pub struct World {
    /// Order id -> content hash.
    pub orders: Mutex<BTreeMap<String, String>>,
    alerts: Mutex<BTreeMap<String, Alert>>,
    outputs: Mutex<Vec<RunOutput>>,
    /// Batches that were committed: (batch, rows).
    pub pushed: Mutex<Vec<(String, usize)>>,
    events: watch::Sender<Vec<AlertEvent>>,
    /// Calls that hang now, and those that were dropped.
    pub hanging: watch::Sender<(usize, usize)>,
    pub judgements: Mutex<Vec<domain::judgements::PartyJudgement>>,
}

impl World {
    pub fn new(orders: usize) -> Arc<Self> {
        let orders = (0..orders)
            .map(|n| (format!("PO-{n:05}"), format!("{n:064x}")))
            .collect();
        Arc::new(Self {
            orders: Mutex::new(orders),
            alerts: Mutex::default(),
            outputs: Mutex::default(),
            pushed: Mutex::default(),
            events: watch::Sender::new(Vec::new()),
            hanging: watch::Sender::new((0, 0)),
            judgements: Mutex::default(),
        })
    }

    pub fn ports(self: &Arc<Self>) -> Ports {
        Ports {
            sync: self.clone(),
            sources: self.clone(),
            schedule: self.clone(),
            collision: self.clone(),
            alerts: self.clone(),
            query: self.clone(),
            graph: self.clone(),
            judgements: self.clone(),
            screening: Arc::new(crate::screening::port()),
            clock: Arc::new(FixedClock(
                DateTime::from_timestamp(1_738_310_400, 0).expect("valid"),
            )),
        }
    }

    /// Resolves when `n` calls have begun to hang.
    pub async fn begun(&self, n: usize) {
        self.hanging
            .subscribe()
            .wait_for(|(begun, _)| *begun >= n)
            .await
            .expect("the world goes on");
    }

    /// Resolves when `n` hanging calls were dropped.
    pub async fn dropped(&self, n: usize) {
        self.hanging
            .subscribe()
            .wait_for(|(_, dropped)| *dropped >= n)
            .await
            .expect("the world goes on");
    }

    async fn hang<T>(&self) -> T {
        struct Guard<'a>(&'a World);
        impl Drop for Guard<'_> {
            fn drop(&mut self) {
                self.0.hanging.send_modify(|(_, dropped)| *dropped += 1);
            }
        }
        let _guard = Guard(self);
        self.hanging.send_modify(|(begun, _)| *begun += 1);
        std::future::pending().await
    }
}

fn report(mut source: String, read: u64) -> SyncReport {
    if source.is_empty() {
        source = "files".into();
    }
    let counts = DatasetCounts {
        dataset: "purchase_orders".into(),
        read,
        inserted: read,
        ..Default::default()
    };
    SyncReport {
        source,
        snapshot: 1,
        datasets: vec![counts],
        ..Default::default()
    }
}

#[async_trait]
impl SyncPort for World {
    async fn sync_files(&self, request: SyncFilesRequest, progress: Arc<dyn Progress>) -> Result<SyncReport> {
        let stage = Bilingual::new("读取", "reading");
        progress.report(ProgressUpdate {
            stage,
            done: 1,
            total: 2,
            unit: "bytes".into(),
        });
        match request.dir.to_str() {
            Some("/hang") => self.hang().await,
            Some("/panic") => panic!("a defect"),
            Some("/missing") => Err(Failure::not_found("DIRECTORY_NOT_FOUND", "/missing is not there")),
            _ => Ok(report(request.source, 3)),
        }
    }

    async fn sync_pushed(
        &self,
        source: String,
        batch_id: String,
        mut rows: mpsc::Receiver<PushedRows>,
        _: Arc<dyn Progress>,
    ) -> Result<SyncReport> {
        let mut read = 0;
        if batch_id == "hang" {
            rows.recv().await;
            return self.hang().await;
        }
        while let Some(part) = rows.recv().await {
            read += part.json_rows.len();
        }
        self.pushed.lock().expect("lock").push((batch_id, read));
        Ok(report(source, read as u64))
    }

    async fn quarantine(&self, _: QuarantineFilter, limit: usize) -> Result<Vec<QuarantineEntry>> {
        let entry = |row| QuarantineEntry {
            dataset: "bids".into(),
            file: "bids.csv".into(),
            row,
            field: Some("amount".into()),
            reason: "BAD_DECIMAL".into(),
            detail: "no number".into(),
            raw: "x,y".into(),
        };
        Ok((1..=120).map(entry).take(limit).collect())
    }
}

pub fn rule_spec() -> RuleSpec {
    serde_json::from_value(serde_json::json!({
        "id": RULE, "version": 3, "title": {"zh": "线下采购", "en": "Bought off the platform"},
        "target": "OFF", "status": "stable", "severity": "high", "certainty": "strong",
        "legal_basis": [{"law": "政府采购法", "article": "28", "effective_from": "2003-01-01"}],
        "why": {"zh": "因", "en": "because"}, "lawful_explanations": [{"zh": "应急", "en": "emergency"}],
        "inputs": [{"dataset": "purchase_orders"}], "params": {"days": 30}, "identity": ["order_id"],
        "subject": {"order": "order_id"},
        "evidence": [{"dataset": "purchase_orders", "key": ["order_id"], "column": "order_id"}],
        "message": {"zh": "订单 {order_id}", "en": "order {order_id}"}
    }))
    .expect("a valid rule")
}

#[async_trait]
impl CollisionPort for World {
    fn rules(&self) -> Vec<Rule> {
        vec![Rule {
            spec: Arc::new(rule_spec()),
            text: "select 1".into(),
            hash: "h1".into(),
            place: "rules/x.sql".into(),
        }]
    }

    /// One hit a look, named after its day.
    async fn backtest(&self, request: BacktestRequest, _: Arc<dyn Progress>) -> Result<BacktestReport> {
        let point = |day: &NaiveDate| BacktestPoint {
            as_of: *day,
            state: RuleState::Evaluated,
            reason: None,
            hits: 1,
            begun: 1,
            ended: 0,
            elapsed_ms: 1,
        };
        let hit = |day: &NaiveDate| BacktestHit {
            identity: request.params.clone(),
            message: Bilingual::new("甲", "a"),
            amount_at_risk: Some("1.50".into()),
            first_day: *day,
            last_day: *day,
        };
        Ok(BacktestReport {
            rule_version: 3,
            snapshot: request.snapshot.unwrap_or(7),
            points: request.days.iter().map(point).collect(),
            hits: request.days.iter().map(hit).collect(),
            hits_total: request.days.len() as u64,
            rule_id: request.rule_id,
        })
    }

    async fn run(&self, request: RunRequest, _: Arc<dyn Progress>) -> Result<RunOutput> {
        if request.snapshot == Some(404) {
            return Err(Failure::not_found(
                "SNAPSHOT_NOT_FOUND",
                "there is no snapshot 404",
            ));
        }
        let hit = |(order, hash): (&String, &String)| {
            let id = Value::text(order.as_str());
            let identity = BTreeMap::from([("order_id".to_owned(), id)]);
            Hit {
                identity: identity.clone().into_iter().collect(),
                subject: identity.clone(),
                amount_at_risk: Some("12.50".into()),
                message: Bilingual::new(format!("订单 {order}"), format!("order {order}")),
                path: Vec::new(),
                evidence: vec![EvidenceRow {
                    dataset: "purchase_orders".into(),
                    key: identity.clone(),
                    source: "his".into(),
                    batch: "b".into(),
                    row: 7,
                    hash: hash.clone(),
                    values: identity,
                    uncertain: Vec::new(),
                }],
                evidence_missing: Vec::new(),
            }
        };
        let hits = self.orders.lock().expect("lock").iter().map(hit).collect();
        let outcome = RuleOutcome {
            rule: Arc::new(rule_spec()),
            rule_hash: "h1".into(),
            rule_text: "select 1".into(),
            state: RuleState::Evaluated,
            reason: None,
            params: request
                .params
                .get(RULE)
                .cloned()
                .unwrap_or_else(|| rule_spec().params),
            hits,
            capped: 0,
            elapsed_ms: 1,
        };
        Ok(RunOutput {
            snapshot: request.snapshot.unwrap_or(1),
            as_of: request.as_of,
            bundle_hash: "bundle".into(),
            table_versions: BTreeMap::from([("purchase_orders".into(), 1)]),
            outcomes: vec![outcome],
            all_rules: request.rules.is_empty(),
        })
    }

    async fn test_rules(&self, rule: Option<String>) -> Result<Vec<RuleCaseResult>> {
        let rule_id = rule.unwrap_or(RULE.into());
        Ok(vec![RuleCaseResult {
            rule_id,
            case: "fires".into(),
            passed: true,
            detail: String::new(),
        }])
    }

    async fn mutate_rules(&self, _: Option<String>) -> Result<Vec<MutantResult>> {
        Ok(vec![MutantResult {
            rule_id: RULE.into(),
            mutation: "> to >=".into(),
            killed: true,
        }])
    }

    async fn lint_rules(&self) -> Result<Vec<String>> {
        Ok(vec!["rules/x.sql:3: no case at the boundary".into()])
    }

    async fn rows_unchanged(&self, rows: Vec<EvidenceRef>) -> Result<Vec<bool>> {
        let orders = self.orders.lock().expect("lock");
        let stands = |r: &EvidenceRef| orders.values().any(|hash| *hash == r.hash);
        Ok(rows.iter().map(stands).collect())
    }
}

fn no_such_alert(id: &str) -> Failure {
    Failure::not_found("ALERT_NOT_FOUND", format!("there is no alert {id}"))
}

impl World {
    fn emit(&self, kind: AlertEventKind, alert: Alert) {
        self.events.send_modify(|events| {
            let revision = events.len() as i64 + 1;
            events.push(AlertEvent {
                revision,
                kind,
                alert,
            });
        });
    }
}

/// A hit as an alert.
fn alert_of(hit: &Hit, output: &RunOutput) -> Alert {
    Alert {
        alert_id: format!("A-{}-1", hit.identity[0].1),
        fingerprint: "f".repeat(64),
        rule_id: RULE.into(),
        rule_version: 3,
        severity: output.outcomes[0].rule.severity,
        state: AlertState::Open,
        episode: 1,
        first_seen: output.as_of,
        last_seen: output.as_of,
        as_of: output.as_of,
        hospital_id: None,
        identity: hit.identity.iter().cloned().collect(),
        subject: hit.subject.clone(),
        amount_at_risk: hit.amount_at_risk.clone(),
        message: hit.message.clone(),
        path: hit.path.clone(),
        evidence: hit.evidence.clone(),
    }
}

fn run_of(output: &RunOutput, counts: RuleCounts) -> RunRecord {
    RunRecord {
        run_id: "run-1".into(),
        snapshot: output.snapshot,
        as_of: output.as_of,
        bundle_hash: output.bundle_hash.clone(),
        rules: vec![RuleRunRecord {
            rule_id: RULE.into(),
            rule_version: 3,
            rule_hash: "h1".into(),
            state: output.outcomes[0].state,
            reason_code: None,
            reason: None,
            counts,
            elapsed_ms: 1,
        }],
    }
}

#[async_trait]
impl AlertsPort for World {
    async fn record(&self, output: &RunOutput, rows: &dyn EvidenceCheck) -> Result<RunRecord> {
        let outcome = &output.outcomes[0];
        let mut counts = RuleCounts {
            hits: outcome.hits.len() as u64,
            ..Default::default()
        };
        for hit in &outcome.hits {
            let refs = hit.evidence.iter().map(|e| EvidenceRef {
                dataset: e.dataset.clone(),
                key: e.key.clone(),
                hash: e.hash.clone(),
            });
            assert!(
                rows.unchanged(refs.collect())
                    .await?
                    .into_iter()
                    .all(|stands| stands)
            );
            let alert = alert_of(hit, output);
            let known = self
                .alerts
                .lock()
                .expect("lock")
                .insert(alert.alert_id.clone(), alert.clone());
            match known {
                Some(_) => counts.updated += 1,
                None => {
                    counts.opened += 1;
                    self.emit(AlertEventKind::Opened, alert);
                }
            }
        }
        self.outputs.lock().expect("lock").push(output.clone());
        Ok(run_of(output, counts))
    }

    async fn preview(&self, output: &RunOutput, _: &dyn EvidenceCheck) -> Result<RunPreview> {
        let hits = &output.outcomes[0].hits;
        let counts = RuleCounts {
            hits: hits.len() as u64,
            opened: hits.len() as u64,
            ..Default::default()
        };
        let events = hits.iter().map(|hit| AlertEvent {
            revision: 0,
            kind: AlertEventKind::Opened,
            alert: alert_of(hit, output),
        });
        Ok(RunPreview {
            run: run_of(output, counts),
            events: events.collect(),
            events_total: hits.len() as u64,
        })
    }

    async fn list(&self, request: ListAlertsRequest) -> Result<AlertPage> {
        if !request.filter.is_empty() {
            return Err(Failure::invalid("INVALID_FILTER", "unknown field colour").with("field", "colour"));
        }
        let start: usize = request.page_token.parse().unwrap_or(0);
        let size = if request.page_size == 0 {
            50
        } else {
            request.page_size as usize
        };
        let all = self.alerts.lock().expect("lock");
        let next = if start + size < all.len() {
            (start + size).to_string()
        } else {
            String::new()
        };
        let alerts = all.values().skip(start).take(size).cloned().collect();
        Ok(AlertPage {
            alerts,
            next_page_token: next,
            total: all.len() as u64,
        })
    }

    async fn get(&self, alert_id: &str) -> Result<Alert> {
        self.alerts
            .lock()
            .expect("lock")
            .get(alert_id)
            .cloned()
            .ok_or_else(|| no_such_alert(alert_id))
    }

    async fn explain(&self, alert_id: &str) -> Result<AlertExplanation> {
        let alert = self.get(alert_id).await?;
        let digest = evidence_digest(&alert.evidence);
        Ok(AlertExplanation {
            rule_text: "select 1".into(),
            rule_hash: "h1".into(),
            params: rule_spec().params,
            snapshot: 1,
            as_of: alert.as_of,
            bundle_hash: "bundle".into(),
            table_versions: BTreeMap::new(),
            occurrences: vec![("run-1".into(), alert.as_of, 3, digest.clone())],
            evidence_digest: digest,
            alert,
            closures: Vec::new(),
        })
    }

    async fn close(&self, alert_id: &str, _: &str, _: &str) -> Result<Alert> {
        let alert = {
            let mut all = self.alerts.lock().expect("lock");
            let alert = all.get_mut(alert_id).ok_or_else(|| no_such_alert(alert_id))?;
            if alert.state == AlertState::Closed {
                let text = format!("{alert_id} is closed already");
                return Err(Failure::new(FailureKind::Precondition, "ALERT_CLOSED", text));
            }
            alert.state = AlertState::Closed;
            alert.clone()
        };
        self.emit(AlertEventKind::Closed, alert.clone());
        Ok(alert)
    }

    async fn watch(&self, request: WatchRequest) -> Result<WatchStream> {
        let start: usize = request.resume_token.parse().unwrap_or(0);
        let events = self.events.subscribe();
        let items = stream::unfold((events, start), |(mut events, at)| async move {
            let event = events.wait_for(|all| all.len() > at).await.ok()?[at].clone();
            let item = WatchItem::Event {
                event: Box::new(event),
                resume_token: (at + 1).to_string(),
            };
            Some((Ok(item), (events, at + 1)))
        });
        Ok(items.boxed())
    }

    async fn runs(&self, limit: usize) -> Result<Vec<RunRecord>> {
        let outputs = self.outputs.lock().expect("lock");
        let record = |(n, o): (usize, &RunOutput)| RunRecord {
            run_id: format!("run-{n}"),
            snapshot: o.snapshot,
            as_of: o.as_of,
            bundle_hash: o.bundle_hash.clone(),
            rules: Vec::new(),
        };
        Ok(outputs.iter().enumerate().map(record).rev().take(limit).collect())
    }
}

#[async_trait]
impl QueryPort for World {
    async fn query(&self, request: QueryRequest) -> Result<futures_stream::BoxStream<Result<QueryItem>>> {
        if request.sql.starts_with("delete") {
            return Err(Failure::invalid("NOT_A_SELECT", "only SELECT is allowed"));
        }
        let first = QueryItem::Columns(vec![("n".into(), "Int64".into())]);
        let rows = QueryItem::Rows(vec![vec![Value::Int(1)], vec![Value::Null]]);
        let last = QueryItem::Truncated {
            limit: request.max_rows,
        };
        Ok(stream::iter([Ok(first), Ok(rows), Ok(last)]).boxed())
    }

    async fn snapshots(&self, limit: usize) -> Result<Vec<(i64, String, String)>> {
        Ok(vec![(1, "2025-01-31T00:00:00Z".into(), "sync files".into())]
            .into_iter()
            .take(limit)
            .collect())
    }
}

#[async_trait]
impl GraphPort for World {
    async fn find_party(&self, text: &str) -> Result<Vec<PartyInfo>> {
        if text == "hang" {
            return self.hang().await;
        }
        Ok(vec![PartyInfo {
            party_id: "c1".into(),
            kind: "company".into(),
            name: text.into(),
            code: None,
            aliases: Vec::new(),
            mentions: Vec::new(),
        }])
    }

    async fn paths(
        &self,
        from: &str,
        to: &str,
        max_hops: usize,
        as_of: Option<NaiveDate>,
        _: usize,
    ) -> Result<Vec<PartyPath>> {
        let hop = BTreeMap::from([("from".into(), Value::text(from)), ("to".into(), Value::text(to))]);
        Ok(vec![PartyPath {
            hops: vec![Value::Map(hop); max_hops],
            share: Some("51.0000".into()),
            probability: 0.9,
            score: 0.8,
            valid_from: as_of,
            valid_to: None,
        }])
    }

    async fn party(&self, party_id: &str) -> Result<PartyInfo> {
        match self.find_party(party_id).await?.pop() {
            Some(found) if found.party_id == party_id => Ok(found),
            _ => Err(Failure::not_found("PARTY_NOT_FOUND", party_id.to_owned())),
        }
    }

    async fn ownership(
        &self,
        company: &str,
        as_of: NaiveDate,
        min_share: f64,
    ) -> Result<Vec<CompanyOwnership>> {
        let name = |id: &str| PartyName {
            party_id: id.into(),
            kind: "company".into(),
            name: as_of.to_string(),
        };
        Ok(vec![CompanyOwnership {
            company: name(company),
            owners: vec![CompanyOwner {
                owner: name("p1"),
                integrated_share: min_share,
                controls: true,
                ultimate: true,
            }],
            over_whole: vec![(name("c2"), "110.0000".into())],
            unowned: vec![(vec![name("c3"), name("c4")], true)],
            truncated: false,
        }])
    }

    async fn neighbourhood(&self, party: &str, around: Around) -> Result<PartyNeighbourhood> {
        let name = PartyName {
            party_id: party.into(),
            kind: "company".into(),
            name: party.into(),
        };
        Ok(PartyNeighbourhood {
            parties: vec![(name, around.max_hops)],
            edges: vec![Value::Null; 2],
            truncated: around.parties_max == 500 && around.edges_max == 2_000,
        })
    }

    async fn components(
        &self,
        size_min: usize,
        limit: usize,
        parties_max: usize,
    ) -> Result<Vec<PartyComponent>> {
        let component = PartyComponent {
            component_id: "c1".into(),
            size: size_min + parties_max,
            parties: Vec::new(),
        };
        Ok(vec![component; limit])
    }

    async fn export(&self, format: GraphFormat, party: Option<(&str, Around)>) -> Result<String> {
        let what = party.map_or("all".to_owned(), |(party, around)| {
            format!("{party} {}", around.max_hops)
        });
        Ok(format!("{format:?} {what} ") + &"图".repeat(50_000))
    }
}

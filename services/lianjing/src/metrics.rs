//! The Prometheus endpoint of the server: what syncs did, how fresh sources are, how jobs ended.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::clock::Clock;
use domain::sources::{SchedulePort, SourcePort, SyncState};
use prometheus::{Encoder, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};
use schedule::Scheduler;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::outcome::{CliError, CliResult, chain};

/// Syncs that are looked at in one scrape; as many may end between two.
const RUNS_PER_SCRAPE_MAX: usize = 2_000;

/// Counters since this server started, and the present state of sources and jobs.
pub struct Metrics {
    registry: Registry,
    rows: IntCounterVec,
    runs: IntCounterVec,
    unconserved: IntCounterVec,
    drift: IntCounterVec,
    last_success: IntGaugeVec,
    last_rows: IntGaugeVec,
    failures: IntGaugeVec,
    jobs: IntGaugeVec,
    alarms: IntGaugeVec,
    started_at: i64,
    /// Syncs that are counted.
    counted: Mutex<HashSet<String>>,
    sources: Arc<dyn SourcePort>,
    scheduler: Arc<Scheduler>,
}

impl Metrics {
    pub fn new(
        clock: &dyn Clock,
        sources: Arc<dyn SourcePort>,
        scheduler: Arc<Scheduler>,
    ) -> CliResult<Self> {
        let registry = Registry::new();
        let counter = |name: &str, help: &str, labels: &[&str]| -> CliResult<IntCounterVec> {
            let counter = IntCounterVec::new(Opts::new(name, help), labels).map_err(wrong)?;
            registry.register(Box::new(counter.clone())).map_err(wrong)?;
            Ok(counter)
        };
        let gauge = |name: &str, help: &str, labels: &[&str]| -> CliResult<IntGaugeVec> {
            let gauge = IntGaugeVec::new(Opts::new(name, help), labels).map_err(wrong)?;
            registry.register(Box::new(gauge.clone())).map_err(wrong)?;
            Ok(gauge)
        };
        Ok(Self {
            rows: counter(
                "lianjing_sync_rows_total",
                "Rows of ended syncs; read = inserted + updated + unchanged + quarantined",
                &["source", "dataset", "outcome"],
            )?,
            runs: counter("lianjing_sync_runs_total", "Ended syncs", &["source", "state"])?,
            unconserved: counter(
                "lianjing_sync_unconserved_total",
                "Ended syncs of which the counts did not add up: must stay 0",
                &["source"],
            )?,
            drift: counter(
                "lianjing_source_drift_total",
                "Changes of columns that ended syncs found: COLUMN_NEW, COLUMN_GONE, TYPE_CHANGED, STREAM_GONE",
                &["source", "change"],
            )?,
            last_success: gauge(
                "lianjing_source_last_success_timestamp_seconds",
                "When the last successful sync ended",
                &["source"],
            )?,
            last_rows: gauge(
                "lianjing_source_last_rows_timestamp_seconds",
                "When new or changed rows last came",
                &["source"],
            )?,
            failures: gauge(
                "lianjing_source_failures",
                "Failed syncs since the last success",
                &["source"],
            )?,
            jobs: gauge("lianjing_job_runs", "Runs of jobs on record", &["job", "state"])?,
            alarms: gauge(
                "lianjing_alarms",
                "Operational alarms that hold",
                &["code", "subject"],
            )?,
            registry,
            started_at: clock.now().timestamp_micros(),
            counted: Mutex::default(),
            sources,
            scheduler,
        })
    }

    /// The text that Prometheus reads.
    pub async fn text(&self) -> Result<String, domain::Failure> {
        for run in self.sources.runs(None, RUNS_PER_SCRAPE_MAX).await? {
            let ended = run.ended_at.filter(|_| run.state != SyncState::Running);
            let is_new = ended.is_some_and(|at| at >= self.started_at)
                && self
                    .counted
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(run.run_id.clone());
            if !is_new {
                continue;
            }
            self.runs
                .with_label_values(&[run.source.as_str(), run.state.name()])
                .inc();
            for c in &run.datasets {
                for (outcome, rows) in [
                    ("read", c.read),
                    ("inserted", c.inserted),
                    ("updated", c.updated),
                    ("unchanged", c.unchanged),
                    ("quarantined", c.quarantined),
                ] {
                    self.rows
                        .with_label_values(&[run.source.as_str(), c.dataset.as_str(), outcome])
                        .inc_by(rows);
                }
            }
            for event in &run.drift {
                self.drift
                    .with_label_values(&[run.source.as_str(), event.change.name()])
                    .inc();
            }
            let broken = run.datasets.iter().any(|c| !c.holds());
            self.unconserved
                .with_label_values(&[run.source.as_str()])
                .inc_by(u64::from(broken));
        }
        for gauge in [
            &self.last_success,
            &self.last_rows,
            &self.failures,
            &self.jobs,
            &self.alarms,
        ] {
            gauge.reset();
        }
        for status in self.sources.status(None).await? {
            let source = [status.source.name.as_str()];
            if let Some(at) = status.last_success_at {
                self.last_success.with_label_values(&source).set(at / 1_000_000);
            }
            if let Some(at) = status.last_rows_at {
                self.last_rows.with_label_values(&source).set(at / 1_000_000);
            }
            let failures = i64::try_from(status.failures).unwrap_or(i64::MAX);
            self.failures.with_label_values(&source).set(failures);
        }
        for (job, state, runs) in self.scheduler.totals().await? {
            self.jobs
                .with_label_values(&[job.as_str(), state.as_str()])
                .set(runs);
        }
        for alarm in self.scheduler.alarms(false).await? {
            self.alarms
                .with_label_values(&[alarm.code.as_str(), alarm.subject.as_str()])
                .set(1);
        }
        let mut bytes = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut bytes)
            .map_err(|e| domain::Failure::internal(&e))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }
}

fn wrong(error: prometheus::Error) -> CliError {
    CliError::failed(format!("the metrics cannot be set up: {}", chain(&error)))
}

/// Serves `GET /metrics` until `stop`. Returns the address once it listens.
pub async fn serve(metrics: Metrics, address: SocketAddr, stop: CancellationToken) -> CliResult<SocketAddr> {
    if !address.ip().is_loopback() {
        return Err(CliError::usage(format!(
            "--metrics {address} is no address of this machine alone; use e.g. 127.0.0.1:9464 and let a local agent collect"
        )));
    }
    let cannot = |e: std::io::Error| {
        CliError::failed(format!(
            "cannot serve metrics on {address}: {e}; choose another --metrics"
        ))
    };
    let listener = TcpListener::bind(address).await.map_err(cannot)?;
    let bound = listener.local_addr().map_err(cannot)?;
    let metrics = Arc::new(metrics);
    let answer = move || {
        let metrics = metrics.clone();
        async move { respond(metrics.text().await) }
    };
    let router = Router::new().route("/metrics", get(answer));
    tokio::spawn(async move {
        let serving = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned());
        if let Err(error) = serving.await {
            tracing::error!(error = %error, "the metrics endpoint stopped");
        }
    });
    Ok(bound)
}

fn respond(text: Result<String, domain::Failure>) -> Response {
    match text {
        Ok(text) => ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response(),
        Err(failure) => (StatusCode::SERVICE_UNAVAILABLE, failure.message).into_response(),
    }
}

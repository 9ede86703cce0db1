//! Work that outlives the call which started it: identity, progress, result, cancelling, safe retries.
//!
//! Operations live in memory: what they did is in the lake and in the alert store, so nothing is lost with them.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use domain::clock::Clock;
use domain::ports::{
    BacktestReport, MutantResult, Progress, ProgressUpdate, Result, RunPreview, RunRecord, SyncReport,
};
use domain::sources::{AcceptanceCheck, ReconcileReport};
use domain::{Failure, FailureKind};
use futures::FutureExt as _;
use proto::v1 as pb;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::convert;

/// Finished operations that are remembered.
const FINISHED_MAX: usize = 1_000;

/// Sources that are worked on at a time.
const SOURCES_MAX: usize = 4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    SyncFiles,
    RunRules,
    MutateRules,
    BacktestRule,
    SyncSource,
    ReconcileSource,
    RedriveSource,
    AcceptSource,
}

/// What a successful operation yields.
#[derive(Debug, Clone)]
pub(crate) enum Outcome {
    Sync(SyncReport),
    Run(RunRecord),
    Preview(RunPreview),
    Mutation(Vec<MutantResult>),
    Backtest(BacktestReport),
    Reconcile(ReconcileReport),
    Acceptance(Vec<AcceptanceCheck>),
}

#[derive(Debug, Clone)]
enum Phase {
    Waiting,
    Running,
    Ended {
        at: DateTime<Utc>,
        result: Result<Outcome>,
    },
}

#[derive(Debug, Clone)]
struct State {
    phase: Phase,
    progress: Option<ProgressUpdate>,
}

/// One piece of work.
pub(crate) struct Operation {
    id: String,
    kind: Kind,
    created: DateTime<Utc>,
    state: watch::Sender<State>,
    cancel: CancellationToken,
}

/// All operations of this server.
#[derive(Clone)]
pub(crate) struct Registry {
    clock: Arc<dyn Clock>,
    shutdown: CancellationToken,
    turns: Arc<Turns>,
    known: Arc<Mutex<Known>>,
}

/// One sync of files at a time, since each commits one snapshot; a few sources at a time, which take turns in the lake
/// commit by commit; one run at a time, since each takes the memory it is given.
struct Turns {
    sync: Arc<Semaphore>,
    sources: Arc<Semaphore>,
    run: Arc<Semaphore>,
}

#[derive(Default)]
struct Known {
    by_id: HashMap<String, Arc<Operation>>,
    /// Oldest first.
    order: VecDeque<String>,
    /// Request id -> (what was asked for, operation).
    requests: HashMap<String, (String, String)>,
}

// === impl Registry ===

impl Registry {
    /// Cancelling `shutdown` cancels every operation.
    pub(crate) fn new(clock: Arc<dyn Clock>, shutdown: CancellationToken) -> Self {
        let turns = Turns {
            sync: Arc::new(Semaphore::new(1)),
            sources: Arc::new(Semaphore::new(SOURCES_MAX)),
            run: Arc::new(Semaphore::new(1)),
        };
        Self {
            clock,
            shutdown,
            turns: Arc::new(turns),
            known: Arc::default(),
        }
    }

    /// Starts work in its own task, or gives the operation that the same request started before.
    ///
    /// `request_id` is empty or a UUID; `asked` says in full what the request asks for.
    pub(crate) fn start<F>(
        &self,
        kind: Kind,
        request_id: &str,
        asked: String,
        work: impl FnOnce(Arc<dyn Progress>) -> F + Send + 'static,
    ) -> Result<Arc<Operation>>
    where
        F: Future<Output = Result<Outcome>> + Send + 'static,
    {
        if !request_id.is_empty() && uuid::Uuid::try_parse(request_id).is_err() {
            return Err(Failure::invalid(
                "INVALID_REQUEST_ID",
                format!("request_id is {request_id:?}; send a fresh UUID, or nothing"),
            ));
        }
        let mut known = self.known();
        if let Some((before, id)) = known.requests.get(request_id) {
            if *before != asked {
                return Err(Failure::invalid(
                    "REQUEST_ID_REUSED",
                    format!("request_id {request_id} already stands for another request; send a fresh UUID"),
                ));
            }
            return known.by_id.get(id).cloned().ok_or_else(|| no_such_operation(id));
        }
        let operation = Arc::new(Operation {
            id: format!("op-{}", uuid::Uuid::now_v7().simple()),
            kind,
            created: self.clock.now(),
            state: watch::Sender::new(State {
                phase: Phase::Waiting,
                progress: None,
            }),
            cancel: self.shutdown.child_token(),
        });
        known.insert(operation.clone());
        if !request_id.is_empty() {
            known
                .requests
                .insert(request_id.to_owned(), (asked, operation.id.clone()));
        }
        drop(known);
        self.spawn(operation.clone(), work);
        Ok(operation)
    }

    fn spawn<F>(&self, operation: Arc<Operation>, work: impl FnOnce(Arc<dyn Progress>) -> F + Send + 'static)
    where
        F: Future<Output = Result<Outcome>> + Send + 'static,
    {
        let clock = self.clock.clone();
        let turn = match operation.kind {
            Kind::SyncFiles => self.turns.sync.clone(),
            Kind::SyncSource | Kind::ReconcileSource | Kind::RedriveSource | Kind::AcceptSource => {
                self.turns.sources.clone()
            }
            Kind::RunRules | Kind::MutateRules | Kind::BacktestRule => self.turns.run.clone(),
        };
        tokio::spawn(async move {
            let progress: Arc<dyn Progress> = operation.clone();
            let worker = async {
                let _turn = turn.acquire_owned().await.map_err(|e| Failure::internal(&e))?;
                operation.state.send_modify(|s| s.phase = Phase::Running);
                match AssertUnwindSafe(work(progress)).catch_unwind().await {
                    Ok(result) => result,
                    Err(_) => Err(Failure::new(
                        FailureKind::Internal,
                        "INTERNAL",
                        "the work stopped on a defect of this program; its log says where",
                    )),
                }
            };
            let result = tokio::select! {
                biased;
                result = worker => result,
                () = operation.cancel.cancelled() => {
                    Err(Failure::new(FailureKind::Cancelled, "OPERATION_CANCELLED", "the work was stopped on request"))
                }
            };
            let at = clock.now();
            operation
                .state
                .send_modify(|s| s.phase = Phase::Ended { at, result });
        });
    }

    /// A place in the queue of syncs for work that is no operation.
    pub(crate) async fn sync_turn(&self) -> Result<tokio::sync::OwnedSemaphorePermit> {
        self.turns
            .sync
            .clone()
            .acquire_owned()
            .await
            .map_err(|e| Failure::internal(&e))
    }

    pub(crate) fn get(&self, id: &str) -> Result<Arc<Operation>> {
        self.known()
            .by_id
            .get(id)
            .cloned()
            .ok_or_else(|| no_such_operation(id))
    }

    /// Newest first.
    pub(crate) fn list(&self) -> Vec<Arc<Operation>> {
        let known = self.known();
        known
            .order
            .iter()
            .rev()
            .filter_map(|id| known.by_id.get(id).cloned())
            .collect()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn insert(&mut self, operation: Arc<Operation>) {
        self.order.push_back(operation.id.clone());
        self.by_id.insert(operation.id.clone(), operation);
        let ended: Vec<String> = self
            .order
            .iter()
            .filter(|id| self.by_id.get(*id).is_some_and(|o| o.has_ended()))
            .cloned()
            .collect();
        for id in ended.iter().take(ended.len().saturating_sub(FINISHED_MAX)) {
            self.by_id.remove(id);
            self.order.retain(|known| known != id);
            self.requests.retain(|_, (_, known)| known != id);
        }
    }
}

fn no_such_operation(id: &str) -> Failure {
    Failure::not_found(
        "OPERATION_NOT_FOUND",
        format!("there is no operation {id:?}; a server forgets its operations when it stops"),
    )
}

// === impl Operation ===

impl Progress for Operation {
    fn report(&self, update: ProgressUpdate) {
        self.state.send_modify(|s| s.progress = Some(update));
    }
}

impl Operation {
    fn has_ended(&self) -> bool {
        matches!(self.state.borrow().phase, Phase::Ended { .. })
    }

    /// Waits until the work has ended.
    pub(crate) async fn ended(&self) {
        let mut changes = self.state.subscribe();
        // An error means that the sender is gone, which `self` holds.
        let _ = changes.wait_for(|s| matches!(s.phase, Phase::Ended { .. })).await;
    }

    /// Asks the work to stop; does nothing when it has ended.
    pub(crate) fn stop(&self) {
        self.cancel.cancel();
    }

    /// How it ended; `None` while it runs.
    pub(crate) fn outcome(&self) -> Option<Result<Outcome>> {
        match &self.state.borrow().phase {
            Phase::Ended { result, .. } => Some(result.clone()),
            _ => None,
        }
    }

    /// Asks the work to stop and waits until it has.
    pub(crate) async fn cancel(&self) -> Result<()> {
        if self.has_ended() {
            return Err(Failure::new(
                FailureKind::Precondition,
                "OPERATION_ENDED",
                format!("operation {} has ended and cannot be cancelled", self.id),
            ));
        }
        self.cancel.cancel();
        self.ended().await;
        Ok(())
    }

    /// The state now and after each change until the end; changes in quick succession come as one.
    pub(crate) fn watch(self: Arc<Self>) -> impl futures::Stream<Item = pb::Operation> + Send {
        let changes = self.state.subscribe();
        futures::stream::unfold(
            (self, changes, false, false),
            |(operation, mut changes, begun, done)| async move {
                if done || (begun && changes.changed().await.is_err()) {
                    return None;
                }
                changes.mark_unchanged();
                let now = operation.to_proto();
                let done = now.end_time.is_some();
                Some((now, (operation, changes, true, done)))
            },
        )
    }

    pub(crate) fn to_proto(&self) -> pb::Operation {
        let state = self.state.borrow().clone();
        let mut operation = pb::Operation {
            operation_id: self.id.clone(),
            kind: match self.kind {
                Kind::SyncFiles => pb::OperationKind::SyncFiles,
                Kind::RunRules => pb::OperationKind::RunRules,
                Kind::MutateRules => pb::OperationKind::MutateRules,
                Kind::BacktestRule => pb::OperationKind::BacktestRule,
                Kind::SyncSource => pb::OperationKind::SyncSource,
                Kind::ReconcileSource => pb::OperationKind::ReconcileSource,
                Kind::RedriveSource => pb::OperationKind::RedriveSource,
                Kind::AcceptSource => pb::OperationKind::AcceptSource,
            }
            .into(),
            state: pb::OperationState::Waiting.into(),
            progress: state.progress.as_ref().map(convert::progress_to_proto),
            create_time: Some(timestamp(self.created)),
            end_time: None,
            result: None,
        };
        use pb::operation::Result as Wire;
        match state.phase {
            Phase::Waiting => {}
            Phase::Running => operation.set_state(pb::OperationState::Running),
            Phase::Ended { at, result } => {
                operation.end_time = Some(timestamp(at));
                let (state, result) = match result {
                    Ok(Outcome::Sync(report)) => (
                        pb::OperationState::Succeeded,
                        Wire::SyncReport(convert::report_to_proto(&report)),
                    ),
                    Ok(Outcome::Run(run)) => (
                        pb::OperationState::Succeeded,
                        Wire::Run(convert::run_to_proto(&run)),
                    ),
                    Ok(Outcome::Preview(preview)) => (
                        pb::OperationState::Succeeded,
                        Wire::RunPreview(convert::run_preview_to_proto(&preview)),
                    ),
                    Ok(Outcome::Mutation(mutants)) => {
                        let mutants = mutants.into_iter().map(convert::mutant_to_proto).collect();
                        (
                            pb::OperationState::Succeeded,
                            Wire::MutationReport(pb::MutationReport { mutants }),
                        )
                    }
                    Ok(Outcome::Backtest(report)) => (
                        pb::OperationState::Succeeded,
                        Wire::BacktestReport(convert::backtest_to_proto(&report)),
                    ),
                    Ok(Outcome::Reconcile(report)) => (
                        pb::OperationState::Succeeded,
                        Wire::ReconcileReport(convert::reconcile_to_proto(&report)),
                    ),
                    Ok(Outcome::Acceptance(checks)) => {
                        let checks = checks.iter().map(convert::acceptance_to_proto).collect();
                        (
                            pb::OperationState::Succeeded,
                            Wire::AcceptanceReport(pb::AcceptanceReport { checks }),
                        )
                    }
                    Err(failure) if failure.kind == FailureKind::Cancelled => (
                        pb::OperationState::Cancelled,
                        Wire::Error(convert::error_to_proto(&failure)),
                    ),
                    Err(failure) => (
                        pb::OperationState::Failed,
                        Wire::Error(convert::error_to_proto(&failure)),
                    ),
                };
                operation.set_state(state);
                operation.result = Some(result);
            }
        }
        operation
    }
}

fn timestamp(t: DateTime<Utc>) -> prost_types::Timestamp {
    let nanos = i32::try_from(t.timestamp_subsec_nanos().min(999_999_999)).unwrap_or_default();
    prost_types::Timestamp {
        seconds: t.timestamp(),
        nanos,
    }
}

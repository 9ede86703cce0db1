//! The border to the world: tonic services over the ports of `domain`, and nothing that knows an engine or a store.
//!
//! [`Gateway::run`] serves a TCP listener, [`Gateway::in_process`] the same services within this process. Domain
//! failures become gRPC statuses in [`status`] only; wire types become domain types in [`convert`] only.

pub mod convert;
mod deadline;
mod error;
mod host_guard;
mod jobs;
mod operations;
mod paging;
mod policy;
mod reasons;
mod server;
mod services;
pub mod status;

use std::sync::Arc;

use domain::clock::Clock;
use domain::judgements::JudgementPort;
use domain::ports::{AlertsPort, CollisionPort, GraphPort, QueryPort, ScreeningPort, SyncPort};
use domain::sources::{SchedulePort, SourcePort};

pub use error::GatewayError;
pub use server::{Gateway, InProcess, MESSAGE_BYTES_MAX};

/// Everything the gateway serves. The binary fills it in.
#[derive(Clone)]
pub struct Ports {
    pub sync: Arc<dyn SyncPort>,
    pub sources: Arc<dyn SourcePort>,
    pub schedule: Arc<dyn SchedulePort>,
    pub collision: Arc<dyn CollisionPort>,
    pub alerts: Arc<dyn AlertsPort>,
    pub query: Arc<dyn QueryPort>,
    pub graph: Arc<dyn GraphPort>,
    pub judgements: Arc<dyn JudgementPort>,
    pub screening: Arc<dyn ScreeningPort>,
    pub clock: Arc<dyn Clock>,
}

/// What the deployer may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Threads of a run whose caller names none; 0: one per core.
    pub threads: usize,
    /// Longest time a unary call takes when its method names no other.
    pub deadline: std::time::Duration,
    /// How long calls may finish after the server was told to stop.
    pub shutdown_grace: std::time::Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            threads: 0,
            deadline: std::time::Duration::from_secs(30),
            shutdown_grace: std::time::Duration::from_secs(5),
        }
    }
}

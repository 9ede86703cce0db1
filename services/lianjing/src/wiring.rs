//! The whole wiring: which crate stands behind which port.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use alerts::Alerts;
use collision::data::LakeSource;
use collision::rules::Bundle;
use collision::session::Limits;
use collision::{CollisionError, Engine};
use domain::Failure;
use domain::clock::{Clock, SystemClock};
use files::FilesConnector;
use gateway::{Gateway, Options, Ports};
use ingest::Ingest;
use lake::Lake;
use push::PushConnector;
use schedule::Scheduler;
use tempfile::TempDir;

use crate::cli::Global;
use crate::kinds;
use crate::metrics::Metrics;
use crate::outcome::{CliError, CliResult, chain, of_opening};
use crate::output::tell;

/// What a command needs of the data directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// It is made when missing.
    Create,
    /// It should be there: the user is told when it is not, and it is made.
    Existing,
    /// None: only rules are looked at, on a lake of their own.
    RulesOnly,
}

/// All services of this process.
pub struct Wired {
    ports: Ports,
    options: Options,
    lake: Arc<Lake>,
    alerts: Alerts,
    scheduler: Arc<Scheduler>,
    /// Lives as long as the services.
    _own_data: Option<TempDir>,
}

/// Opens the data directory and puts the services together.
pub async fn open(global: &Global, opening: Opening) -> CliResult<Wired> {
    let own_data = match opening {
        Opening::RulesOnly => Some(TempDir::new().map_err(|e| {
            CliError::failed(format!(
                "cannot make a temporary folder: {e}; set TMPDIR to one that can be written"
            ))
        })?),
        Opening::Existing if !global.data.exists() => {
            return Err(CliError::failed(format!(
                "{} does not exist; `lianjing sync --files DIR` makes and fills it, --data or LIANJING_DATA names another / 数据目录不存在",
                global.data.display()
            )));
        }
        Opening::Existing if !global.data.join("catalog.sqlite").exists() => {
            tell(&format!(
                "{} had no data and is made empty; `lianjing sync --files DIR` fills it, --data names another",
                global.data.display()
            ));
            None
        }
        Opening::Existing | Opening::Create => None,
    };
    let data: PathBuf = own_data
        .as_ref()
        .map_or(global.data.clone(), |own| own.path().to_owned());

    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let bundle = Bundle::load(global.rules.as_deref()).map_err(rules_error)?;
    let lake = Lake::open(&data, clock.now()).await.map_err(failed)?;
    let lake = Arc::new(if global.threads > 0 {
        lake.with_threads(global.threads)
    } else {
        lake
    });
    let store = match &global.store {
        Some(url) if opening != Opening::RulesOnly => url.clone(),
        _ => super::commands::path_text(&data.join("state.sqlite"))?,
    };
    let alerts = Alerts::open(&store, clock.clone()).await.map_err(failed)?;

    let source = Arc::new(LakeSource::new(lake.clone()));
    let engine = Arc::new(Engine::new(source, bundle, Limits::default()).map_err(failed)?);
    let ingest = Ingest::new(
        lake.clone(),
        clock.clone(),
        Box::new(|request| {
            Ok(Box::new(FilesConnector::new(
                &request.dir,
                request.mapping.as_deref(),
            )?))
        }),
        Box::new(|batch| Ok(Box::new(PushConnector::new(batch.batch_id, batch.rows)))),
    );
    let file = global
        .sources
        .clone()
        .unwrap_or_else(|| data.join("sources.toml"));
    let ingest = Arc::new(ingest);
    let sources = Arc::new(ingest.sources(kinds::all(&clock), file));
    let scheduler = Scheduler::open(&store, clock.clone(), sources.clone())
        .await
        .map_err(failed)?;
    let scheduler = Arc::new(scheduler);
    let ports = Ports {
        sync: ingest.clone(),
        sources,
        schedule: scheduler.clone(),
        collision: engine.clone(),
        alerts: Arc::new(alerts.clone()),
        query: engine.clone(),
        graph: engine.clone(),
        judgements: ingest,
        screening: engine,
        clock,
    };
    let options = Options {
        threads: global.threads,
        ..Options::default()
    };
    Ok(Wired {
        ports,
        options,
        lake,
        alerts,
        scheduler,
        _own_data: own_data,
    })
}

impl Wired {
    /// The API over these services.
    pub fn gateway(&self) -> CliResult<Gateway> {
        let gateway = Gateway::new(self.ports.clone(), self.options.clone())
            .map_err(|e| CliError::failed(chain(&e)))?;
        self.scheduler.set_runner(Some(gateway.job_runner()));
        Ok(gateway)
    }

    /// Runs jobs once it is told to.
    pub fn scheduler(&self) -> Arc<Scheduler> {
        self.scheduler.clone()
    }

    /// What Prometheus reads.
    pub fn metrics(&self) -> CliResult<Metrics> {
        Metrics::new(
            &*self.ports.clock,
            self.ports.sources.clone(),
            self.scheduler.clone(),
        )
    }

    /// Lets go of files and connections.
    pub async fn close(self) {
        let Self {
            ports,
            lake,
            alerts,
            scheduler,
            ..
        } = self;
        // Its runner holds the services.
        scheduler.close().await;
        drop((ports, scheduler));
        alerts.shut_down().await;
        if let Some(lake) = Arc::into_inner(lake) {
            lake.close().await;
        }
    }
}

/// What `lianjing rules lock` wrote.
pub struct Pinned {
    pub path: PathBuf,
    pub rules: usize,
}

/// Pins the rules of a folder in its `rules.lock`. Refuses changed text under an old version.
pub fn write_lock(dir: &Path) -> CliResult<Pinned> {
    let bundle = Bundle::from_folder(dir).map_err(rules_error)?;
    let pins = bundle
        .rules
        .values()
        .map(|r| (r.spec.id.as_str(), r.spec.version, r.hash.as_str()));
    let lock = bundle.lock.updated(pins).map_err(rules_error)?;
    let path = dir.join("rules.lock");
    std::fs::write(&path, lock.render())
        .map_err(|e| CliError::failed(format!("cannot write {}: {e}", path.display())))?;
    Ok(Pinned {
        path,
        rules: bundle.rules.len(),
    })
}

/// Wrong rules are bad configuration.
fn rules_error(error: CollisionError) -> CliError {
    let failure = Failure::from(error);
    CliError::Usage(of_opening(failure.reason, failure.message))
}

fn failed<E>(error: E) -> CliError
where
    E: std::error::Error + 'static,
    Failure: From<E>,
{
    let message = chain(&error);
    CliError::Failed(of_opening(Failure::from(error).reason, message))
}

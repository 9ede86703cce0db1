//! Key reconciliation: rows that a source no longer holds leave the lake's newest snapshot and are listed in
//! `_withdrawn`, so that alerts which rest on them become WITHDRAWN.

use std::collections::BTreeMap;
use std::sync::Arc;

use connector::{Connector, ReadRequest};
use domain::Dataset;
use domain::ports::Progress;
use domain::sources::ReconcileReport;
use lake::{RunningSync, SyncOptions, SyncStart};
use tokio::sync::mpsc;

use crate::error::{IngestError, Result};
use crate::host::Host;
use crate::pull::stage;
use crate::tally::Tally;

const QUEUE_BATCHES: usize = 4;
/// Rows of a dataset that may be withdrawn however few it has.
const ALWAYS_ALLOWED_ROWS: u64 = 10;
/// Largest part of a dataset that is withdrawn without being asked for: one in this many rows.
const SHARE: u64 = 10;

/// Compares the keys that the source holds with the rows that came from it. Datasets of which no key batch came (an
/// empty one counts) are left as they are. The lake takes no sync meanwhile, so that no row that came after the
/// listing is taken for a deleted one.
pub(crate) async fn reconcile(
    host: &Host,
    connector: &dyn Connector,
    source: &str,
    any_share: bool,
    progress: &dyn Progress,
) -> Result<ReconcileReport> {
    let started_at = host.clock.now();
    let (in_lake, in_source) = (Host::in_lake(source), Host::in_source(source));
    connector.reach().await.map_err(&in_source)?;
    let start = SyncStart {
        source: source.to_owned(),
        started_at,
    };
    let sync = host
        .lake
        .begin_with(start, SyncOptions::default())
        .await
        .map_err(&in_lake)?;
    progress.report(stage("核对主键", "comparing keys"));
    let request = ReadRequest {
        cursors: host.lake.cursors(source).await.map_err(&in_lake)?,
        ..ReadRequest::new(sync.raw_store(), started_at)
    };
    let (sender, batches) = mpsc::channel(QUEUE_BATCHES);
    let (listed, taken) = tokio::join!(connector.keys(request, sender), take(sync, batches));
    let (mut sync, datasets) = taken.map_err(&in_lake)?;
    listed.map_err(&in_source)?;
    for dataset in datasets.into_values() {
        sync.withdraw(dataset).await.map_err(&in_lake)?;
    }
    let mut prepared = sync.finish().await.map_err(&in_lake)?;
    let datasets = prepared.reconciled().to_vec();
    for d in &datasets {
        let too_many = d.withdrawn > ALWAYS_ALLOWED_ROWS && d.withdrawn * SHARE > d.in_lake;
        if too_many && !any_share {
            return Err(IngestError::WithdrawalLimit {
                source_name: source.to_owned(),
                dataset: d.dataset.clone(),
                withdrawn: d.withdrawn,
                in_lake: d.in_lake,
            });
        }
    }
    let withdrawn: u64 = datasets.iter().map(|d| d.withdrawn).sum();
    let snapshot = match withdrawn {
        0 => {
            drop(prepared);
            host.lake.head().await.map_err(&in_lake)?
        }
        _ => {
            let mut tally = Tally::default();
            host.resolve(&mut prepared, &mut tally, progress).await?;
            let message = format!("reconcile {source}: {withdrawn} rows withdrawn");
            prepared.commit(&message).await.map_err(&in_lake)?
        }
    };
    let elapsed = host.clock.now() - started_at;
    Ok(ReconcileReport {
        source: source.to_owned(),
        snapshot,
        datasets,
        elapsed_ms: u64::try_from(elapsed.num_milliseconds()).unwrap_or_default(),
    })
}

type Listed = (RunningSync, BTreeMap<String, Arc<Dataset>>);

async fn take(
    mut sync: RunningSync,
    mut batches: mpsc::Receiver<connector::KeyBatch>,
) -> lake::Result<Listed> {
    let mut datasets = BTreeMap::new();
    while let Some(batch) = batches.recv().await {
        datasets.insert(batch.dataset.name.clone(), batch.dataset.clone());
        sync.keys(batch).await?;
    }
    Ok((sync, datasets))
}

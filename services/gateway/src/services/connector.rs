//! ConnectorService: syncing files and taking pushed rows.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use domain::ports::{NoProgress, PushedRows, QuarantineFilter, SyncFilesRequest};
use domain::sources::NewSource;
use domain::{Failure, dataset};
use proto::v1 as pb;
use proto::v1::connector_service_server::ConnectorService;
use proto::v1::push_rows_request::Item;
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::{Answer, Services, required, stopping};
use crate::convert;
use crate::operations::{Kind, Outcome};
use crate::paging::Page;
use crate::status::to_status;

/// Longest name of a source, in characters.
const SOURCE_CHARS_MAX: usize = 64;
/// Longest configuration of a source, in characters.
const SOURCE_TOML_CHARS_MAX: usize = 4 << 20;
/// Messages of a push that wait for the connector.
const PUSH_MESSAGES_WAITING_MAX: usize = 8;
/// Rows in one message of a push.
const PUSH_ROWS_MAX: usize = 10_000;
/// Share of quarantined rows above which a sync fails, in ten-thousandths, when nobody asks for another.
const QUARANTINE_LIMIT_BP: u32 = 100;

#[async_trait]
impl ConnectorService for Services {
    async fn sync_files(&self, request: Request<pb::SyncFilesRequest>) -> Answer<pb::SyncFilesResponse> {
        let request = request.into_inner();
        let asked = format!(
            "SyncFiles {:?}",
            pb::SyncFilesRequest {
                request_id: String::new(),
                ..request.clone()
            }
        );
        let request_id = request.request_id.clone();
        let work = parse_sync(request).map_err(to_status)?;
        let sync = self.ports.sync.clone();
        let operation = self
            .operations
            .start(Kind::SyncFiles, &request_id, asked, move |progress| async move {
                sync.sync_files(work, progress).await.map(Outcome::Sync)
            })
            .map_err(to_status)?;
        Ok(Response::new(pb::SyncFilesResponse {
            operation: Some(operation.to_proto()),
        }))
    }

    async fn push_rows(
        &self,
        request: Request<Streaming<pb::PushRowsRequest>>,
    ) -> Answer<pb::PushRowsResponse> {
        let mut stream = request.into_inner();
        let header = read_header(&mut stream).await?;
        let _turn = self.operations.sync_turn().await.map_err(to_status)?;

        let (rows, received) = mpsc::channel(PUSH_MESSAGES_WAITING_MAX);
        // The connector takes the end of the channel for the end of the batch. `open` keeps the channel open until
        // the stream has ended well, so that a broken stream is never taken for a complete one.
        let open = rows.clone();
        let sync = self.ports.sync.clone();
        let work = sync.sync_pushed(header.source, header.batch_id, received, Arc::new(NoProgress));
        let feed = feed(&mut stream, rows);
        tokio::pin!(work, feed);
        let mut open = Some(open);
        loop {
            tokio::select! {
                biased;
                () = self.shutdown.cancelled() => return Err(to_status(stopping())),
                report = &mut work => {
                    let report = report.map_err(to_status)?;
                    return Ok(Response::new(pb::PushRowsResponse { report: Some(convert::report_to_proto(&report)) }));
                }
                fed = &mut feed, if open.is_some() => {
                    fed?;
                    open = None;
                }
            }
        }
    }

    async fn list_quarantine(
        &self,
        request: Request<pb::ListQuarantineRequest>,
    ) -> Answer<pb::ListQuarantineResponse> {
        let request = request.into_inner();
        let some = |text: &String| Some(text.clone()).filter(|t| !t.is_empty());
        let filter = QuarantineFilter {
            dataset: some(&request.dataset),
            source: some(&request.source),
            reason: some(&request.reason),
        };
        if let Some(name) = &filter.dataset {
            known_dataset(name).map_err(to_status)?;
        }
        let scope = format!("quarantine\n{filter:?}");
        let page = Page::new(scope, request.page_size, &request.page_token).map_err(to_status)?;
        let entries = self
            .ports
            .sync
            .quarantine(filter, page.fetch())
            .await
            .map_err(to_status)?;
        let (entries, next_page_token) = page.cut(entries.iter().map(convert::quarantine_to_proto));
        Ok(Response::new(pb::ListQuarantineResponse {
            entries,
            next_page_token,
        }))
    }

    async fn list_source_kinds(
        &self,
        _: Request<pb::ListSourceKindsRequest>,
    ) -> Answer<pb::ListSourceKindsResponse> {
        let kinds = self.ports.sources.kinds();
        Ok(Response::new(pb::ListSourceKindsResponse {
            kinds: kinds.iter().map(convert::kind_to_proto).collect(),
        }))
    }

    async fn list_sources(&self, _: Request<pb::ListSourcesRequest>) -> Answer<pb::ListSourcesResponse> {
        let sources = self.ports.sources.list().await.map_err(to_status)?;
        Ok(Response::new(pb::ListSourcesResponse {
            sources: sources.iter().map(convert::source_to_proto).collect(),
        }))
    }

    async fn add_source(&self, request: Request<pb::AddSourceRequest>) -> Answer<pb::AddSourceResponse> {
        let request = request.into_inner();
        required("name", &request.name, SOURCE_CHARS_MAX).map_err(to_status)?;
        required("toml", &request.toml, SOURCE_TOML_CHARS_MAX).map_err(to_status)?;
        let source = NewSource {
            name: request.name,
            toml: request.toml,
            replace: request.replace,
        };
        let source = self.ports.sources.add(source).await.map_err(to_status)?;
        Ok(Response::new(pb::AddSourceResponse {
            source: Some(convert::source_to_proto(&source)),
        }))
    }

    async fn remove_source(
        &self,
        request: Request<pb::RemoveSourceRequest>,
    ) -> Answer<pb::RemoveSourceResponse> {
        let request = request.into_inner();
        let name = source_named(&request.name)?;
        let removed = self.ports.sources.remove(name, request.forget_cursors).await;
        removed.map_err(to_status)?;
        Ok(Response::new(pb::RemoveSourceResponse {}))
    }

    async fn reset_source(
        &self,
        request: Request<pb::ResetSourceRequest>,
    ) -> Answer<pb::ResetSourceResponse> {
        let request = request.into_inner();
        let name = source_named(&request.name)?;
        let stream = Some(request.stream.as_str()).filter(|s| !s.is_empty());
        let reset = self.ports.sources.reset(name, stream).await;
        let streams = reset.map_err(to_status)?;
        Ok(Response::new(pb::ResetSourceResponse { streams }))
    }

    async fn check_source(
        &self,
        request: Request<pb::CheckSourceRequest>,
    ) -> Answer<pb::CheckSourceResponse> {
        let request = request.into_inner();
        let checked = self.ports.sources.check(source_named(&request.name)?).await;
        checked.map_err(to_status)?;
        Ok(Response::new(pb::CheckSourceResponse {}))
    }

    async fn discover_source(
        &self,
        request: Request<pb::DiscoverSourceRequest>,
    ) -> Answer<pb::DiscoverSourceResponse> {
        let request = request.into_inner();
        let found = self.ports.sources.discover(source_named(&request.name)?).await;
        let streams = found.map_err(to_status)?;
        Ok(Response::new(pb::DiscoverSourceResponse {
            streams: streams.iter().map(convert::stream_to_proto).collect(),
        }))
    }

    async fn sync_source(&self, request: Request<pb::SyncSourceRequest>) -> Answer<pb::SyncSourceResponse> {
        let request = request.into_inner();
        let name = source_named(&request.name)?.to_owned();
        let (port, asked) = (self.ports.sources.clone(), format!("SyncSource {name}"));
        let work = move |progress| async move { port.sync(&name, progress).await.map(Outcome::Sync) };
        let operation = self
            .operations
            .start(Kind::SyncSource, &request.request_id, asked, work)
            .map_err(to_status)?;
        Ok(Response::new(pb::SyncSourceResponse {
            operation: Some(operation.to_proto()),
        }))
    }

    async fn reconcile_source(
        &self,
        request: Request<pb::ReconcileSourceRequest>,
    ) -> Answer<pb::ReconcileSourceResponse> {
        let request = request.into_inner();
        let name = source_named(&request.name)?.to_owned();
        let any_share = request.any_share;
        let asked = format!("ReconcileSource {name} {any_share}");
        let port = self.ports.sources.clone();
        let work = move |progress| async move {
            port.reconcile(&name, any_share, progress)
                .await
                .map(Outcome::Reconcile)
        };
        let operation = self
            .operations
            .start(Kind::ReconcileSource, &request.request_id, asked, work)
            .map_err(to_status)?;
        Ok(Response::new(pb::ReconcileSourceResponse {
            operation: Some(operation.to_proto()),
        }))
    }

    async fn redrive_source(
        &self,
        request: Request<pb::RedriveSourceRequest>,
    ) -> Answer<pb::RedriveSourceResponse> {
        let request = request.into_inner();
        let name = source_named(&request.name)?.to_owned();
        let (port, asked) = (self.ports.sources.clone(), format!("RedriveSource {name}"));
        let work = move |progress| async move { port.redrive(&name, progress).await.map(Outcome::Sync) };
        let operation = self
            .operations
            .start(Kind::RedriveSource, &request.request_id, asked, work)
            .map_err(to_status)?;
        Ok(Response::new(pb::RedriveSourceResponse {
            operation: Some(operation.to_proto()),
        }))
    }

    async fn accept_source(
        &self,
        request: Request<pb::AcceptSourceRequest>,
    ) -> Answer<pb::AcceptSourceResponse> {
        let request = request.into_inner();
        let name = source_named(&request.name)?.to_owned();
        let trial = convert::trial_from_proto(request.trial());
        let asked = format!("AcceptSource {name} {trial:?}");
        let port = self.ports.sources.clone();
        let work =
            move |progress| async move { port.accept(&name, trial, progress).await.map(Outcome::Acceptance) };
        let operation = self
            .operations
            .start(Kind::AcceptSource, &request.request_id, asked, work)
            .map_err(to_status)?;
        Ok(Response::new(pb::AcceptSourceResponse {
            operation: Some(operation.to_proto()),
        }))
    }

    async fn get_source_status(
        &self,
        request: Request<pb::GetSourceStatusRequest>,
    ) -> Answer<pb::GetSourceStatusResponse> {
        let name = Some(request.into_inner().name).filter(|n| !n.is_empty());
        let mut statuses = self.ports.sources.status(name).await.map_err(to_status)?;
        let alarms = self.ports.schedule.alarms(false).await.map_err(to_status)?;
        for status in &mut statuses {
            let name = &status.source.name;
            let job = format!("sync-{name}");
            status.alarms = alarms
                .iter()
                .filter(|a| a.subject == *name || a.subject == job)
                .cloned()
                .collect();
        }
        Ok(Response::new(pb::GetSourceStatusResponse {
            statuses: statuses.iter().map(convert::status_to_proto).collect(),
        }))
    }

    async fn list_sync_runs(
        &self,
        request: Request<pb::ListSyncRunsRequest>,
    ) -> Answer<pb::ListSyncRunsResponse> {
        let request = request.into_inner();
        let source = Some(request.source.clone()).filter(|n| !n.is_empty());
        let scope = format!("sync runs\n{}", request.source);
        let page = Page::new(scope, request.page_size, &request.page_token).map_err(to_status)?;
        let runs = self.ports.sources.runs(source, page.fetch()).await;
        let runs = runs.map_err(to_status)?;
        let (runs, next_page_token) = page.cut(runs.iter().map(convert::sync_run_to_proto));
        Ok(Response::new(pb::ListSyncRunsResponse {
            runs,
            next_page_token,
        }))
    }
}

fn source_named(name: &str) -> Result<&str, Status> {
    required("name", name, SOURCE_CHARS_MAX).map_err(to_status)
}

fn parse_sync(request: pb::SyncFilesRequest) -> Result<SyncFilesRequest, Failure> {
    if !request.source.is_empty() {
        required("source", &request.source, SOURCE_CHARS_MAX)?;
    }
    if let Some(limit) = request.quarantine_limit_bp.filter(|bp| *bp > 10_000) {
        return Err(Failure::invalid(
            "INVALID_FIELD",
            format!("quarantine_limit_bp is {limit}; it takes 0 to 10000 ten-thousandths"),
        )
        .with("field", "quarantine_limit_bp"));
    }
    Ok(SyncFilesRequest {
        source: request.source,
        dir: PathBuf::from(required("directory", &request.directory, 4_096)?),
        mapping: Some(request.mapping).filter(|m| !m.is_empty()).map(PathBuf::from),
        quarantine_limit_bp: request.quarantine_limit_bp.unwrap_or(QUARANTINE_LIMIT_BP),
    })
}

async fn read_header(stream: &mut Streaming<pb::PushRowsRequest>) -> Result<pb::PushHeader, Status> {
    let Some(pb::PushRowsRequest {
        item: Some(Item::Header(header)),
    }) = stream.message().await?
    else {
        return Err(to_status(Failure::invalid(
            "HEADER_MISSING",
            "the first message of PushRows must be a header with source and batch_id",
        )));
    };
    required("header.source", &header.source, SOURCE_CHARS_MAX).map_err(to_status)?;
    required("header.batch_id", &header.batch_id, 128).map_err(to_status)?;
    Ok(header)
}

/// Passes rows on until the stream ends well.
async fn feed(
    stream: &mut Streaming<pb::PushRowsRequest>,
    rows: mpsc::Sender<PushedRows>,
) -> Result<(), Status> {
    while let Some(message) = stream.message().await? {
        let Some(Item::Rows(part)) = message.item else {
            return Err(to_status(Failure::invalid(
                "ROWS_MISSING",
                "every message of PushRows after the first must carry rows",
            )));
        };
        known_dataset(&part.dataset).map_err(to_status)?;
        if part.json_rows.len() > PUSH_ROWS_MAX {
            return Err(to_status(Failure::invalid(
                "TOO_MANY_ROWS",
                format!(
                    "one message has {} rows; send at most {PUSH_ROWS_MAX} in each",
                    part.json_rows.len()
                ),
            )));
        }
        let part = PushedRows {
            dataset: part.dataset,
            json_rows: part.json_rows,
        };
        if rows.send(part).await.is_err() {
            // The connector has ended early; its own answer says why.
            std::future::pending::<()>().await;
        }
    }
    Ok(())
}

fn known_dataset(name: &str) -> Result<(), Failure> {
    dataset(name).map(|_| ()).ok_or_else(|| {
        Failure::invalid(
            "UNKNOWN_DATASET",
            format!("{name:?} is no dataset of the data model; `lianjing datasets` lists them"),
        )
        .with("dataset", name)
    })
}

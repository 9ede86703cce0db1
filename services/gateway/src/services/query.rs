//! QueryService: read-only SQL, and the lake's snapshots.

use async_trait::async_trait;
use domain::ports::{QueryItem, QueryRequest};
use futures::StreamExt as _;
use proto::v1 as pb;
use proto::v1::query_response::Item;
use proto::v1::query_service_server::QueryService;
use tonic::{Request, Response};

use super::{Answer, BoxStream, Services, required};
use crate::convert;
use crate::paging::Page;
use crate::status::to_status;

/// Longest statement, in characters.
const SQL_CHARS_MAX: usize = 200_000;

#[async_trait]
impl QueryService for Services {
    type QueryStream = BoxStream<pb::QueryResponse>;

    async fn query(&self, request: Request<pb::QueryRequest>) -> Answer<Self::QueryStream> {
        let request = request.into_inner();
        let sql = required("sql", request.sql.trim(), SQL_CHARS_MAX)
            .map_err(to_status)?
            .to_owned();
        let items = self
            .ports
            .query
            .query(QueryRequest {
                sql,
                at_snapshot: request.at_snapshot,
                max_rows: request.max_rows,
            })
            .await
            .map_err(to_status)?;
        let items = items.map(|item| item.map(to_item).map_err(to_status));
        Ok(Response::new(self.until_shutdown(items)))
    }

    async fn list_snapshots(
        &self,
        request: Request<pb::ListSnapshotsRequest>,
    ) -> Answer<pb::ListSnapshotsResponse> {
        let request = request.into_inner();
        let page = Page::new("snapshots", request.page_size, &request.page_token).map_err(to_status)?;
        let snapshots = self
            .ports
            .query
            .snapshots(page.fetch())
            .await
            .map_err(to_status)?;
        let (snapshots, next_page_token) = page.cut(snapshots.into_iter().map(
            |(snapshot, time, description)| pb::Snapshot {
                snapshot,
                time,
                description,
            },
        ));
        Ok(Response::new(pb::ListSnapshotsResponse {
            snapshots,
            next_page_token,
        }))
    }
}

fn to_item(item: QueryItem) -> pb::QueryResponse {
    let item = match item {
        QueryItem::Columns(columns) => Item::Columns(pb::QueryColumns {
            columns: columns
                .into_iter()
                .map(|(name, r#type)| pb::QueryColumn { name, r#type })
                .collect(),
        }),
        QueryItem::Rows(rows) => Item::Rows(pb::QueryRows {
            rows: rows
                .iter()
                .map(|row| pb::ListValue {
                    values: row.iter().map(convert::value_to_proto).collect(),
                })
                .collect(),
        }),
        QueryItem::Truncated { limit } => Item::Truncated(pb::QueryTruncated { limit }),
    };
    pb::QueryResponse { item: Some(item) }
}

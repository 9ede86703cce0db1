//! GraphService: parties and the paths between them.

use async_trait::async_trait;
use domain::Failure;
use domain::ports::{PartyInfo, PartyPath};
use proto::v1 as pb;
use proto::v1::graph_service_server::GraphService;
use tonic::{Request, Response};

use super::{Answer, Services, required};
use crate::convert;
use crate::status::to_status;

const HOPS_DEFAULT: u32 = 4;
const HOPS_MAX: u32 = 8;
const PATHS_DEFAULT: u32 = 10;
const PATHS_MAX: u32 = 100;
/// Longest name or code to look for, in characters.
const TEXT_CHARS_MAX: usize = 200;

#[async_trait]
impl GraphService for Services {
    async fn find_party(&self, request: Request<pb::FindPartyRequest>) -> Answer<pb::FindPartyResponse> {
        let request = request.into_inner();
        let text = required("text", request.text.trim(), TEXT_CHARS_MAX).map_err(to_status)?;
        let parties = self.ports.graph.find_party(text).await.map_err(to_status)?;
        Ok(Response::new(pb::FindPartyResponse {
            parties: parties.into_iter().map(party).collect(),
        }))
    }

    async fn find_paths(&self, request: Request<pb::FindPathsRequest>) -> Answer<pb::FindPathsResponse> {
        let request = request.into_inner();
        let from = required("from", request.from.trim(), TEXT_CHARS_MAX).map_err(to_status)?;
        let to = required("to", request.to.trim(), TEXT_CHARS_MAX).map_err(to_status)?;
        let max_hops = in_range("max_hops", request.max_hops, HOPS_DEFAULT, HOPS_MAX).map_err(to_status)?;
        let limit = in_range("limit", request.limit, PATHS_DEFAULT, PATHS_MAX).map_err(to_status)?;
        let as_of = convert::date_of_request("as_of", &request.as_of).map_err(to_status)?;
        let paths = self
            .ports
            .graph
            .paths(from, to, max_hops, as_of, limit)
            .await
            .map_err(to_status)?;
        Ok(Response::new(pb::FindPathsResponse {
            paths: paths.iter().map(path).collect(),
        }))
    }
}

fn in_range(field: &str, value: u32, default: u32, max: u32) -> Result<usize, Failure> {
    match value {
        0 => Ok(default as usize),
        n if n <= max => Ok(n as usize),
        n => Err(Failure::invalid(
            "INVALID_FIELD",
            format!("{field} is {n}; it takes 1 to {max}, or 0 for {default}"),
        )
        .with("field", field)),
    }
}

fn party(party: PartyInfo) -> pb::Party {
    pb::Party {
        party_id: party.party_id,
        kind: party.kind,
        name: party.name,
        code: party.code,
        aliases: party.aliases,
        mentions: party.mentions,
    }
}

fn path(path: &PartyPath) -> pb::PartyPath {
    pb::PartyPath {
        hops: path.hops.iter().map(convert::value_to_proto).collect(),
        share: path.share.clone(),
        valid_from: path.valid_from.map(|d| d.to_string()).unwrap_or_default(),
        valid_to: path.valid_to.map(|d| d.to_string()).unwrap_or_default(),
    }
}

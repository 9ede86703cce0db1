//! GraphService: parties, the paths between them, what stands around them, and who owns them.

use async_trait::async_trait;
use domain::Failure;
use domain::ports::{
    Around, CompanyOwner, CompanyOwnership, GraphFormat, PartyComponent, PartyInfo, PartyName, PartyPath,
};
use proto::v1 as pb;
use proto::v1::graph_service_server::GraphService;
use tonic::{Request, Response};

use super::{Answer, BoxStream, Services, judgements, required};
use crate::convert;
use crate::status::to_status;

const HOPS_DEFAULT: u32 = 4;
const HOPS_MAX: u32 = 8;
const PATHS_DEFAULT: u32 = 10;
const PATHS_MAX: u32 = 100;
/// Longest name or code to look for, in characters.
const TEXT_CHARS_MAX: usize = 200;
/// How far a neighbourhood goes, and how much of it is shown.
const AROUND_HOPS_DEFAULT: u32 = 2;
const AROUND_HOPS_MAX: u32 = 4;
const AROUND_PARTIES_MAX: usize = 500;
const AROUND_EDGES_MAX: usize = 2_000;
/// Of a neighbourhood that is exported to a file.
const EXPORT_PARTIES_MAX: usize = 100_000;
const EXPORT_EDGES_MAX: usize = 1_000_000;
const EXPORT_PIECE_BYTES: usize = 65_536;
/// Above this share a person is a beneficial owner.
const SHARE_DEFAULT: f64 = 0.25;
const SIZE_DEFAULT: u32 = 2;
const SIZE_MAX: u32 = 1_000_000;
const COMPONENTS_DEFAULT: u32 = 50;
const COMPONENTS_MAX: u32 = 1_000;
const COMPONENT_PARTIES_MAX: usize = 20;

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

    async fn get_party(&self, request: Request<pb::GetPartyRequest>) -> Answer<pb::GetPartyResponse> {
        let request = request.into_inner();
        let id = required("party_id", request.party_id.trim(), TEXT_CHARS_MAX).map_err(to_status)?;
        let found = self.ports.graph.party(id).await.map_err(to_status)?;
        Ok(Response::new(pb::GetPartyResponse {
            party: Some(party(found)),
        }))
    }

    async fn neighbourhood(
        &self,
        request: Request<pb::NeighbourhoodRequest>,
    ) -> Answer<pb::NeighbourhoodResponse> {
        let request = request.into_inner();
        let party = required("party", request.party.trim(), TEXT_CHARS_MAX).map_err(to_status)?;
        let around = around(
            request.max_hops,
            &request.as_of,
            AROUND_PARTIES_MAX,
            AROUND_EDGES_MAX,
        )
        .map_err(to_status)?;
        let part = self
            .ports
            .graph
            .neighbourhood(party, around)
            .await
            .map_err(to_status)?;
        let near = |(party, distance): (PartyName, usize)| pb::NearParty {
            party: Some(name(party)),
            distance: number(distance),
        };
        Ok(Response::new(pb::NeighbourhoodResponse {
            parties: part.parties.into_iter().map(near).collect(),
            edges: part.edges.iter().map(convert::value_to_proto).collect(),
            truncated: part.truncated,
        }))
    }

    async fn ownership(&self, request: Request<pb::OwnershipRequest>) -> Answer<pb::OwnershipResponse> {
        let request = request.into_inner();
        let company = required("company", request.company.trim(), TEXT_CHARS_MAX).map_err(to_status)?;
        let as_of = convert::date_of_request("as_of", &request.as_of)
            .map_err(to_status)?
            .unwrap_or_else(|| self.ports.clock.today());
        let min_share = request.min_share.unwrap_or(SHARE_DEFAULT);
        if !(0.0..=1.0).contains(&min_share) {
            let failure = Failure::invalid(
                "INVALID_FIELD",
                format!("min_share is {min_share}; it is a fraction from 0 to 1: 0.25 for 25 %"),
            );
            return Err(to_status(failure.with("field", "min_share")));
        }
        let answers = self
            .ports
            .graph
            .ownership(company, as_of, min_share)
            .await
            .map_err(to_status)?;
        Ok(Response::new(pb::OwnershipResponse {
            companies: answers.into_iter().map(ownership).collect(),
        }))
    }

    async fn components(&self, request: Request<pb::ComponentsRequest>) -> Answer<pb::ComponentsResponse> {
        let request = request.into_inner();
        let size_min = in_range("size_min", request.size_min, SIZE_DEFAULT, SIZE_MAX).map_err(to_status)?;
        let limit =
            in_range("limit", request.limit, COMPONENTS_DEFAULT, COMPONENTS_MAX).map_err(to_status)?;
        let components = self
            .ports
            .graph
            .components(size_min, limit, COMPONENT_PARTIES_MAX)
            .await
            .map_err(to_status)?;
        let component = |c: PartyComponent| pb::Component {
            component_id: c.component_id,
            size: number(c.size),
            parties: c.parties.into_iter().map(name).collect(),
        };
        Ok(Response::new(pb::ComponentsResponse {
            components: components.into_iter().map(component).collect(),
        }))
    }

    type ExportGraphStream = BoxStream<pb::ExportGraphResponse>;

    async fn export_graph(
        &self,
        request: Request<pb::ExportGraphRequest>,
    ) -> Answer<Self::ExportGraphStream> {
        let request = request.into_inner();
        let format = match request.format() {
            pb::GraphFormat::Graphml => GraphFormat::GraphMl,
            pb::GraphFormat::Ftm => GraphFormat::FollowTheMoney,
            pb::GraphFormat::Unspecified => {
                let failure = Failure::invalid(
                    "INVALID_FIELD",
                    "format is not set; it is GRAPH_FORMAT_GRAPHML or GRAPH_FORMAT_FTM",
                );
                return Err(to_status(failure.with("field", "format")));
            }
        };
        let around = around(
            request.max_hops,
            &request.as_of,
            EXPORT_PARTIES_MAX,
            EXPORT_EDGES_MAX,
        )
        .map_err(to_status)?;
        let party = Some(request.party.trim()).filter(|text| !text.is_empty());
        let text = self
            .ports
            .graph
            .export(format, party.map(|party| (party, around)))
            .await
            .map_err(to_status)?;
        let bytes = text.into_bytes();
        let pieces = (0..bytes.len().div_ceil(EXPORT_PIECE_BYTES)).map(move |at| {
            let start = at * EXPORT_PIECE_BYTES;
            let end = bytes.len().min(start + EXPORT_PIECE_BYTES);
            let data = bytes[start..end].to_vec();
            Ok(pb::ExportGraphResponse { data })
        });
        Ok(Response::new(self.until_shutdown(futures::stream::iter(pieces))))
    }

    async fn judge_parties(
        &self,
        request: Request<pb::JudgePartiesRequest>,
    ) -> Answer<pb::JudgePartiesResponse> {
        let done = judgements::judge(&self.ports, request.into_inner()).await;
        done.map(Response::new).map_err(to_status)
    }

    async fn withdraw_party_judgement(
        &self,
        request: Request<pb::WithdrawPartyJudgementRequest>,
    ) -> Answer<pb::WithdrawPartyJudgementResponse> {
        let done = judgements::withdraw(&self.ports, request.into_inner()).await;
        done.map(Response::new).map_err(to_status)
    }

    async fn list_party_judgements(
        &self,
        request: Request<pb::ListPartyJudgementsRequest>,
    ) -> Answer<pb::ListPartyJudgementsResponse> {
        let list = judgements::list(&self.ports, request.into_inner()).await;
        list.map(Response::new).map_err(to_status)
    }

    async fn list_party_events(
        &self,
        request: Request<pb::ListPartyEventsRequest>,
    ) -> Answer<pb::ListPartyEventsResponse> {
        let list = judgements::events(&self.ports, request.into_inner()).await;
        list.map(Response::new).map_err(to_status)
    }
}

/// A neighbourhood as a request gives it.
fn around(max_hops: u32, as_of: &str, parties_max: usize, edges_max: usize) -> Result<Around, Failure> {
    Ok(Around {
        max_hops: in_range("max_hops", max_hops, AROUND_HOPS_DEFAULT, AROUND_HOPS_MAX)?,
        as_of: convert::date_of_request("as_of", as_of)?,
        parties_max,
        edges_max,
    })
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

fn name(party: PartyName) -> pb::PartyName {
    pb::PartyName {
        party_id: party.party_id,
        kind: party.kind,
        name: party.name,
    }
}

fn ownership(answer: CompanyOwnership) -> pb::CompanyOwnership {
    let owner = |o: CompanyOwner| pb::CompanyOwner {
        owner: Some(name(o.owner)),
        integrated_share: o.integrated_share,
        controls: o.controls,
        ultimate: o.ultimate,
    };
    let over = |(company, sum)| pb::OverWhole {
        company: Some(name(company)),
        sum,
    };
    let group = |(companies, closed): (Vec<PartyName>, bool)| pb::UnownedGroup {
        companies: companies.into_iter().map(name).collect(),
        closed,
    };
    pb::CompanyOwnership {
        company: Some(name(answer.company)),
        owners: answer.owners.into_iter().map(owner).collect(),
        over_whole: answer.over_whole.into_iter().map(over).collect(),
        unowned: answer.unowned.into_iter().map(group).collect(),
        truncated: answer.truncated,
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
        probability: path.probability,
        score: path.score,
    }
}

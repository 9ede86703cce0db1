//! What a graph is built from, as plain structs the engine fills from one snapshot.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What a party is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyKind {
    Company,
    Person,
    Hospital,
}

/// One party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartyNode {
    pub party_id: String,
    pub kind: PartyKind,
    pub name: String,
    /// The staff ids under which it works for a hospital: the starting points of `related_parties`.
    pub staff_ids: Vec<String>,
    /// Whether any `supplier` slot speaks of it (sells, bids, is listed): the ends of `related_parties`.
    pub is_supplier: bool,
}

/// What an edge says. An edge goes from the one who holds, leads or serves to the company; between
/// relatives its direction says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    LegalRepresentative,
    Shareholder,
    BeneficialOwner,
    Director,
    Supervisor,
    Manager,
    Agent,
    Employee,
    /// A declared interest of unknown form.
    DeclaredInterest,
    /// A declared interest of a relative who is not named; from the staff member.
    RelativeInterest,
    /// From the organisation to its branch.
    Branch,
    Spouse,
    Parent,
    Child,
    Sibling,
    OtherRelative,
}

impl Relation {
    const ALL: [(Relation, &'static str); 16] = [
        (Self::LegalRepresentative, "legal_representative"),
        (Self::Shareholder, "shareholder"),
        (Self::BeneficialOwner, "beneficial_owner"),
        (Self::Director, "director"),
        (Self::Supervisor, "supervisor"),
        (Self::Manager, "manager"),
        (Self::Agent, "agent"),
        (Self::Employee, "employee"),
        (Self::DeclaredInterest, "declared_interest"),
        (Self::RelativeInterest, "relative_interest"),
        (Self::Branch, "branch"),
        (Self::Spouse, "spouse"),
        (Self::Parent, "parent"),
        (Self::Child, "child"),
        (Self::Sibling, "sibling"),
        (Self::OtherRelative, "other_relative"),
    ];

    /// The code, as in the dataset `relations`.
    pub fn as_str(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(r, _)| *r == self)
            .map_or("", |(_, code)| code)
    }

    /// The relation of that code.
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, c)| *c == code).map(|(r, _)| *r)
    }

    pub fn is_kin(self) -> bool {
        matches!(
            self,
            Self::Spouse | Self::Parent | Self::Child | Self::Sibling | Self::OtherRelative
        )
    }

    /// Whether a path may run along it against its direction.
    pub(crate) fn both_ways(self) -> bool {
        self.is_kin() || self == Self::Branch
    }

    /// How little it proves of an interest, for putting the surer of two paths first.
    pub(crate) fn doubt(self) -> u32 {
        match self {
            Self::LegalRepresentative | Self::Shareholder | Self::BeneficialOwner | Self::Branch => 0,
            Self::Spouse | Self::Parent | Self::Child | Self::Sibling => 1,
            Self::Director | Self::Supervisor | Self::Manager => 1,
            Self::DeclaredInterest | Self::RelativeInterest => 2,
            Self::OtherRelative | Self::Agent | Self::Employee => 3,
        }
    }
}

/// The row that states an edge or an attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceRow {
    pub dataset: Arc<str>,
    /// The row's key as text.
    pub key: Box<str>,
    pub source: Arc<str>,
    pub batch: Arc<str>,
    /// Place in the batch, from 1.
    pub row: u64,
}

/// One dated edge.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EdgeInput {
    /// Party ids.
    pub from: String,
    pub to: String,
    pub relation: Relation,
    /// In units of a ten-thousandth of a percent: decimal(7,4) without its point. 40 % is 400000.
    pub share: Option<i64>,
    /// Days since 1970-01-01, half open: it holds on `d` when `valid_from <= d < valid_to`.
    pub valid_from: Option<i32>,
    pub valid_to: Option<i32>,
    pub certainty: Certainty,
    pub source: SourceRow,
}

/// How likely it is that the records merged into the two parties of an edge speak of the same two, in
/// millionths: 1 for an edge between parties told apart by checked codes, less where a name decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Certainty(u32);

impl Certainty {
    pub const SURE: Self = Self(1_000_000);

    /// The nearest millionth; below one millionth or not a number it is one millionth, above 1 it is 1.
    pub fn from_probability(probability: f64) -> Self {
        // A cast of a float saturates, and makes 0 of what is no number.
        Self(((probability * 1e6).round() as u32).clamp(1, 1_000_000))
    }

    /// That both hold, to the nearest millionth.
    pub fn and(self, other: Self) -> Self {
        let product = u64::from(self.0) * u64::from(other.0);
        // At most 10^12 over 10^6.
        Self((((product + 500_000) / 1_000_000) as u32).max(1))
    }

    /// In millionths, from 1 to 1,000,000.
    pub fn millionths(self) -> u32 {
        self.0
    }

    /// From 0.000001 to 1.
    pub fn probability(self) -> f64 {
        f64::from(self.0) / 1e6
    }
}

impl Default for Certainty {
    fn default() -> Self {
        Self::SURE
    }
}

/// What parties may share without an edge between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttributeKind {
    Phone,
    Address,
    Account,
    Email,
}

impl AttributeKind {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Phone => "phone",
            Self::Address => "address",
            Self::Account => "account",
            Self::Email => "email",
        }
    }
}

/// A value that a row states of a party, in the form it is compared in (`matching::identifier::norm_*`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttributeInput {
    /// Party id.
    pub party: String,
    pub kind: AttributeKind,
    pub value: String,
    pub source: SourceRow,
}

/// One snapshot's parties, edges and attributes, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GraphInput {
    pub parties: Vec<PartyNode>,
    pub edges: Vec<EdgeInput>,
    pub attributes: Vec<AttributeInput>,
}

/// Limits, and what counts as the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphOptions {
    /// An attribute that more parties share (a business centre's address, an agent's phone) is weak.
    pub attribute_degree_max: usize,
    /// Paths kept of one pair of parties.
    pub paths_per_pair_max: usize,
    /// Edges looked at from one starting point before its search is cut.
    pub visits_max: u64,
    /// Edges looked at for one question of best paths before its search is cut.
    pub route_visits_max: u64,
    /// Rows of `related_suppliers` before it is cut.
    pub related_suppliers_max: usize,
    /// Shares (of an owner in a company) that are kept when the ownership of everything is asked.
    pub ownership_entries_max: usize,
    /// Holdings looked at to tell who controls whom.
    pub control_visits_max: u64,
    /// Changes, in percent of all edges, that are laid over a graph before it is built anew.
    pub overlay_percent_max: usize,
    /// Parts of names of bodies that hold for the state. Being under one of them relates no companies
    /// (公司法 265).
    pub state_names: Vec<String>,
}

impl Default for GraphOptions {
    fn default() -> Self {
        Self {
            attribute_degree_max: 20,
            paths_per_pair_max: 16,
            visits_max: 1_000_000,
            route_visits_max: 400_000,
            related_suppliers_max: 200_000,
            ownership_entries_max: 20_000_000,
            control_visits_max: 50_000_000,
            overlay_percent_max: 10,
            state_names: [
                "国资委",
                "国有资产监督管理",
                "国有资产管理委员会",
                "国务院",
                "财政部",
                "财政厅",
                "财政局",
                "人民政府",
            ]
            .map(str::to_owned)
            .to_vec(),
        }
    }
}

impl GraphOptions {
    pub(crate) fn is_state(&self, party: &PartyNode) -> bool {
        self.state_names.iter().any(|word| party.name.contains(word))
    }
}

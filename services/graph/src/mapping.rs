//! From rows of datasets to edges: what each dataset states of who belongs to whom.
//!
//! | dataset | edges |
//! |---|---|
//! | `relations` | one a row, as the row says: [`relation_edge`] |
//! | `suppliers` | legal representative to supplier, undated: [`legal_representative_edge`] |
//! | `declarations` | staff to relative, and relative or staff to company: [`declaration_edges`] |
//! | branches told by names | parent to branch: [`branch_edge`] |
//!
//! Attributes come from `suppliers` (phone, address, bank_account, email) and `staff` (phone), normalised by
//! `matching::identifier::norm_*`; a value that normalises to nothing is no attribute.
//!
//! The engine resolves the mention slots to party ids first; a row whose party is unknown makes no edge.

use crate::input::{Certainty, EdgeInput, Relation, SourceRow};

/// A row of `relations` with its slots `from` and `to` resolved.
#[derive(Debug, Clone)]
pub struct RelationRow<'a> {
    pub from_party: &'a str,
    pub from_name: &'a str,
    pub to_party: &'a str,
    pub to_name: &'a str,
    /// The code of the column `relation`.
    pub relation: &'a str,
    /// Units of a ten-thousandth of a percent.
    pub share: Option<i64>,
    /// Days since 1970-01-01.
    pub valid_from: Option<i32>,
    pub valid_to: Option<i32>,
    pub source: SourceRow,
}

/// The edge a row of `relations` states; `None` when its relation is no known code.
///
/// Sources write branches in both directions: where only the name of `from` is that of a branch, the edge
/// is turned to go from the parent to the branch.
pub fn relation_edge(row: RelationRow<'_>) -> Option<EdgeInput> {
    let relation = Relation::parse(row.relation)?;
    let turned = relation == Relation::Branch && names_branch(row.from_name) && !names_branch(row.to_name);
    let (from, to) = if turned {
        (row.to_party, row.from_party)
    } else {
        (row.from_party, row.to_party)
    };
    Some(EdgeInput {
        from: from.to_owned(),
        to: to.to_owned(),
        relation,
        share: row.share,
        valid_from: row.valid_from,
        valid_to: row.valid_to,
        certainty: Certainty::SURE,
        source: row.source,
    })
}

fn names_branch(name: &str) -> bool {
    let name = name.trim_end();
    [
        "分公司",
        "分院",
        "院区",
        "分店",
        "分厂",
        "分部",
        "分行",
        "支行",
        "分所",
        "办事处",
        "代表处",
        "营业部",
        "经营部",
        "门店",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

/// The edge from a supplier's legal representative. The register tells who it is and not since when, so the
/// edge is open at both ends. A representative known by name only is a party of that one row, and so joins
/// no two companies.
pub fn legal_representative_edge(
    representative_party: &str,
    supplier_party: &str,
    source: SourceRow,
) -> EdgeInput {
    undated(
        representative_party,
        supplier_party,
        Relation::LegalRepresentative,
        None,
        source,
    )
}

/// A row of `declarations` with its slots resolved; `staff_party` is the party of its `staff_id`.
#[derive(Debug, Clone)]
pub struct DeclarationRow<'a> {
    pub staff_party: &'a str,
    /// `None` when no relative is named.
    pub relative_party: Option<&'a str>,
    /// Column `relation`: self, spouse, parent, child, sibling, other_relative, or as written.
    pub relation: Option<&'a str>,
    pub company_party: Option<&'a str>,
    /// Column `role`, as written.
    pub role: Option<&'a str>,
    /// Units of a ten-thousandth of a percent.
    pub share: Option<i64>,
    pub source: SourceRow,
}

/// The edges a declaration states: staff to relative when a relative is named, and the holder (the
/// relative, else the staff member) to the company when one is named. An interest of a relative who is not
/// named goes from the staff member as [`Relation::RelativeInterest`].
///
/// A declaration tells that something holds and not since when, so its edges are open at both ends.
pub fn declaration_edges(row: DeclarationRow<'_>) -> Vec<EdgeInput> {
    let own = row.relation.is_none_or(|r| r.is_empty() || r == "self") && row.relative_party.is_none()
        || row.relation == Some("self");
    let relative = row
        .relative_party
        .filter(|relative| !own && *relative != row.staff_party);
    let mut edges = Vec::new();
    if let Some(relative) = relative {
        let kin = row
            .relation
            .and_then(Relation::parse)
            .filter(|r| r.is_kin())
            .unwrap_or(Relation::OtherRelative);
        edges.push(undated(row.staff_party, relative, kin, None, row.source.clone()));
    }
    let Some(company) = row.company_party else {
        return edges;
    };
    let (holder, unnamed) = match relative {
        Some(relative) => (relative, false),
        None => (row.staff_party, !own),
    };
    let held = row.share.map(|_| Relation::Shareholder);
    let relation = match row
        .role
        .and_then(role)
        .or(held)
        .unwrap_or(Relation::DeclaredInterest)
    {
        _ if unnamed => Relation::RelativeInterest,
        relation => relation,
    };
    edges.push(undated(holder, company, relation, row.share, row.source));
    edges
}

/// The relation that words for a post tell.
fn role(text: &str) -> Option<Relation> {
    if let Some(relation) = Relation::parse(text).filter(|r| !r.both_ways()) {
        return Some(relation);
    }
    [
        ("法定代表人", Relation::LegalRepresentative),
        ("法人", Relation::LegalRepresentative),
        ("实际控制人", Relation::BeneficialOwner),
        ("受益", Relation::BeneficialOwner),
        ("股东", Relation::Shareholder),
        ("持股", Relation::Shareholder),
        ("合伙人", Relation::Shareholder),
        ("董事", Relation::Director),
        ("监事", Relation::Supervisor),
        ("经理", Relation::Manager),
        ("总监", Relation::Manager),
        ("高管", Relation::Manager),
        ("负责人", Relation::Manager),
        ("代理", Relation::Agent),
        ("代表", Relation::Agent),
        ("员工", Relation::Employee),
        ("职员", Relation::Employee),
        ("雇员", Relation::Employee),
    ]
    .into_iter()
    .find(|(word, _)| text.contains(word))
    .map(|(_, relation)| relation)
}

/// The edge from an organisation to the branch whose name tells its parent (`matching::Branch`).
pub fn branch_edge(parent_party: &str, branch_party: &str, source: SourceRow) -> EdgeInput {
    undated(parent_party, branch_party, Relation::Branch, None, source)
}

fn undated(from: &str, to: &str, relation: Relation, share: Option<i64>, source: SourceRow) -> EdgeInput {
    let (from, to) = (from.to_owned(), to.to_owned());
    EdgeInput {
        from,
        to,
        relation,
        share,
        valid_from: None,
        valid_to: None,
        certainty: Certainty::SURE,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source() -> SourceRow {
        SourceRow {
            dataset: "d".into(),
            key: "k".into(),
            source: "s".into(),
            batch: "b".into(),
            row: 1,
        }
    }

    fn declared(
        relative: Option<&str>,
        relation: Option<&str>,
        role: Option<&str>,
        share: Option<i64>,
    ) -> Vec<(String, String, Relation)> {
        let company_party = Some("c");
        let row = DeclarationRow {
            staff_party: "s",
            relative_party: relative,
            relation,
            company_party,
            role,
            share,
            source: source(),
        };
        declaration_edges(row)
            .into_iter()
            .map(|e| (e.from, e.to, e.relation))
            .collect()
    }

    fn edge(from: &str, to: &str, relation: Relation) -> (String, String, Relation) {
        (from.to_owned(), to.to_owned(), relation)
    }

    #[test]
    fn declarations_state_kin_and_interest() {
        let kin = edge("s", "r", Relation::Spouse);
        assert_eq!(
            declared(Some("r"), Some("spouse"), None, Some(400_000)),
            [kin.clone(), edge("r", "c", Relation::Shareholder)]
        );
        assert_eq!(
            declared(Some("r"), Some("spouse"), Some("副总经理"), None),
            [kin, edge("r", "c", Relation::Manager)]
        );
        assert_eq!(
            declared(Some("r"), Some("表弟"), None, None),
            [
                edge("s", "r", Relation::OtherRelative),
                edge("r", "c", Relation::DeclaredInterest)
            ]
        );
        assert_eq!(
            declared(None, Some("self"), Some("董事"), None),
            [edge("s", "c", Relation::Director)]
        );
        assert_eq!(
            declared(Some("s2"), Some("self"), None, Some(1)),
            [edge("s", "c", Relation::Shareholder)]
        );
        assert_eq!(
            declared(None, None, None, None),
            [edge("s", "c", Relation::DeclaredInterest)]
        );
        assert_eq!(
            declared(None, Some("spouse"), Some("股东"), None),
            [edge("s", "c", Relation::RelativeInterest)]
        );
    }

    #[test]
    fn a_branch_row_goes_from_parent_to_branch_however_it_is_written() {
        let row = |from_name, to_name| RelationRow {
            from_party: "a",
            from_name,
            to_party: "b",
            to_name,
            relation: "branch",
            share: None,
            valid_from: None,
            valid_to: None,
            source: source(),
        };
        let down = relation_edge(row("康瑞有限公司", "康瑞有限公司杭州分公司")).unwrap();
        let up = relation_edge(row("康瑞有限公司杭州分公司", "康瑞有限公司")).unwrap();
        assert_eq!((down.from.as_str(), up.from.as_str()), ("a", "b"));
        assert!(
            relation_edge(RelationRow {
                relation: "friend",
                ..row("", "")
            })
            .is_none()
        );
    }

    #[test]
    fn every_code_of_the_data_model_is_a_relation() {
        let relations = domain::dataset("relations").unwrap();
        for code in relations.column("relation").unwrap().codes.keys() {
            assert_eq!(Relation::parse(code).map(Relation::as_str), Some(code.as_str()));
        }
    }
}

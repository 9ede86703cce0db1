//! From the lake's mentions to its parties: resolution itself is `matching`'s.

use domain::ports::Notice;
use lake::{PartyBranchRow, PartyRefRow, PartyRow, PartyTables};
use matching::{PartyKind, Resolver};

/// Resolves all mentions; also returns what did not fit.
pub fn resolve(resolver: &dyn Resolver, mentions: &[lake::Mention]) -> (PartyTables, Vec<Notice>) {
    let mentions: Vec<matching::Mention> = mentions.iter().filter_map(mention).collect();
    let resolution = resolver.resolve(&mentions);
    let parties = resolution.parties.into_iter().map(|p| PartyRow {
        party_id: p.party_id,
        kind: p.kind.as_str().to_owned(),
        name: p.name,
        uscc: p.uscc,
        id_number: p.id_number,
        aliases: p.aliases,
    });
    let refs = resolution.refs.into_iter().map(|r| PartyRefRow {
        reference: r.reference,
        party_id: r.party_id,
        party_key: r.party_key,
    });
    let branches = resolution.branches.into_iter().map(|b| PartyBranchRow {
        branch_party_id: b.branch_party_id,
        parent_party_id: b.parent_party_id,
    });
    let tables = PartyTables {
        parties: parties.collect(),
        refs: refs.collect(),
        branches: branches.collect(),
    };
    (tables, resolution.notices)
}

fn mention(mention: &lake::Mention) -> Option<matching::Mention> {
    let kind = match mention.dataset.as_str() {
        "hospitals" => PartyKind::Hospital,
        _ => PartyKind::parse(&mention.kind)?,
    };
    Some(matching::Mention {
        reference: mention.reference,
        kind,
        id: mention.id.clone(),
        name: mention.name.clone(),
        code: mention.code.clone(),
        dataset: mention.dataset.clone(),
        slot: mention.slot.clone(),
        context: mention.context.clone(),
    })
}

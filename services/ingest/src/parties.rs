//! From the lake's mentions to its parties: resolution itself is `matching`'s.

use domain::Bilingual;
use domain::judgements::PartyJudgement;
use domain::ports::Notice;
use lake::{PartyBranchRow, PartyRefRow, PartyRow, PartyTables, Prepared};
use matching::{Facts, Judged, Known, PartyKind, Resolver, Unobeyed, Verdict};

/// The register whose rows say more of organisations than name and code.
pub const REGISTER: &str = "suppliers";

/// Columns of [`REGISTER`] behind [`Facts`].
const FACTS: [&str; 6] = [
    "_supplier_ref",
    "legal_representative",
    "phone",
    "address",
    "email",
    "bank_account",
];

/// What the register's rows say, as they are after the sync.
pub fn facts(prepared: &Prepared) -> lake::Result<Vec<Facts>> {
    let rows = prepared.rows(REGISTER, &FACTS)?;
    let facts = rows.into_iter().filter_map(|mut row| {
        let mut cell = |at: usize| row.get_mut(at).and_then(Option::take);
        Some(Facts {
            reference: cell(0)?.parse().ok()?,
            legal_representative: cell(1),
            phone: cell(2),
            address: cell(3),
            email: cell(4),
            bank_account: cell(5),
        })
    });
    Ok(facts.collect())
}

/// What resolution yields.
pub struct Resolved {
    pub tables: PartyTables,
    /// What did not fit.
    pub notices: Vec<Notice>,
    /// Places in the list of verdicts that could not be obeyed.
    pub unobeyed: Vec<(usize, Unobeyed)>,
}

/// Tells which verdicts were not obeyed. One whose party no row speaks of any more waits, and is not told.
pub fn unobeyed_notice(verdicts: &[PartyJudgement], unobeyed: &[(usize, Unobeyed)]) -> Option<Notice> {
    let told: Vec<String> = unobeyed
        .iter()
        .filter(|(_, why)| !matches!(why, Unobeyed::NoMention(_)))
        .filter_map(|(at, why)| Some(format!("{}: {why}", verdicts.get(*at)?.judgement_id)))
        .collect();
    let count = told.len() as u64;
    let list = told.join("; ");
    (count > 0).then(|| Notice {
        code: "JUDGEMENT_NOT_OBEYED".to_owned(),
        place: "parties".to_owned(),
        message: Bilingual::new(
            format!("人工判定与数据矛盾，未采用（{list}）"),
            format!("reviewers' verdicts that the rows contradict were not obeyed ({list})"),
        ),
        count,
    })
}

fn judged(judgement: &PartyJudgement) -> Option<Judged> {
    Some(Judged {
        verdict: Verdict::parse(&judgement.verdict)?,
        a: judgement.a.clone(),
        b: judgement.b.clone(),
    })
}

/// Resolves all mentions.
pub fn resolve(
    resolver: &dyn Resolver,
    mentions: &[lake::Mention],
    facts: &[Facts],
    judgements: &[PartyJudgement],
) -> Resolved {
    let mentions: Vec<matching::Mention> = mentions.iter().filter_map(mention).collect();
    let judged: Vec<Judged> = judgements.iter().filter_map(judged).collect();
    let resolution = resolver.resolve(Known {
        mentions: &mentions,
        facts,
        judged: &judged,
    });
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
        certainty_bp: r.certainty_bp,
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
    Resolved {
        tables,
        notices: resolution.notices,
        unobeyed: resolution.unobeyed,
    }
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

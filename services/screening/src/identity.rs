//! Who the subject is: a checked code first, then the strict name, then near names; never a guess.

use domain::Bilingual;
use domain::screening::{PartyCandidate, Reason, ScreenSubject};
use matching::org::Reading;
use matching::{OrgAgreement, OrgLevel, Uscc};

use crate::answer::{ReasonExt, clean, hit, not_computed};
use crate::index::Index;
use crate::names::{Found, NameIndex, Search, tier};

/// What is known of who the subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// This party.
    Known(u32),
    /// Surely none that the snapshot speaks of.
    Unknown,
    /// May be one of several, or nobody: what depends on the party cannot be computed.
    Undecided,
}

/// The subject identified, as far as it can be.
#[derive(Debug)]
pub(crate) struct Identified {
    pub standing: Standing,
    /// Name and code contradict each other: nothing may be called clean on this identity.
    pub doubt: bool,
    pub party: Option<PartyCandidate>,
    pub candidates: Vec<PartyCandidate>,
    /// Reasons of the check IDENTITY.
    pub reasons: Vec<Reason>,
}

const LAW_CODE: &str = "GB 32100-2015";
const LAWFUL_SLIP: (&str, &str) = (
    "录入笔误；境外企业或未换证主体没有统一社会信用代码",
    "A slip of the keyboard; foreign firms and bodies not yet re-registered have no such code",
);
const LAWFUL_RENAMED: (&str, &str) = (
    "企业已更名而名称未更新，或以分支机构名义签订",
    "The firm changed its name and one of the two was not updated, or a branch signed",
);

impl Identified {
    fn new(standing: Standing) -> Self {
        Self {
            standing,
            doubt: false,
            party: None,
            candidates: Vec::new(),
            reasons: Vec::new(),
        }
    }
}

/// Identifies the subject.
pub(crate) fn identify(index: &Index, subject: &ScreenSubject) -> Identified {
    let given = |text: &Option<String>| {
        text.as_deref()
            .map(str::trim)
            .filter(|t| !t.is_empty())
            .map(str::to_owned)
    };
    let (party_id, uscc, name) = (
        given(&subject.party_id),
        given(&subject.uscc),
        given(&subject.name),
    );
    let code = uscc.as_deref().map(Uscc::parse);
    if let Some(party_id) = &party_id {
        return by_party_id(index, party_id, code.and_then(Result::ok), name.as_deref());
    }
    match (code, name) {
        (Some(Ok(code)), name) => match index.by_uscc.get(code.as_str()).map(Vec::as_slice) {
            Some([one]) => by_code(index, *one, &code, name.as_deref()),
            Some([_, _, ..]) => {
                let mut out = Identified::new(Standing::Undecided);
                out.reasons.push(not_computed(
                    "AMBIGUOUS_CODE",
                    format!("代码 {code} 对应多个主体"),
                    format!("code {code} is that of several parties"),
                ));
                out
            }
            _ => by_new_code(index, &code, name.as_deref()),
        },
        (Some(Err(problem)), name) => {
            let mut out = match &name {
                Some(name) => by_name(index, name),
                None => Identified::new(Standing::Undecided),
            };
            out.doubt = true;
            let written = uscc.unwrap_or_default();
            out.reasons.push(
                hit(
                    "USCC_INVALID",
                    format!("统一社会信用代码“{written}”不成立（位数、字符或校验位不符），请核对营业执照"),
                    format!("the code {written:?} is no unified social credit code: {problem}"),
                )
                .because_lawful(LAWFUL_SLIP.0, LAWFUL_SLIP.1)
                .under(LAW_CODE),
            );
            out
        }
        (None, Some(name)) => by_name(index, &name),
        (None, None) => {
            let mut out = Identified::new(Standing::Undecided);
            out.reasons.push(not_computed(
                "NO_SUBJECT",
                "未给出主体编号、代码或名称",
                "neither party id nor code nor name was given",
            ));
            out
        }
    }
}

fn by_party_id(index: &Index, party_id: &str, code: Option<Uscc>, name: Option<&str>) -> Identified {
    let Some(at) = index.by_id.get(party_id).copied() else {
        let mut out = Identified::new(Standing::Undecided);
        out.reasons.push(not_computed(
            "PARTY_ID_UNKNOWN",
            format!("没有编号为“{party_id}”的机构"),
            format!("there is no organisation {party_id:?}; `lianjing party NAME` finds ids"),
        ));
        return out;
    };
    let mut out = Identified::new(Standing::Known(at));
    let words = Bilingual::new("按主体编号", "by party id");
    out.party = Some(candidate(index, at, "party_id", words));
    let own = index.party(at).uscc.as_deref();
    if let (Some(code), Some(own)) = (code, own)
        && code.as_str() != own
    {
        out.doubt = true;
        out.reasons
            .push(mismatch(index, at, name.unwrap_or_default(), Some(&code)));
    } else {
        check_name(index, at, name, &mut out);
    }
    out
}

/// The code is that of a known party; the name, if given, has to fit.
fn by_code(index: &Index, at: u32, code: &Uscc, name: Option<&str>) -> Identified {
    let mut out = Identified::new(Standing::Known(at));
    let words = Bilingual::new("统一社会信用代码一致", "equal unified social credit code");
    out.party = Some(candidate(index, at, "uscc", words));
    check_name(index, at, name, &mut out);
    if out.doubt
        && let Some(name) = name
    {
        // Whose name it is instead.
        let search = index.names.search(name, &index.settings);
        out.candidates = candidates(index, &search, |f| f.party != at);
    }
    if out.reasons.is_empty() {
        out.reasons.push(
            clean(
                "CODE_KNOWN",
                format!("代码 {code} 校验通过，对应主体“{}”", index.party(at).name),
                format!("code {code} holds and is that of {}", index.party(at).name),
            )
            .citing(index.party(at).row.as_ref()),
        );
    }
    out
}

/// Compares the name that was given with those of the party that was found otherwise.
fn check_name(index: &Index, at: u32, name: Option<&str>, out: &mut Identified) {
    let party = index.party(at);
    let names = || std::iter::once(&party.name).chain(&party.aliases);
    let agreement = name.and_then(|name| NameIndex::compare_with(name, names()));
    let (Some(name), Some(agreement)) = (name, agreement) else {
        return;
    };
    let fits = match agreement.level {
        OrgLevel::BranchOf => true,
        // A near name that is another party's own is that party's.
        level if level.reading() == Reading::Candidate => {
            let search = index.names.search(name, &index.settings);
            !search
                .found
                .iter()
                .any(|f| f.party != at && tier(f.agreement.level) <= 1)
        }
        level => level.reading() == Reading::Same,
    };
    if fits {
        out.reasons.push(
            clean(
                "NAME_FITS",
                format!("名称与主体“{}”相符：{}", party.name, agreement.explain_zh()),
                format!("the name fits {}: {}", party.name, agreement.explain_en()),
            )
            .citing(party.row.as_ref()),
        );
    } else {
        out.doubt = true;
        out.reasons.push(mismatch(index, at, name, None));
    }
}

fn mismatch(index: &Index, at: u32, name: &str, code: Option<&Uscc>) -> Reason {
    let party = index.party(at);
    let own = party.uscc.as_deref().unwrap_or("-");
    let (zh, en) = match code {
        Some(code) => (
            format!(
                "名称“{name}”是“{}”（{own}）的，而所给代码为 {code}：名码不符",
                party.name
            ),
            format!(
                "the name {name:?} is that of {} ({own}), the code given is {code}",
                party.name
            ),
        ),
        None => (
            format!("代码 {own} 是“{}”的，而所给名称为“{name}”：名码不符", party.name),
            format!("code {own} is that of {}, the name given is {name:?}", party.name),
        ),
    };
    hit("NAME_CODE_MISMATCH", zh, en)
        .because_lawful(LAWFUL_RENAMED.0, LAWFUL_RENAMED.1)
        .under("企业名称登记管理规定")
        .citing(party.row.as_ref())
}

/// The code holds and no row has it.
fn by_new_code(index: &Index, code: &Uscc, name: Option<&str>) -> Identified {
    let Some(name) = name else {
        let mut out = Identified::new(Standing::Undecided);
        out.reasons.push(not_computed(
            "CODE_UNKNOWN",
            format!("代码 {code} 校验通过，但数据中没有该代码；请同时给出名称，名单可能只登记名称"),
            format!("code {code} holds but no row has it; give the name too, lists may carry names only"),
        ));
        return out;
    };
    let search = index.names.search(name, &index.settings);
    // A party with another valid code is another legal person, whatever its name.
    let other_code = |f: &Found| index.party(f.party).uscc.is_some();
    let twins: Vec<&Found> = search
        .found
        .iter()
        .filter(|f| other_code(f) && tier(f.agreement.level) <= 1)
        .collect();
    let imitated: Vec<&Found> = search
        .found
        .iter()
        .filter(|f| other_code(f) && f.agreement.level == OrgLevel::Confusable)
        .collect();
    let without = Search {
        no_name: search.no_name,
        found: search.found.iter().filter(|f| !other_code(f)).cloned().collect(),
        cut: search.cut,
    };
    let mut out = decide(index, name, &without);
    if out.standing == Standing::Unknown {
        out.reasons.clear();
        if twins.is_empty() && imitated.is_empty() {
            out.reasons.push(clean(
                "NEW_PARTY",
                format!("代码 {code} 校验通过；数据中尚无该主体"),
                format!("code {code} holds; no row speaks of this party yet"),
            ));
        }
    }
    if let Some(twin) = twins.first() {
        out.standing = Standing::Undecided;
        out.doubt = true;
        out.party = None;
        out.reasons.clear();
        out.reasons.push(mismatch(index, twin.party, name, Some(code)));
        out.candidates = candidates(index, &search, |_| true);
    } else if let Some(near) = imitated.first() {
        let party = index.party(near.party);
        out.doubt = true;
        out.candidates = candidates(index, &search, |_| true);
        out.reasons.push(
            hit(
                "LOOK_ALIKE",
                format!(
                    "名称与“{}”极易混淆而代码不同：{}，疑似仿冒",
                    party.name,
                    near.agreement.explain_zh()
                ),
                format!(
                    "the name is easily taken for {} but the code differs: {}; perhaps an imitator",
                    party.name,
                    near.agreement.explain_en()
                ),
            )
            .because_lawful(
                "两家名称相近的企业各自合法登记",
                "Two firms with near names, each lawfully registered",
            )
            .under("反不正当竞争法；企业名称登记管理规定")
            .citing(party.row.as_ref()),
        );
    }
    out
}

fn by_name(index: &Index, name: &str) -> Identified {
    let search = index.names.search(name, &index.settings);
    decide(index, name, &search)
}

/// From what a search by name brought to a standing.
fn decide(index: &Index, name: &str, search: &Search) -> Identified {
    if search.no_name {
        let mut out = Identified::new(Standing::Undecided);
        out.reasons.push(not_computed(
            "NO_NAME",
            format!("“{name}”不是机构名称"),
            format!("{name:?} is no name of an organisation"),
        ));
        return out;
    }
    let best = search.found.first().map(|f| tier(f.agreement.level));
    let equal = search
        .found
        .iter()
        .take_while(|f| Some(tier(f.agreement.level)) == best)
        .count();
    let told = candidates(index, search, |_| true);
    let before = search.found[equal..]
        .iter()
        .find(|f| f.agreement.level == OrgLevel::Former);
    if let (Some(0), Some(before)) = (best, before) {
        return former_name_taken(index, name, &search.found[0], before, told);
    }
    match (best, equal) {
        // A short form is sure only when every name was compared.
        (Some(0 | 1), 1) => known(index, &search.found[0]),
        (Some(2), 1) if !search.cut => known(index, &search.found[0]),
        // A branch and its parent are one legal person.
        (Some(4), 1) if !search.cut => known(index, &search.found[0]),
        (Some(tier), _) if tier <= 2 => {
            let mut out = Identified::new(Standing::Undecided);
            let rows = search.found[..equal]
                .iter()
                .filter_map(|f| index.party(f.party).row.as_ref());
            out.reasons.push(
                not_computed(
                    "AMBIGUOUS_NAME",
                    format!("名称“{name}”可指 {equal} 个主体，未作推断；请给出统一社会信用代码"),
                    format!("{name:?} may be {equal} parties, none was chosen; give the unified social credit code"),
                )
                .citing(rows.take(index.settings.candidates_max)),
            );
            out.candidates = told;
            out
        }
        (Some(_), _) => {
            let mut out = Identified::new(Standing::Undecided);
            out.reasons.push(not_computed(
                "POSSIBLE_MATCH",
                format!("没有名为“{name}”的主体，但有相近名称；请给出统一社会信用代码"),
                format!(
                    "no party is called {name:?}, but near names exist; give the unified social credit code"
                ),
            ));
            out.candidates = told;
            out
        }
        (None, _) if search.cut => {
            let mut out = Identified::new(Standing::Undecided);
            out.reasons.push(not_computed(
                "SEARCH_CUT",
                format!("“{name}”过于宽泛，未能逐一比较；请写全名称或给出代码"),
                format!("{name:?} is too common to compare with all; write the full name or give the code"),
            ));
            out
        }
        (None, _) => {
            let mut out = Identified::new(Standing::Unknown);
            out.reasons.push(not_computed(
                "PARTY_UNKNOWN",
                format!("数据中没有“{name}”，无法核对其代码"),
                format!("no row speaks of {name:?}; its code could not be compared"),
            ));
            out
        }
    }
}

/// A name that one firm bears and another one bore: rows that use it may mean either.
fn former_name_taken(
    index: &Index,
    name: &str,
    bearer: &Found,
    before: &Found,
    candidates: Vec<PartyCandidate>,
) -> Identified {
    let (now, then) = (index.party(bearer.party), index.party(before.party));
    let mut out = Identified::new(Standing::Undecided);
    out.reasons.push(
        not_computed(
            "FORMER_NAME_TAKEN",
            format!(
                "“{name}”是“{}”现在的名称，也是“{}”的曾用名，未作推断；请给出统一社会信用代码",
                now.name, then.name
            ),
            format!(
                "{name:?} is the name of {} and was that of {}, none was chosen; give the unified social credit code",
                now.name, then.name
            ),
        )
        .citing([now, then].into_iter().filter_map(|party| party.row.as_ref())),
    );
    out.candidates = candidates;
    out
}

fn known(index: &Index, found: &Found) -> Identified {
    let mut out = Identified::new(Standing::Known(found.party));
    let party = index.party(found.party);
    out.party = Some(candidate_of(index, found));
    out.reasons.push(
        clean(
            if found.agreement.level == OrgLevel::BranchOf {
                "ONE_LEGAL_PERSON"
            } else {
                "NAME_KNOWN"
            },
            format!("识别为“{}”：{}", party.name, found.agreement.explain_zh()),
            format!("taken for {}: {}", party.name, found.agreement.explain_en()),
        )
        .citing(party.row.as_ref()),
    );
    out
}

fn candidates(index: &Index, search: &Search, keep: impl Fn(&Found) -> bool) -> Vec<PartyCandidate> {
    let kept = search.found.iter().filter(|f| keep(f));
    kept.take(index.settings.candidates_max)
        .map(|f| candidate_of(index, f))
        .collect()
}

fn candidate_of(index: &Index, found: &Found) -> PartyCandidate {
    let OrgAgreement { level, .. } = found.agreement;
    let words = Bilingual::new(found.agreement.explain_zh(), found.agreement.explain_en());
    candidate(index, found.party, level.as_str(), words)
}

fn candidate(index: &Index, at: u32, level: &'static str, explanation: Bilingual) -> PartyCandidate {
    let party = index.party(at);
    PartyCandidate {
        party_id: party.party_id.to_string(),
        name: party.name.to_string(),
        uscc: party.uscc.as_deref().map(str::to_owned),
        level,
        explanation,
    }
}

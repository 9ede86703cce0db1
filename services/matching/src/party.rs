//! What goes into resolution and what comes out of it.

use domain::ports::Notice;
use serde::{Deserialize, Serialize};

/// What a mention says it speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyKind {
    Company,
    Person,
    /// An organisation that buys. Companies and hospitals share one space of identities: a hospital named
    /// as the buyer of an invoice is the hospital of the register.
    Hospital,
}

impl PartyKind {
    /// The code in the dataset `parties`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Company => "company",
            Self::Person => "person",
            Self::Hospital => "hospital",
        }
    }

    /// The kind of that code.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Company, Self::Person, Self::Hospital]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// One place where a dataset speaks of an organisation or a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mention {
    /// What the row stores in its `_<slot>_ref` column. Mentions with the same reference get the same party;
    /// a person's reference is expected to depend on the row, since persons are never joined by name.
    pub reference: i64,
    pub kind: PartyKind,
    /// The source's own id (supplier id, staff id), or a code where the source puts one there.
    pub id: Option<String>,
    pub name: Option<String>,
    /// USCC or ID number, as written.
    pub code: Option<String>,
    /// Dataset and slot. `suppliers`/`supplier`, `hospitals`/`hospital` and `staff`/`staff` are the registers
    /// that say who an id is.
    pub dataset: String,
    pub slot: String,
    /// Where one finds it, e.g. the row's key; quoted in notices. When empty, notices quote what an
    /// organisation's mention says, and of a person's nothing.
    pub context: String,
}

/// What a register's row says of an organisation beside its name and code: the fields that can confirm a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The mention of the organisation in that row.
    pub reference: i64,
    pub legal_representative: Option<String>,
    pub phone: Option<String>,
    pub address: Option<String>,
    pub email: Option<String>,
    pub bank_account: Option<String>,
}

/// What a reviewer found of two parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    Same,
    Different,
}

impl Verdict {
    /// `SAME` or `DIFFERENT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Same => "SAME",
            Self::Different => "DIFFERENT",
        }
    }

    /// The verdict of that word, in any case.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Same, Self::Different]
            .into_iter()
            .find(|verdict| text.trim().eq_ignore_ascii_case(verdict.as_str()))
    }
}

/// A reviewer's verdict. Both parties are told by business keys, as [`PartyRef::party_key`] has them; `name:` stands for
/// the mentions that are told by that name alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Judged {
    pub verdict: Verdict,
    pub a: String,
    pub b: String,
}

/// Why a verdict was not obeyed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unobeyed {
    #[error("no row speaks of {0}")]
    NoMention(String),
    #[error("{0} is the name of several parties; tell them by code or party id")]
    Ambiguous(String),
    #[error(
        "{0} and {1} are one party already, by a code, a registered id or a name; correct the source that says so"
    )]
    OneParty(String, String),
    #[error("{0} and {1} are a person and an organisation")]
    UnlikeKinds(String, String),
    #[error(
        "they carry two valid codes, {0} and {1}; parties with different valid codes are never the same: correct the wrong code at its source"
    )]
    TwoCodes(String, String),
    #[error("other verdicts say the opposite of {0} and {1}; withdraw those first")]
    Contradicted(String, String),
}

/// One organisation or person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Twelve ASCII characters, derived from what identifies the party and nothing else.
    pub party_id: String,
    pub kind: PartyKind,
    /// The register's name if there is one, else the one mentioned most. Empty when no mention has one.
    pub name: String,
    pub uscc: Option<String>,
    /// The whole number: mask it before showing it (`IdNumber::masked`).
    pub id_number: Option<String>,
    /// Its other names as written, sorted.
    pub aliases: Vec<String>,
}

/// Which party a reference leads to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartyRef {
    pub reference: i64,
    pub party_id: String,
    /// The business key alerts are identified by: a USCC as it is, `name:<strict key>`, `id:<source id>`;
    /// for persons `staff:<staff id>`, `pid:<digest>` of an ID number, `src:<source id>` or `ref:<hex>`.
    pub party_key: String,
    /// How sure it is that the mention is this party's, in ten-thousandths: 10,000 where a code, a registered id, a
    /// name written alike or a reviewer decided, less where a name was joined by resemblance.
    pub certainty_bp: u16,
}

/// A mention whose party is certain.
pub const CERTAIN_BP: u16 = 10_000;

/// A branch and the organisation it belongs to, told by its name. Branches are never merged into parents.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Branch {
    pub branch_party_id: String,
    pub parent_party_id: String,
}

/// Who is who among the mentions given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resolution {
    /// Sorted by party id.
    pub parties: Vec<Party>,
    /// Sorted by reference, each once. A mention that says nothing to go by has none: no name, no id, and no
    /// code or an organisation's wrong one (equal wrong codes must not join).
    pub refs: Vec<PartyRef>,
    /// Sorted.
    pub branches: Vec<Branch>,
    /// What did not fit: wrong check digits, ambiguous names and ids, contradictions.
    pub notices: Vec<Notice>,
    /// Places in the list of verdicts that could not be obeyed, and why; ascending.
    pub unobeyed: Vec<(usize, Unobeyed)>,
}

/// All that parties are told from.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    pub mentions: &'a [Mention],
    pub facts: &'a [Facts],
    pub judged: &'a [Judged],
}

/// A way to tell who is who. Must not depend on the order of what is given.
pub trait Resolver: Send + Sync {
    fn resolve(&self, known: Known<'_>) -> Resolution;
}

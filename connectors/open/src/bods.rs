//! BODS statements as relations: 0.4 with its records, and 0.2 and 0.3 with flat statements.
//! <https://standard.openownership.org/en/0.4.0/schema/reference.html>

mod relate;
mod shape;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use connector::coerce::date::{self, Zone};
use connector::coerce::{Cell, fold};
use connector::{ReadRequest, Reason};

use crate::config::{BodsConfig, Common, ShareBound, check_codes};
use crate::connector_open::KindReader;
use crate::error::OpenError;
use crate::identifiers;
use crate::input::Input;
use crate::json::{At, Inspect, Oddities};
use crate::rows::{Place, Rows, TableSpec, Tables};
use crate::sink::{Notices, Sink};
use relate::Relate;
use shape::{Details, Statement};

const RELATIONS: usize = 0;
const SUPPLIERS: usize = 1;

/// The columns of relations, shared with FollowTheMoney.
pub const RELATION_COLUMNS: &[&str] = &[
    "relation_id",
    "from_type",
    "from_id",
    "from_name",
    "to_type",
    "to_id",
    "to_name",
    "relation",
    "share_percent",
    "valid_from",
    "valid_to",
];

const SPECS: [TableSpec; 2] = [
    TableSpec {
        dataset: "relations",
        columns: RELATION_COLUMNS,
    },
    TableSpec {
        dataset: "suppliers",
        columns: &["supplier_id", "name", "uscc", "established_on"],
    },
];

/// Interest types (folded, without hyphens) -> relation. `shareholding` is a matter of its directness.
pub const INTERESTS: [(&str, &str); 21] = [
    ("votingrights", "beneficial_owner"),
    ("appointmentofboard", "beneficial_owner"),
    ("otherinfluenceorcontrol", "beneficial_owner"),
    ("influenceorcontrol", "beneficial_owner"),
    ("settlor", "beneficial_owner"),
    ("settloroftrust", "beneficial_owner"),
    ("trustee", "beneficial_owner"),
    ("trusteeoftrust", "beneficial_owner"),
    ("protector", "beneficial_owner"),
    ("protectoroftrust", "beneficial_owner"),
    ("beneficiaryoflegalarrangement", "beneficial_owner"),
    ("rightstosurplusassetsondissolution", "beneficial_owner"),
    ("rightstoprofitorincome", "beneficial_owner"),
    ("rightsgrantedbycontract", "beneficial_owner"),
    ("conditionalrightsgrantedbycontract", "beneficial_owner"),
    ("controlviacompanyrulesorarticles", "beneficial_owner"),
    ("controlbylegalframework", "beneficial_owner"),
    ("enjoymentanduseofassets", "beneficial_owner"),
    ("seniormanagingofficial", "manager"),
    ("boardmember", "director"),
    ("boardchair", "director"),
];

/// How statements become rows.
#[derive(Debug)]
pub struct Settings {
    interests: HashMap<String, String>,
    share_range: ShareBound,
    companies_as_suppliers: bool,
    uscc_schemes: Vec<String>,
    zone: Zone,
    tables: Tables,
}

impl Settings {
    pub fn new(config: &BodsConfig, common: &Common) -> Result<Self, OpenError> {
        check_codes("[bods.interests]", &config.interests, "relations", "relation")?;
        let own = config
            .interests
            .iter()
            .map(|(text, code)| (interest_key(text), code.clone()));
        let built_in = INTERESTS
            .iter()
            .map(|(text, code)| ((*text).to_owned(), (*code).to_owned()));
        Ok(Self {
            interests: built_in.chain(own).collect(),
            share_range: config.share_range,
            companies_as_suppliers: config.companies_as_suppliers,
            uscc_schemes: common.uscc_schemes.clone(),
            zone: common.zone,
            tables: Tables::new(&SPECS, common.zone)?,
        })
    }
}

/// `voting-rights`, `votingRights` and `Voting Rights` are the same.
fn interest_key(text: &str) -> String {
    fold(text).replace(['-', '_'], "")
}

/// A person or a company, as relations name it.
#[derive(Debug, Clone)]
struct Party {
    /// person, company.
    kind: &'static str,
    /// USCC or ID number, else the id of the record.
    id: String,
    name: Option<String>,
}

/// A statement that is kept until all files are read.
#[derive(Debug)]
struct Kept {
    record: String,
    /// UTC microseconds; statements without a date come first.
    date: i64,
    is_closed: bool,
    replaces: Vec<String>,
    what: What,
    place: Place,
    position: u64,
}

#[derive(Debug)]
enum What {
    Party(Party),
    Relationship(Box<str>),
}

/// Text of relationships held until all files are read.
const KEPT_BYTES_MAX: u64 = 1 << 30;

/// Reads the files of one source.
pub struct Reader {
    settings: Arc<Settings>,
    batch_rows: usize,
    threads: usize,
    kept: Vec<Kept>,
    kept_bytes: u64,
}

impl Reader {
    pub fn new(settings: Arc<Settings>, request: &ReadRequest) -> Self {
        Self {
            settings,
            batch_rows: request.batch_rows,
            threads: request.threads,
            kept: Vec::new(),
            kept_bytes: 0,
        }
    }
}

impl KindReader for Reader {
    fn file(&mut self, input: Input, place: &Place, sink: &mut Sink) -> Result<(), OpenError> {
        let settings = self.settings.clone();
        let batch_rows = self.batch_rows;
        let refusal = input.read(
            self.threads,
            |records| {
                let mut rows = Rows::new(&settings.tables, place.clone(), batch_rows);
                let mut kept = Vec::new();
                for record in records {
                    match record.text {
                        Ok(text) => statement(
                            &settings,
                            text.trim(),
                            record.position,
                            place,
                            &mut rows,
                            &mut kept,
                        ),
                        Err((reason, text)) => {
                            rows.reject(RELATIONS, record.position, None, reason, "", &text)
                        }
                    }
                }
                rows.take(true).map(|messages| (messages, kept))
            },
            |made, bytes| {
                let (messages, kept) = made?;
                sink.all(messages)?;
                for one in &kept {
                    self.kept_bytes += match &one.what {
                        What::Party(party) => party.id.len() + party.name.as_ref().map_or(0, String::len),
                        What::Relationship(text) => text.len(),
                    } as u64;
                }
                if self.kept_bytes > KEPT_BYTES_MAX {
                    return Err(OpenError::TooMuch {
                        what: "statements",
                        limit_bytes: KEPT_BYTES_MAX,
                    });
                }
                self.kept.extend(kept);
                sink.progress(bytes, &place.file)
            },
        )?;
        refusal.map_or(Ok(()), |(reason, detail)| {
            let mut rows = Rows::new(&self.settings.tables, place.clone(), 1);
            rows.reject(RELATIONS, 0, None, reason, detail, "");
            sink.all(rows.take(true)?)
        })
    }

    fn finish(self: Box<Self>, sink: &mut Sink) -> Result<(), OpenError> {
        let replaced: HashSet<&str> = self
            .kept
            .iter()
            .flat_map(|k| &k.replaces)
            .map(String::as_str)
            .collect();
        // The newest statement of each record; of equal dates the one that came last.
        let mut parties: HashMap<&str, (i64, &Party)> = HashMap::new();
        let mut relationships: HashMap<&str, Vec<usize>> = HashMap::new();
        for (n, kept) in self.kept.iter().enumerate() {
            let record = kept.record.as_str();
            match &kept.what {
                What::Party(party) => {
                    if parties.get(record).is_none_or(|(date, _)| *date <= kept.date) {
                        parties.insert(record, (kept.date, party));
                    }
                }
                What::Relationship(_) => relationships.entry(record).or_default().push(n),
            }
        }
        for statements in relationships.values_mut() {
            statements.sort_by_key(|n| self.kept[*n].date);
        }
        let mut notices = Notices::default();
        let mut rows: Option<Rows> = None;
        let mut of: Option<&Place> = None;
        for (n, kept) in self.kept.iter().enumerate() {
            let What::Relationship(text) = &kept.what else {
                continue;
            };
            let statements = relationships
                .get(kept.record.as_str())
                .map(Vec::as_slice)
                .unwrap_or_default();
            if replaced.contains(kept.record.as_str()) || statements.last() != Some(&n) {
                let text = (
                    "已被后来的声明取代",
                    "relationship statements that later ones replace",
                );
                notices.add("SUPERSEDED", &kept.place.file, text);
                continue;
            }
            if of.is_none_or(|of| of.batch != kept.place.batch || of.file != kept.place.file) {
                if let Some(mut done) = rows.take() {
                    sink.all(done.take(true)?)?;
                }
                of = Some(&kept.place);
            }
            let rows = rows
                .get_or_insert_with(|| Rows::new(&self.settings.tables, kept.place.clone(), self.batch_rows));
            let mut details = details_of(text);
            if kept.is_closed && details.interests.items.is_empty() {
                // A closing statement may say nothing but that: what it closes is in the ones before.
                let before = statements
                    .iter()
                    .rev()
                    .find_map(|earlier| match &self.kept[*earlier].what {
                        What::Relationship(text) => {
                            Some(details_of(text)).filter(|d| !d.interests.items.is_empty())
                        }
                        What::Party(_) => None,
                    });
                details = before.unwrap_or(details);
            }
            let relate = Relate {
                settings: &self.settings,
                parties: &parties,
                kept,
                text,
            };
            relate.rows(&details, rows, &mut notices);
            sink.all(rows.take(false)?)?;
        }
        if let Some(mut rows) = rows {
            sink.all(rows.take(true)?)?;
        }
        sink.all(notices.take())
    }
}

/// The details of a statement that was read before.
fn details_of(text: &str) -> Details<'_> {
    let statement: Statement<'_> = serde_json::from_str(text).unwrap_or_default();
    let inner = if statement.details.0.starts_with('{') {
        statement.details.0
    } else {
        text
    };
    serde_json::from_str(inner).unwrap_or_default()
}

/// Reads one statement: parties and relationships are kept, all else is rejected.
fn statement(
    settings: &Settings,
    text: &str,
    position: u64,
    place: &Place,
    rows: &mut Rows,
    kept: &mut Vec<Kept>,
) {
    let mut refuse = |field: Option<&str>, reason, detail: String| {
        rows.reject(RELATIONS, position, field, reason, detail, text);
    };
    let parsed = serde_json::from_str::<Statement<'_>>(text).and_then(|statement| {
        let inner = if statement.details.0.starts_with('{') {
            statement.details.0
        } else {
            text
        };
        Ok((statement, serde_json::from_str::<Details<'_>>(inner)?))
    });
    let (statement, details) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return refuse(None, Reason::BadJson, error.to_string()),
    };
    let mut odd = Oddities::default();
    let at = At {
        parent: None,
        name: "recordDetails",
    };
    details.inspect(at, &mut odd);
    if let Some(path) = odd.wrong {
        return refuse(
            None,
            Reason::BadJson,
            format!("{path} is neither what the standard says nor null"),
        );
    }
    let kind = statement.kind.or(&statement.old_kind).text().unwrap_or_default();
    let record = statement.record_id.or(&statement.id).or(&statement.old_id).text();
    let Some(record) = record else {
        return refuse(
            Some("relation_id"),
            Reason::MissingKey,
            "recordId or statementID".to_owned(),
        );
    };
    let date = match statement.date.text().map(date::parse) {
        None => i64::MIN,
        Some(Ok(written)) => written.instant(settings.zone),
        Some(Err(reason)) => {
            return refuse(
                Some("statementDate"),
                reason,
                statement.date.text().unwrap_or_default().to_owned(),
            );
        }
    };
    let identifiers = || {
        details
            .identifiers
            .items
            .iter()
            .map(|i| (i.scheme.text(), i.id.text()))
    };
    let what = match kind {
        "entity" | "entityStatement" => {
            let uscc = identifiers::uscc(identifiers(), None, &settings.uscc_schemes);
            let name = details.name.text().map(str::to_owned);
            if settings.companies_as_suppliers {
                let cells = [
                    Cell::Text(uscc.unwrap_or(record)),
                    details.name.cell(),
                    uscc.map_or(Cell::Empty, Cell::Text),
                    details.founded.cell(),
                ];
                rows.push(SUPPLIERS, &cells, position, text);
            }
            What::Party(Party {
                kind: "company",
                id: uscc.unwrap_or(record).to_owned(),
                name,
            })
        }
        "person" | "personStatement" => {
            let name = details.names.items.iter().find_map(|name| {
                let [given, family] = [&name.given, &name.family].map(|p| p.text().unwrap_or_default());
                // Chinese names stand without a space, the family name first.
                let joined = if family.is_ascii() || given.is_ascii() {
                    format!("{given} {family}").trim().to_owned()
                } else {
                    format!("{family}{given}")
                };
                let full = name.full.text().map(str::to_owned);
                full.or(Some(joined).filter(|j| !j.is_empty()))
            });
            What::Party(Party {
                kind: "person",
                id: identifiers::id_number(identifiers()).unwrap_or(record).to_owned(),
                name: name.or_else(|| details.name.text().map(str::to_owned)),
            })
        }
        "relationship" | "ownershipOrControlStatement" => What::Relationship(text.into()),
        other => return refuse(None, Reason::UnknownCode, format!("recordType {other:?}")),
    };
    kept.push(Kept {
        record: record.to_owned(),
        date,
        is_closed: statement.status.text() == Some("closed"),
        replaces: statement
            .replaces
            .0
            .iter()
            .filter_map(|s| s.text().map(str::to_owned))
            .collect(),
        what,
        place: place.clone(),
        position,
    });
}

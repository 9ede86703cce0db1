//! FollowTheMoney entities as relations and credit records. <https://followthemoney.tech/explorer/>
//!
//! Companies and persons are kept by their ids; ownerships, directorships, families and sanctions become rows
//! when all files are read, so that an edge may come before what it joins.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use connector::coerce::{Cell, fold, trim};
use connector::json::Members;
use connector::{ReadRequest, Reason};
use serde_json::value::RawValue;

use crate::config::{Common, DebarmentConfig, FtmConfig, check_code, check_codes};
use crate::connector_open::KindReader;
use crate::error::OpenError;
use crate::input::Input;
use crate::json::{Raw, Scalar, Scalars, object};
use crate::rows::{Place, Rows, TableSpec, Tables};
use crate::sink::{Notices, Sink};

mod edges;
mod words;

const RELATIONS: usize = 0;
const CREDIT_RECORDS: usize = 1;
const SUPPLIERS: usize = 2;

/// The columns of credit records, shared with lists in CSV.
pub const CREDIT_COLUMNS: &[&str] = &[
    "record_id",
    "supplier_id",
    "supplier_name",
    "supplier_uscc",
    "record_type",
    "level",
    "region_code",
    "issued_on",
    "expires_on",
    "reason",
];

const SPECS: [TableSpec; 3] = [
    TableSpec {
        dataset: "relations",
        columns: crate::bods::RELATION_COLUMNS,
    },
    TableSpec {
        dataset: "credit_records",
        columns: CREDIT_COLUMNS,
    },
    TableSpec {
        dataset: "suppliers",
        columns: &["supplier_id", "name", "uscc", "established_on"],
    },
];

object! {
    /// An entity; its properties are taken apart by their names.
    Entity {
        id: Scalar<'a> = "id",
        schema: Scalar<'a> = "schema",
        caption: Scalar<'a> = "caption",
        datasets: Scalars<'a> = "datasets",
        properties: Raw<'a> = "properties",
    } ignoring []
}

/// How entities become rows.
#[derive(Debug)]
pub struct Settings {
    /// Folded role -> relation.
    roles: HashMap<String, String>,
    relationships: HashMap<String, String>,
    associate: Option<String>,
    record_type: String,
    /// Folded programme or dataset -> record type.
    record_types: HashMap<String, String>,
    region_code: Option<String>,
    companies_as_suppliers: bool,
    /// Relations are not wanted.
    is_sanctions_only: bool,
    tables: Tables,
}

fn folded(map: &BTreeMap<String, String>) -> impl Iterator<Item = (String, String)> + '_ {
    map.iter().map(|(text, code)| (fold(text), code.clone()))
}

impl Settings {
    pub fn new(config: &FtmConfig, common: &Common) -> Result<Self, OpenError> {
        check_codes("[ftm.roles]", &config.roles, "relations", "relation")?;
        check_codes(
            "[ftm.relationships]",
            &config.relationships,
            "relations",
            "relation",
        )?;
        if let Some(relation) = &config.associate {
            check_code("[ftm] associate", relation, "relations", "relation")?;
        }
        let record_type = config.record_type.clone().unwrap_or_else(|| "penalty".to_owned());
        check_code("[ftm] record_type", &record_type, "credit_records", "record_type")?;
        check_codes(
            "[ftm.record_types]",
            &config.record_types,
            "credit_records",
            "record_type",
        )?;
        Ok(Self {
            roles: words::table(&words::ROLES).chain(folded(&config.roles)).collect(),
            relationships: words::table(&words::RELATIONSHIPS)
                .chain(folded(&config.relationships))
                .collect(),
            associate: config.associate.clone(),
            record_type,
            record_types: folded(&config.record_types).collect(),
            region_code: config.region_code.clone(),
            companies_as_suppliers: config.companies_as_suppliers,
            is_sanctions_only: false,
            tables: Tables::new(&SPECS, common.zone)?,
        })
    }

    /// For lists of debarments: sanctions only.
    pub fn of_list(config: &DebarmentConfig, common: &Common) -> Result<Self, OpenError> {
        let own = FtmConfig {
            record_type: config.record_type.clone(),
            record_types: config.record_types.clone(),
            region_code: config.region_code.clone(),
            ..FtmConfig::default()
        };
        Ok(Self {
            is_sanctions_only: true,
            ..Self::new(&own, common)?
        })
    }
}

/// A company or a person.
#[derive(Debug, Clone)]
struct Party {
    /// person, company.
    kind: &'static str,
    name: Option<String>,
    /// USCC or ID number.
    code: Option<String>,
    datasets: Vec<String>,
}

/// An entity that joins others, kept until all files are read.
#[derive(Debug)]
struct Edge {
    place: Place,
    position: u64,
    text: Box<str>,
}

#[derive(Debug)]
enum Kept {
    Party(String, Party),
    Edge(Edge),
}

/// Bytes of names and edges held until all files are read.
const KEPT_BYTES_MAX: u64 = 3 << 30;
/// Entities within entities, at most.
const NESTING_MAX: usize = 4;

/// Reads the files of one source.
pub struct Reader {
    settings: Arc<Settings>,
    batch_rows: usize,
    threads: usize,
    parties: HashMap<String, Party>,
    edges: Vec<Edge>,
    kept_bytes: u64,
}

impl Reader {
    pub fn new(settings: Arc<Settings>, request: &ReadRequest) -> Self {
        Self {
            settings,
            batch_rows: request.batch_rows,
            threads: request.threads,
            parties: HashMap::new(),
            edges: Vec::new(),
            kept_bytes: 0,
        }
    }

    /// The table that unreadable records are told under.
    fn main_table(&self) -> usize {
        if self.settings.is_sanctions_only {
            CREDIT_RECORDS
        } else {
            RELATIONS
        }
    }
}

impl KindReader for Reader {
    fn file(&mut self, input: Input, place: &Place, sink: &mut Sink) -> Result<(), OpenError> {
        let settings = self.settings.clone();
        let (batch_rows, table) = (self.batch_rows, self.main_table());
        let refusal = input.read(
            self.threads,
            |records| {
                let mut gather = Gather {
                    settings: &settings,
                    place,
                    table,
                    rows: Rows::new(&settings.tables, place.clone(), batch_rows),
                    notices: Notices::default(),
                    kept: Vec::new(),
                };
                for record in records {
                    match record.text {
                        Ok(text) => gather.entity(text.trim(), record.position, NESTING_MAX),
                        Err((reason, text)) => {
                            gather
                                .rows
                                .reject(table, record.position, None, reason, "", &text);
                        }
                    }
                }
                let mut messages = gather.rows.take(true)?;
                messages.extend(gather.notices.take());
                Ok((messages, gather.kept))
            },
            |made: Result<_, OpenError>, bytes| {
                let (messages, kept) = made?;
                sink.all(messages)?;
                for one in kept {
                    match one {
                        Kept::Party(id, party) => {
                            self.kept_bytes +=
                                150 + (id.len() + party.name.as_ref().map_or(0, String::len)) as u64;
                            self.parties.insert(id, party);
                        }
                        Kept::Edge(edge) => {
                            self.kept_bytes += edge.text.len() as u64;
                            self.edges.push(edge);
                        }
                    }
                }
                if self.kept_bytes > KEPT_BYTES_MAX {
                    return Err(OpenError::TooMuch {
                        what: "entities",
                        limit_bytes: KEPT_BYTES_MAX,
                    });
                }
                sink.progress(bytes, &place.file)
            },
        )?;
        refusal.map_or(Ok(()), |(reason, detail)| {
            let mut rows = Rows::new(&self.settings.tables, place.clone(), 1);
            rows.reject(table, 0, None, reason, detail, "");
            sink.all(rows.take(true)?)
        })
    }

    fn finish(self: Box<Self>, sink: &mut Sink) -> Result<(), OpenError> {
        let mut notices = Notices::default();
        // Edges stand in the order of their files and positions.
        for group in self
            .edges
            .chunk_by(|a, b| a.place.batch == b.place.batch && a.place.file == b.place.file)
        {
            let mut rows = Rows::new(&self.settings.tables, group[0].place.clone(), self.batch_rows);
            for edge in group {
                edges::Relate {
                    settings: &self.settings,
                    parties: &self.parties,
                    edge,
                    rows: &mut rows,
                    notices: &mut notices,
                }
                .rows();
                sink.all(rows.take(false)?)?;
            }
            sink.all(rows.take(true)?)?;
        }
        sink.all(notices.take())
    }
}

/// What the entities of one group of records come to.
struct Gather<'g> {
    settings: &'g Settings,
    place: &'g Place,
    table: usize,
    rows: Rows,
    notices: Notices,
    kept: Vec<Kept>,
}

impl Gather<'_> {
    fn refuse(&mut self, field: Option<&str>, reason: Reason, detail: String, text: &str, position: u64) {
        self.rows
            .reject(self.table, position, field, reason, detail, text);
    }

    fn entity(&mut self, text: &str, position: u64, depth: usize) {
        let read = serde_json::from_str::<Entity<'_>>(text)
            .and_then(|entity| Properties::read(entity.properties.0).map(|properties| (entity, properties)));
        let (entity, properties) = match read {
            Ok(read) => read,
            Err(error) => return self.refuse(None, Reason::BadJson, error.to_string(), text, position),
        };
        let Some(id) = entity.id.text() else {
            return self.refuse(Some("id"), Reason::MissingKey, "id".to_owned(), text, position);
        };
        let Some(schema) = entity.schema.text() else {
            return self.refuse(None, Reason::MissingPart, "schema".to_owned(), text, position);
        };
        let kind = match schema {
            "Person" => Some("person"),
            "Company" | "Organization" | "LegalEntity" | "PublicBody" => Some("company"),
            _ => None,
        };
        if let Some(kind) = kind {
            let party = party(&entity, &properties, kind);
            if self.settings.companies_as_suppliers && kind == "company" {
                let founded = properties.first("incorporationDate");
                let cells = [
                    Cell::Text(party.code.as_deref().unwrap_or(id)),
                    party.name.as_deref().map_or(Cell::Empty, Cell::Text),
                    party.code.as_deref().map_or(Cell::Empty, Cell::Text),
                    founded.as_deref().map_or(Cell::Empty, Cell::Text),
                ];
                self.rows.push(SUPPLIERS, &cells, position, text);
            }
            self.kept.push(Kept::Party(id.to_owned(), party));
        } else if schema == "Sanction" || (edges::sides(schema).is_some() && !self.settings.is_sanctions_only)
        {
            self.kept.push(Kept::Edge(Edge {
                place: self.place.clone(),
                position,
                text: text.into(),
            }));
        } else {
            let place = format!("{}: {schema}", self.place.file);
            self.notices.add(
                "NOT_MAPPED",
                &place,
                (
                    "该类实体不属于数据模型，未读取",
                    "entities of this schema are no part of the data model",
                ),
            );
        }
        if depth > 0 {
            let nested: Vec<&str> = properties.objects().collect();
            nested
                .into_iter()
                .for_each(|inner| self.entity(inner, position, depth - 1));
        }
    }
}

fn party(entity: &Entity<'_>, properties: &Properties<'_>, kind: &'static str) -> Party {
    let is_code = |text: &str| text.len() == 18 && text.bytes().all(|b| b.is_ascii_alphanumeric());
    // `uscCode` says what it is; an ID number of 18 characters is that of an identity card.
    let code = if kind == "company" {
        properties.texts("uscCode").into_iter().find(|t| is_code(t))
    } else {
        properties.texts("idNumber").into_iter().find(|t| is_code(t))
    };
    Party {
        kind,
        name: properties
            .first("name")
            .map(Cow::into_owned)
            .or_else(|| entity.caption.text().map(str::to_owned)),
        code: code.map(Cow::into_owned),
        datasets: entity
            .datasets
            .0
            .iter()
            .filter_map(|d| d.text().map(fold))
            .collect(),
    }
}

/// The properties of an entity: lists of values by name.
pub struct Properties<'a>(Vec<(Cow<'a, str>, Vec<&'a str>)>);

impl<'a> Properties<'a> {
    fn read(json: &'a str) -> Result<Self, serde_json::Error> {
        if json.is_empty() || json == "null" {
            return Ok(Self(Vec::new()));
        }
        let members: Members<'a> = serde_json::from_str(json)?;
        let values = members.0.into_iter().map(|(name, value)| {
            let values = if value.get().starts_with('[') {
                let items: Vec<&'a RawValue> = serde_json::from_str(value.get())?;
                items.into_iter().map(RawValue::get).collect()
            } else {
                vec![value.get()]
            };
            Ok((name, values))
        });
        values.collect::<Result<_, _>>().map(Self)
    }

    fn values(&self, name: &str) -> &[&'a str] {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map_or(&[], |(_, values)| values.as_slice())
    }

    /// Values that are texts or numbers; of an entity within, its id.
    pub fn texts(&self, name: &str) -> Vec<Cow<'a, str>> {
        let values = self
            .values(name)
            .iter()
            .filter_map(|json| match Scalar::of(json) {
                Scalar::Text(text) => Some(text),
                Scalar::Number(text) => Some(Cow::Borrowed(text)),
                Scalar::Wrong(inner) if inner.starts_with('{') => {
                    let entity: Entity<'_> = serde_json::from_str(inner).ok()?;
                    Some(Cow::Owned(entity.id.text()?.to_owned()))
                }
                _ => None,
            });
        values.filter(|text| !trim(text).is_empty()).collect()
    }

    pub fn first(&self, name: &str) -> Option<Cow<'a, str>> {
        self.texts(name).into_iter().next()
    }

    /// Entities within this one.
    fn objects(&self) -> impl Iterator<Item = &'a str> {
        let values = self.0.iter().flat_map(|(_, values)| values);
        values.copied().filter(|json| json.starts_with('{'))
    }
}

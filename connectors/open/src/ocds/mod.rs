//! OCDS files as rows: tenders, bids, contracts, payments, suppliers and hospitals.

mod awards;
mod convert;
mod merge;
mod method;
mod organization;
mod shape;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use connector::coerce::date::Zone;
use connector::coerce::fold;
use connector::{Message, ReadRequest, Reason};

use crate::config::{Common, OcdsConfig, check_code, check_codes};
use crate::connector_open::KindReader;
use crate::error::OpenError;
use crate::input::Input;
use crate::rows::{Place, Rows, TableSpec, Tables};
use crate::sink::{Notices, Sink};
use convert::Converter;
use merge::Node;
use method::Methods;

pub const HOSPITALS: usize = 0;
pub const SUPPLIERS: usize = 1;
pub const TENDERS: usize = 2;
pub const BIDS: usize = 3;
pub const CONTRACTS: usize = 4;
pub const PAYMENTS: usize = 5;

/// The tables, at the indices above.
pub const SPECS: [TableSpec; 6] = [
    TableSpec {
        dataset: "hospitals",
        columns: &["hospital_id", "name", "uscc"],
    },
    TableSpec {
        dataset: "suppliers",
        columns: &["supplier_id", "name", "uscc", "address", "phone", "email"],
    },
    TableSpec {
        dataset: "tenders",
        columns: &[
            "tender_id",
            "hospital_id",
            "title",
            "category",
            "catalogue_code",
            "method",
            "budget",
            "published_at",
            "bid_deadline",
            "opened_at",
            "awarded_at",
            "agency",
            "justification",
            "status",
        ],
    },
    TableSpec {
        dataset: "bids",
        columns: &[
            "bid_id",
            "tender_id",
            "supplier_id",
            "supplier_name",
            "supplier_uscc",
            "amount",
            "submitted_at",
            "status",
            "is_winner",
            "contact_person",
            "contact_phone",
        ],
    },
    TableSpec {
        dataset: "contracts",
        columns: &[
            "contract_id",
            "tender_id",
            "hospital_id",
            "supplier_id",
            "supplier_name",
            "supplier_uscc",
            "title",
            "category",
            "amount",
            "signed_on",
            "starts_on",
            "ends_on",
            "amendments",
        ],
    },
    TableSpec {
        dataset: "payments",
        columns: &[
            "payment_id",
            "hospital_id",
            "supplier_id",
            "supplier_name",
            "supplier_uscc",
            "contract_id",
            "amount",
            "paid_on",
        ],
    },
];

/// How releases become rows.
#[derive(Debug, Clone)]
pub struct Settings {
    pub methods: Methods,
    /// Folded text -> status; empty for "not known".
    pub bid_statuses: HashMap<String, String>,
    pub currency: Option<String>,
    pub contracts_from_awards: bool,
    pub bids_from_awards: bool,
    pub is_compiled: bool,
    pub uscc_schemes: Vec<String>,
    pub zone: Zone,
    tables: Tables,
}

impl Settings {
    pub fn new(config: &OcdsConfig, common: &Common) -> Result<Self, OpenError> {
        check_codes("[ocds.methods]", &config.methods, "tenders", "method")?;
        for status in config.bid_statuses.values().filter(|s| !s.is_empty()) {
            check_code("[ocds.bid_statuses]", status, "bids", "status")?;
        }
        if let Some(currency) = &config.currency
            && !(currency.len() == 3 && currency.bytes().all(|b| b.is_ascii_uppercase()))
        {
            return Err(OpenError::Config(format!(
                "[ocds] currency {currency:?} is no currency code such as \"CNY\""
            )));
        }
        let built_in = ["valid", "disqualified", "withdrawn"].map(|s| (s.to_owned(), s.to_owned()));
        let mut bid_statuses = HashMap::from(built_in);
        bid_statuses.insert("pending".to_owned(), String::new());
        bid_statuses.extend(
            config
                .bid_statuses
                .iter()
                .map(|(text, code)| (fold(text), code.clone())),
        );
        Ok(Self {
            methods: Methods::new(&config.methods),
            bid_statuses,
            currency: config.currency.clone(),
            contracts_from_awards: config.contracts_from_awards,
            bids_from_awards: config.bids_from_awards,
            is_compiled: config.compiled,
            uscc_schemes: common.uscc_schemes.clone(),
            zone: common.zone,
            tables: Tables::new(&SPECS, common.zone)?,
        })
    }

    pub fn rows(&self, place: Place, batch_rows: usize) -> Rows {
        Rows::new(&self.tables, place, batch_rows)
    }
}

/// A release that is not the whole of its process.
#[derive(Debug)]
pub struct Pending {
    pub ocid: String,
    /// UTC microseconds.
    pub date: Option<i64>,
    pub place: Place,
    pub position: u64,
    pub text: Box<str>,
}

/// A file and its raw batch.
type Origin = (Arc<str>, Arc<str>);
/// Position of a process's newest release, and the process as its releases together tell it.
type Merged = (u64, String);

/// Text of releases held for merging.
const PENDING_BYTES_MAX: u64 = 1 << 30;

/// Reads the files of one source.
pub struct Reader {
    settings: Arc<Settings>,
    batch_rows: usize,
    threads: usize,
    pending: Vec<Pending>,
    pending_bytes: u64,
}

impl Reader {
    pub fn new(settings: Arc<Settings>, request: &ReadRequest) -> Self {
        Self {
            settings,
            batch_rows: request.batch_rows,
            threads: request.threads,
            pending: Vec::new(),
            pending_bytes: 0,
        }
    }
}

impl KindReader for Reader {
    /// Sends the rows of one file; releases that are to be merged are kept for the end.
    fn file(&mut self, input: Input, place: &Place, sink: &mut Sink) -> Result<(), OpenError> {
        let settings = self.settings.clone();
        let batch_rows = self.batch_rows;
        let refusal = input.read(
            self.threads,
            |records| {
                let mut converter = Converter::new(&settings, place.clone(), batch_rows);
                for record in records {
                    match record.text {
                        Ok(text) => converter.item(&text, record.position),
                        Err((reason, text)) => converter.unreadable(reason, &text, record.position),
                    }
                }
                converter.finish()
            },
            |made, bytes| {
                let (messages, pending) = made?;
                sink.all(messages)?;
                self.pending_bytes += pending.iter().map(|p| p.text.len() as u64).sum::<u64>();
                if self.pending_bytes > PENDING_BYTES_MAX {
                    return Err(OpenError::TooMuch {
                        what: "releases that are not compiled",
                        limit_bytes: PENDING_BYTES_MAX,
                    });
                }
                self.pending.extend(pending);
                sink.progress(bytes, &place.file)
            },
        )?;
        refusal.map_or(Ok(()), |(reason, detail)| {
            let mut rows = self.settings.rows(place.clone(), 1);
            rows.reject(TENDERS, 0, None, reason, detail, "");
            sink.all(rows.take(true)?)
        })
    }

    /// Merges what is to be merged and sends its rows, each under the place of the newest release it has.
    fn finish(self: Box<Self>, sink: &mut Sink) -> Result<(), OpenError> {
        let mut processes: BTreeMap<String, Vec<Pending>> = BTreeMap::new();
        for release in self.pending {
            processes.entry(release.ocid.clone()).or_default().push(release);
        }
        // By place of the newest release, so that a raw batch's rows come in the order of their positions.
        let mut merged: BTreeMap<Origin, Vec<Merged>> = BTreeMap::new();
        let mut told: Vec<Message> = Vec::new();
        for releases in processes.into_values() {
            let (dated, undated): (Vec<_>, Vec<_>) = if releases.len() == 1 {
                (releases, Vec::new())
            } else {
                releases.into_iter().partition(|r| r.date.is_some())
            };
            for release in undated {
                let mut rows = self.settings.rows(release.place, 1);
                let detail = "a release without a date cannot be merged with the others of its process";
                rows.reject(
                    TENDERS,
                    release.position,
                    Some("date"),
                    Reason::BadDate,
                    detail,
                    &release.text,
                );
                told.extend(rows.take(true)?);
            }
            let mut dated = dated;
            dated.sort_by_key(|r| r.date);
            let mut nodes = Vec::with_capacity(dated.len());
            for release in &dated {
                match Node::parse(&release.text) {
                    Ok(node) => nodes.push(node),
                    Err(detail) => {
                        let mut rows = self.settings.rows(release.place.clone(), 1);
                        rows.reject(
                            TENDERS,
                            release.position,
                            None,
                            Reason::BadJson,
                            detail,
                            &release.text,
                        );
                        told.extend(rows.take(true)?);
                    }
                }
            }
            if let (Some(newest), false) = (dated.last(), nodes.is_empty()) {
                let key = (newest.place.file.clone(), newest.place.batch.clone());
                merged
                    .entry(key)
                    .or_default()
                    .push((newest.position, merge::merge(nodes)));
            }
        }
        sink.all(told)?;
        for ((file, batch), mut processes) in merged {
            processes.sort_by_key(|(position, _)| *position);
            let place = Place { batch, file };
            let mut converter = Converter::new(&self.settings, place, self.batch_rows);
            for (position, text) in &processes {
                converter.merged(text, *position);
                sink.all(converter.take()?)?;
            }
            sink.all(converter.finish()?.0)?;
        }
        Ok(())
    }
}

/// Notices of one file, with the rows' messages before them.
pub fn with_notices(messages: Vec<Message>, notices: &mut Notices) -> Vec<Message> {
    let mut messages = messages;
    messages.extend(notices.take());
    messages
}

//! One release becomes rows: the tender and its bids; contracts and payments are in `awards`.

use std::collections::{HashMap, HashSet};

use connector::coerce::{Cell, date, fold};
use connector::{Message, Reason};
use xxhash_rust::xxh3::Xxh3;

use super::awards::Winners;
use super::organization::{Org, resolve};
use super::shape::{Bid, Organization, Release, Tender, Value};
use super::{BIDS, Pending, Settings, TENDERS, with_notices};
use crate::error::OpenError;
use crate::input::expand;
use crate::json::{At, Inspect, Oddities, One, Scalar};
use crate::rows::{Place, Rows};
use crate::sink::Notices;

/// Turns releases of one file into rows.
pub struct Converter<'s> {
    pub(super) settings: &'s Settings,
    place: Place,
    pub(super) rows: Rows,
    notices: Notices,
    pending: Vec<Pending>,
    /// Hashes of hospital and supplier rows that have been made.
    made: HashSet<u64>,
    /// Suppliers of the release being converted.
    pub(super) suppliers_done: Vec<String>,
}

/// Packages within packages, at most.
const NESTING_MAX: usize = 4;

/// What comes of a group of records: messages, and releases to be merged.
type Made = Result<(Vec<Message>, Vec<Pending>), OpenError>;

pub fn text_cell(text: Option<&str>) -> Cell<'_> {
    text.map_or(Cell::Empty, Cell::Text)
}

impl<'s> Converter<'s> {
    pub fn new(settings: &'s Settings, place: Place, batch_rows: usize) -> Self {
        Self {
            settings,
            rows: settings.rows(place.clone(), batch_rows),
            place,
            notices: Notices::default(),
            pending: Vec::new(),
            made: HashSet::new(),
            suppliers_done: Vec::new(),
        }
    }

    pub fn finish(mut self) -> Made {
        let messages = self.rows.take(true)?;
        Ok((with_notices(messages, &mut self.notices), self.pending))
    }

    /// What is ready to be sent.
    pub fn take(&mut self) -> Result<Vec<Message>, OpenError> {
        self.rows.take(false)
    }

    pub fn unreadable(&mut self, reason: Reason, text: &str, position: u64) {
        self.rows.reject(TENDERS, position, None, reason, "", text);
    }

    /// A release, a record, a package or a list of them.
    pub fn item(&mut self, text: &str, position: u64) {
        self.item_within(text, position, NESTING_MAX);
    }

    /// A release that was merged here.
    pub fn merged(&mut self, text: &str, position: u64) {
        match serde_json::from_str(text) {
            Ok(release) => self.release(&release, text, position, true),
            Err(error) => self.refuse(Reason::BadJson, error.to_string(), text, position),
        }
    }

    fn refuse(&mut self, reason: Reason, detail: impl Into<String>, text: &str, position: u64) {
        self.rows.reject(TENDERS, position, None, reason, detail, text);
    }

    fn item_within(&mut self, text: &str, position: u64, depth: usize) {
        let text = text.trim();
        if depth == 0 {
            return self.refuse(Reason::BadJson, "packages within packages", text, position);
        }
        let item: Release<'_> = match serde_json::from_str(text) {
            Ok(item) => item,
            Err(error) => {
                let mut items = Vec::new();
                expand(text, 1, &mut items);
                if text.starts_with('[') && items != [text] {
                    items
                        .into_iter()
                        .for_each(|item| self.item_within(item, position, depth - 1));
                } else {
                    self.refuse(Reason::BadJson, error.to_string(), text, position);
                }
                return;
            }
        };
        let compiled = item.compiled_release.0;
        if compiled.starts_with('{') {
            return match serde_json::from_str::<Release<'_>>(compiled) {
                Ok(release) => self.release(&release, compiled, position, true),
                Err(error) => self.refuse(Reason::BadJson, error.to_string(), text, position),
            };
        }
        if item.releases.0.starts_with('[') {
            let mut items = Vec::new();
            expand(item.releases.0, 1, &mut items);
            return items
                .into_iter()
                .for_each(|item| self.item_within(item, position, depth - 1));
        }
        if !item.versioned_release.0.is_empty() && item.versioned_release.0 != "null" {
            let detail =
                "a record with a versioned release only; publish its compiledRelease or its releases";
            return self.refuse(Reason::MissingPart, detail, text, position);
        }
        if item.ocid.is_missing() && !item.url.is_missing() {
            let detail = "a link to a release, which is not followed; embed the releases";
            return self.refuse(Reason::MissingPart, detail, text, position);
        }
        let is_whole = self.settings.is_compiled || item.tag.has("compiled");
        self.release(&item, text, position, is_whole);
    }

    fn release(&mut self, release: &Release<'_>, text: &str, position: u64, is_whole: bool) {
        let mut odd = Oddities::default();
        let at = At {
            parent: None,
            name: "release",
        };
        release.inspect(at, &mut odd);
        if let Some(path) = odd.wrong {
            let detail = format!("{path} is neither what the standard says nor null");
            return self.refuse(Reason::BadJson, detail, text, position);
        }
        let Some(ocid) = release.ocid.text() else {
            let reason = if release.ocid.is_missing() {
                Reason::MissingKey
            } else {
                Reason::NotAScalar
            };
            return self
                .rows
                .reject(TENDERS, position, Some("tender_id"), reason, "ocid", text);
        };
        if !is_whole {
            let date = match release.date.text().map(date::parse) {
                None => None,
                Some(Ok(written)) => Some(written.instant(self.settings.zone)),
                Some(Err(reason)) => {
                    let detail = release.date.text().unwrap_or_default();
                    return self
                        .rows
                        .reject(TENDERS, position, Some("date"), reason, detail, text);
                }
            };
            self.pending.push(Pending {
                ocid: ocid.to_owned(),
                date,
                place: self.place.clone(),
                position,
                text: text.into(),
            });
            return;
        }
        for path in odd.unknown {
            let text = (
                "该字段不属于标准中读取的部分，未读取",
                "this member is no part of the standard that is read, and was not read",
            );
            let place = format!("{}: {path}", self.place.file);
            self.notices.add("COLUMN_IGNORED", &place, text);
        }
        self.suppliers_done.clear();
        let buyer = self.hospital(release, position, text);
        let buyer_id = buyer.as_ref().and_then(|b| b.id.as_deref());
        self.tender(release, ocid, buyer_id, text, position);
        let winners = Winners::of(release, &self.settings.uscc_schemes);
        self.bids(release, ocid, &winners, text, position);
        self.contracts(release, ocid, buyer_id, &winners, text, position);
        // Parties nobody refers to are suppliers too, if they say so.
        for party in &release.parties.items {
            if party.roles.has("supplier") || party.roles.has("tenderer") {
                let org = resolve(release, party, &self.settings.uscc_schemes);
                self.supplier(&org, position, text);
            }
        }
    }

    pub(super) fn tell(&mut self, code: &'static str, text: (&str, &str)) {
        self.notices.add(code, &self.place.file, text);
    }

    /// Adds a row unless the same has been made of this group of records.
    pub(super) fn push_once(&mut self, table: usize, cells: &[Cell<'_>], position: u64, raw: &str) {
        let mut hash = Xxh3::with_seed(table as u64);
        for cell in cells {
            if let Cell::Text(text) | Cell::Number(text) | Cell::Broken(_, text) = cell {
                hash.update(text.as_bytes());
            }
            hash.update(&[0xff]);
        }
        if self.made.insert(hash.digest()) {
            self.rows.push(table, cells, position, raw);
        }
    }

    /// The amount as a cell; an error holds the currency that the configuration does not take.
    pub(super) fn money<'v>(&mut self, value: &'v One<Value<'v>>) -> Result<Cell<'v>, String> {
        let Some(value) = value.get() else {
            return Ok(Cell::Empty);
        };
        let expected = self.settings.currency.as_deref();
        match value.currency.text() {
            Some(currency)
                if !value.amount.is_missing() && !is_currency(currency, expected.unwrap_or("CNY")) =>
            {
                if expected.is_some() {
                    return Err(currency.to_owned());
                }
                let place = format!("{}: {}", self.place.file, connector::columns::clip(currency));
                self.notices.add(
                    "OTHER_CURRENCY",
                    &place,
                    (
                        "金额不是人民币，未读取；如全部为同一币种，请配置 currency",
                        "amounts in another currency than CNY were left out; set `currency` if all are in one",
                    ),
                );
                Ok(Cell::Empty)
            }
            _ => Ok(value.amount.cell()),
        }
    }

    fn tender(
        &mut self,
        release: &Release<'_>,
        ocid: &str,
        buyer_id: Option<&str>,
        raw: &str,
        position: u64,
    ) {
        let none = Tender::default();
        let tender = release.tender.get().unwrap_or(&none);
        let settings = self.settings;
        let method = match settings
            .methods
            .find(tender.method.text(), tender.method_details.text())
        {
            Ok(method) => method,
            Err(code) => {
                return self
                    .rows
                    .reject(TENDERS, position, Some("method"), Reason::UnknownCode, code, raw);
            }
        };
        let planned = release
            .planning
            .get()
            .and_then(|p| p.budget.get())
            .map(|b| &b.amount);
        let has_value = tender.value.get().is_some_and(|v| !v.amount.is_missing());
        let budget = match planned {
            Some(planned) if !has_value => self.money(planned),
            _ => self.money(&tender.value),
        };
        let agency = tender
            .procuring_entity
            .get()
            .map(|entity| resolve(release, entity, &settings.uscc_schemes))
            .filter(|entity| buyer_id.is_some() && entity.id.as_deref() != buyer_id);
        let period = tender.tender_period.get();
        let none = Scalar::Missing;
        let start = period.map_or(&none, |p| &p.start);
        let cells = |budget| {
            vec![
                Cell::Text(ocid),
                text_cell(buyer_id),
                tender.title.or(&tender.description).cell(),
                category(tender),
                text_cell(shared_classification(tender)),
                text_cell(method),
                budget,
                tender.date_published.or(start).cell(),
                period.map_or(Cell::Empty, |p| p.end.cell()),
                tender.bid_opening.get().map_or(Cell::Empty, |o| o.date.cell()),
                awarded(release).map_or(Cell::Empty, Scalar::cell),
                text_cell(agency.as_ref().and_then(|a| a.name)),
                tender.method_rationale.cell(),
                tender.status.cell(),
            ]
        };
        match budget {
            Ok(budget) => {
                let cells = cells(budget);
                self.rows.push(TENDERS, &cells, position, raw);
            }
            Err(currency) => {
                self.rows.reject(
                    TENDERS,
                    position,
                    Some("budget"),
                    Reason::OtherCurrency,
                    currency,
                    raw,
                );
            }
        }
    }

    fn bids(&mut self, release: &Release<'_>, ocid: &str, winners: &Winners<'_>, raw: &str, position: u64) {
        let bids = release
            .bids
            .get()
            .map(|b| b.details.items.as_slice())
            .unwrap_or_default();
        let tenderers = release
            .tender
            .get()
            .map(|t| t.tenderers.items.as_slice())
            .unwrap_or_default();
        if bids.is_empty() && !tenderers.is_empty() {
            self.tenderers(release, ocid, tenderers, winners, raw, position);
        } else if bids.is_empty() {
            self.bids_of_awards(release, ocid, winners, raw, position);
        }
        let mut seen: HashMap<&str, &Bid<'_>> = HashMap::with_capacity(bids.len());
        for bid in bids {
            if let Some(id) = bid.id.text()
                && let Some(first) = seen.insert(id, bid)
            {
                if first == bid {
                    self.tell(
                        "DUPLICATE_ID",
                        (
                            "同一投标列出两次，只读取一次",
                            "a bid stands twice and was read once",
                        ),
                    );
                } else {
                    self.rows
                        .reject(BIDS, position, Some("bid_id"), Reason::DuplicateId, id, raw);
                }
                seen.insert(id, first);
                continue;
            }
            self.bid(release, ocid, bid, winners, raw, position);
        }
    }

    fn bid(
        &mut self,
        release: &Release<'_>,
        ocid: &str,
        bid: &Bid<'_>,
        winners: &Winners<'_>,
        raw: &str,
        position: u64,
    ) {
        let settings = self.settings;
        let status = match bid.status.text().map(fold).as_deref() {
            None => None,
            Some(status) if settings.bid_statuses.contains_key(status) => {
                Some(settings.bid_statuses[status].as_str()).filter(|s| !s.is_empty())
            }
            Some("invited") => {
                return self.tell(
                    "INVITED_ONLY",
                    (
                        "只受邀请而未投标的单位未读取",
                        "those who were invited and did not bid were passed over",
                    ),
                );
            }
            Some(status) => {
                return self
                    .rows
                    .reject(BIDS, position, Some("status"), Reason::UnknownCode, status, raw);
            }
        };
        let Some(id) = bid.id.text() else {
            return self
                .rows
                .reject(BIDS, position, Some("bid_id"), Reason::MissingKey, "", raw);
        };
        let orgs: Vec<Org<'_>> = bid
            .tenderers
            .items
            .iter()
            .map(|t| resolve(release, t, &settings.uscc_schemes))
            .collect();
        orgs.iter().for_each(|org| self.supplier(org, position, raw));
        if orgs.len() > 1 {
            self.tell(
                "JOINT_BID",
                (
                    "联合体投标只记第一家",
                    "of a joint bid the row names the first member",
                ),
            );
        }
        let is_winner = winners.wins(bid, &orgs);
        let bid_id = format!("{ocid}/{id}");
        let amount = self.money(&bid.value);
        let values = BidValues {
            bid_id: &bid_id,
            ocid,
            org: orgs.first(),
            submitted: bid.date.cell(),
            status,
            is_winner,
        };
        self.push_bid(values, amount, raw, position);
    }

    /// Bids of which only the bidders are known.
    fn tenderers(
        &mut self,
        release: &Release<'_>,
        ocid: &str,
        tenderers: &[Organization<'_>],
        winners: &Winners<'_>,
        raw: &str,
        position: u64,
    ) {
        let mut seen = HashSet::new();
        for tenderer in tenderers {
            let org = resolve(release, tenderer, &self.settings.uscc_schemes);
            let Some(key) = org.key().map(str::to_owned) else {
                self.rows.reject(
                    BIDS,
                    position,
                    Some("bid_id"),
                    Reason::MissingKey,
                    "a tenderer without id and name",
                    raw,
                );
                continue;
            };
            if !seen.insert(key.clone()) {
                self.tell(
                    "DUPLICATE_ID",
                    (
                        "同一投标人列出两次，只读取一次",
                        "a tenderer stands twice and was read once",
                    ),
                );
                continue;
            }
            self.supplier(&org, position, raw);
            let bid_id = format!("{ocid}/tenderer/{key}");
            let values = BidValues {
                bid_id: &bid_id,
                ocid,
                is_winner: winners.has(&org),
                org: Some(&org),
                submitted: Cell::Empty,
                status: None,
            };
            self.push_bid(values, Ok(Cell::Empty), raw, position);
        }
    }

    pub(super) fn push_bid(
        &mut self,
        bid: BidValues<'_>,
        amount: Result<Cell<'_>, String>,
        raw: &str,
        position: u64,
    ) {
        let contact = bid.org.and_then(|org| org.whole.contact_point.get());
        let cells = |amount| {
            [
                Cell::Text(bid.bid_id),
                Cell::Text(bid.ocid),
                text_cell(bid.org.and_then(|o| o.id.as_deref())),
                text_cell(bid.org.and_then(|o| o.name)),
                text_cell(bid.org.and_then(|o| o.uscc)),
                amount,
                bid.submitted,
                text_cell(bid.status),
                bid.is_winner.map_or(Cell::Empty, Cell::Bool),
                contact.map_or(Cell::Empty, |c| c.name.cell()),
                contact.map_or(Cell::Empty, |c| c.telephone.cell()),
            ]
        };
        match amount {
            Ok(amount) => {
                self.rows.push(BIDS, &cells(amount), position, raw);
            }
            Err(currency) => {
                self.rows.reject(
                    BIDS,
                    position,
                    Some("amount"),
                    Reason::OtherCurrency,
                    currency,
                    raw,
                );
            }
        }
    }
}

/// What is known of a bid.
pub(super) struct BidValues<'b> {
    pub bid_id: &'b str,
    pub ocid: &'b str,
    pub org: Option<&'b Org<'b>>,
    pub submitted: Cell<'b>,
    pub status: Option<&'b str>,
    pub is_winner: Option<bool>,
}

/// Whether the text means the currency; the yuan has more than one name.
fn is_currency(text: &str, code: &str) -> bool {
    text.eq_ignore_ascii_case(code)
        || (code == "CNY" && matches!(text, "RMB" | "rmb" | "CNH" | "人民币" | "人民币元"))
}

/// goods, works, service, or whatever is written.
pub(super) fn category<'t>(tender: &'t Tender<'_>) -> Cell<'t> {
    match tender.category.text() {
        Some("services") => Cell::Text("service"),
        _ => tender.category.cell(),
    }
}

/// The classification that all items have.
fn shared_classification<'t>(tender: &'t Tender<'_>) -> Option<&'t str> {
    let mut ids = tender
        .items
        .items
        .iter()
        .map(|i| i.classification.get().and_then(|c| c.id.text()));
    let first = ids.next()??;
    ids.all(|id| id == Some(first)).then_some(first)
}

/// The date of the first award that stands. Dates of one source are written alike, so that texts compare;
/// where they are not, each is read.
fn awarded<'r>(release: &'r Release<'_>) -> Option<&'r Scalar<'r>> {
    release
        .awards
        .items
        .iter()
        .filter(|a| super::awards::stands(a) && !a.date.is_missing())
        .map(|a| &a.date)
        .min_by_key(|date| {
            let written = date.text().and_then(|text| date::parse(text).ok());
            written.map_or(i64::MAX, |w| w.instant(date::Zone::CHINA))
        })
}

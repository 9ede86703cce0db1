//! How tenders, bids, contracts, works, relations, declarations, filings and records are entered.

use chrono::{Datelike, NaiveDate};
use rand::Rng;

use crate::calendar::plus;
use crate::everyday::morning;
use crate::ink::{Cell, text};
use crate::names;
use crate::province::{Company, Person, Province, moment};
use crate::truth::RowKey;

/// A tender before it is entered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tender {
    pub(crate) hospital: usize,
    pub(crate) title: String,
    pub(crate) category: &'static str,
    pub(crate) budget_item: String,
    pub(crate) catalogue: &'static str,
    pub(crate) product: Option<usize>,
    pub(crate) method: &'static str,
    /// Cents.
    pub(crate) budget: i64,
    pub(crate) published: NaiveDate,
    /// Half past midnight instead of nine o'clock: the day before in UTC.
    pub(crate) published_at_night: bool,
    pub(crate) opened: NaiveDate,
    pub(crate) awarded: NaiveDate,
    pub(crate) agency: Option<&'static str>,
    pub(crate) justification: Option<&'static str>,
    pub(crate) approval: Option<(&'static str, NaiveDate)>,
    /// The budget after adjustment, when it was adjusted.
    pub(crate) adjusted: Option<i64>,
    /// Nothing was bought: too few bidders came.
    pub(crate) failed: bool,
    /// The budget item was entered with another tender already.
    pub(crate) budget_item_known: bool,
}

/// A bid before it is entered. What is left out gets a value of its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bid {
    pub(crate) supplier: usize,
    pub(crate) amount: i64,
    pub(crate) winner: bool,
    pub(crate) contact: Option<String>,
    pub(crate) phone: Option<String>,
    pub(crate) mac: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) account: Option<String>,
}

/// An entered tender with its bids, in the order in which they were given.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) id: String,
    pub(crate) key: RowKey,
    pub(crate) bids: Vec<RowKey>,
    winner: Option<(usize, i64)>,
}

impl Province {
    pub(crate) fn tender(&mut self, tender: &Tender, bids: Vec<Bid>) -> Told {
        let id = format!("XM{}{:06}", tender.published.format("%y"), self.next());
        let hospital = self.hospitals[tender.hospital].clone();
        let handler = hospital.staff.first().map_or(Cell::Null, |p| text(&p.staff_id));
        let published = if tender.published_at_night {
            moment(tender.published, 0, 30)
        } else {
            morning(tender.published)
        };
        let product = tender.product.map_or(Cell::Null, |p| text(&self.products[p].id));
        self.put(
            "tenders",
            vec![
                ("tender_id", text(&id)),
                ("hospital_id", text(&hospital.id)),
                ("title", text(&tender.title)),
                ("category", text(tender.category)),
                ("budget_item_code", text(&tender.budget_item)),
                ("catalogue_code", text(tender.catalogue)),
                ("product_id", product),
                ("method", text(tender.method)),
                ("budget", Cell::Money(tender.budget)),
                ("published_at", published),
                ("bid_deadline", moment(tender.opened, 9, 30)),
                ("opened_at", moment(tender.opened, 9, 30)),
                ("awarded_at", moment(tender.awarded, 16, 0)),
                ("agency", tender.agency.map_or(Cell::Null, text)),
                ("justification", tender.justification.map_or(Cell::Null, text)),
                (
                    "method_approval_no",
                    tender.approval.map_or(Cell::Null, |a| text(a.0)),
                ),
                (
                    "method_approved_on",
                    tender.approval.map_or(Cell::Null, |a| Cell::Date(a.1)),
                ),
                ("handled_by", handler),
                ("region_code", text(hospital.region)),
                ("status", text(if tender.failed { "流标" } else { "已成交" })),
            ],
        );
        if !tender.budget_item_known {
            self.put(
                "budget_items",
                vec![
                    ("budget_item_code", text(&tender.budget_item)),
                    ("fiscal_year", Cell::Int(i64::from(tender.published.year()))),
                    ("hospital_id", text(&hospital.id)),
                    ("catalogue_code", text(tender.catalogue)),
                    ("amount", Cell::Money(tender.budget)),
                    ("adjusted_amount", tender.adjusted.map_or(Cell::Null, Cell::Money)),
                    ("fund_kind", text("财政性资金")),
                ],
            );
        }
        let mut told = Told {
            key: RowKey::new("tenders", "tender_id", &id),
            id,
            bids: Vec::new(),
            winner: bids.iter().find(|b| b.winner).map(|b| (b.supplier, b.amount)),
        };
        let mut authors: Vec<String> = Vec::new();
        for (n, bid) in bids.into_iter().enumerate() {
            let author = bid.author.unwrap_or_else(|| {
                let mut name = names::person(&mut self.rng);
                while authors.contains(&name) {
                    name = names::person(&mut self.rng);
                }
                name
            });
            authors.push(author.clone());
            let contact = bid.contact.unwrap_or_else(|| names::person(&mut self.rng));
            let phone = bid.phone.unwrap_or_else(|| self.mint.mobile());
            let mac = bid.mac.unwrap_or_else(|| self.mint.mac());
            let account = bid.account.unwrap_or_else(|| self.mint.account());
            let number = self.next();
            let bid_id = format!("TB{number:07}");
            let mac = write_mac(&mac, self.rng.random_range(0..4));
            let mut row = vec![
                ("bid_id", text(&bid_id)),
                ("tender_id", text(&told.id)),
                ("amount", Cell::Money(bid.amount)),
                (
                    "submitted_at",
                    moment(plus(tender.opened, -1), 10 + n as u32 % 7, 15),
                ),
                ("status", text("有效")),
                ("is_winner", Cell::Bool(bid.winner)),
                ("contact_person", text(contact)),
                ("contact_phone", text(phone)),
                (
                    "ip_address",
                    text(format!(
                        "10.{}.{}.{}",
                        number / 62_500 % 250,
                        number / 250 % 250,
                        number % 250 + 1
                    )),
                ),
                ("mac_address", text(mac)),
                ("document_author", text(author)),
                ("deposit_account", text(account)),
            ];
            row.extend(self.trio(bid.supplier));
            self.put("bids", row);
            told.bids.push(RowKey::new("bids", "bid_id", &bid_id));
        }
        told
    }

    /// The contract with a tender's winner, at the price of the bid.
    pub(crate) fn contract(
        &mut self,
        told: &Told,
        tender: &Tender,
        signed: NaiveDate,
        work_started: Option<NaiveDate>,
    ) -> String {
        let id = format!("HT{:07}", self.next());
        let mut row = vec![
            ("contract_id", text(&id)),
            ("tender_id", text(&told.id)),
            ("hospital_id", text(&self.hospitals[tender.hospital].id)),
            ("title", text(format!("{}合同", tender.title))),
            ("category", text(tender.category)),
            ("signed_on", Cell::Date(signed)),
            ("starts_on", Cell::Date(plus(signed, 1))),
            ("ends_on", Cell::Date(plus(signed, 365))),
            ("work_started_on", work_started.map_or(Cell::Null, Cell::Date)),
        ];
        if let Some((supplier, amount)) = told.winner {
            row.push(("amount", Cell::Money(amount)));
            row.extend(self.trio(supplier));
        }
        self.put("contracts", row);
        id
    }

    pub(crate) fn works_event(
        &mut self,
        tender: &str,
        contract: Option<&str>,
        kind: &'static str,
        on: NaiveDate,
        amount: Option<i64>,
    ) -> RowKey {
        let id = format!("JD{:07}", self.next());
        self.put(
            "works_events",
            vec![
                ("event_id", text(&id)),
                ("tender_id", text(tender)),
                ("contract_id", contract.map_or(Cell::Null, text)),
                ("kind", text(kind)),
                ("on_date", Cell::Date(on)),
                ("amount", amount.map_or(Cell::Null, Cell::Money)),
            ],
        );
        RowKey::new("works_events", "event_id", &id)
    }

    /// `from` is (type, number, name); an empty number leaves it out.
    pub(crate) fn relation(
        &mut self,
        from: (&'static str, &str, &str),
        to: &Company,
        relation: &'static str,
        share: Option<i64>,
        valid: (Option<NaiveDate>, Option<NaiveDate>),
    ) -> RowKey {
        let id = format!("GX{:07}", self.next());
        self.put(
            "relations",
            vec![
                ("relation_id", text(&id)),
                ("from_type", text(from.0)),
                (
                    "from_id",
                    if from.1.is_empty() {
                        Cell::Null
                    } else {
                        Cell::Code(from.1.to_owned())
                    },
                ),
                ("from_name", text(from.2)),
                ("to_type", text("企业")),
                ("to_id", Cell::Code(to.uscc.clone())),
                ("to_name", Cell::Company(to.name.clone())),
                ("relation", text(relation)),
                ("share_percent", share.map_or(Cell::Null, Cell::Decimal)),
                ("valid_from", valid.0.map_or(Cell::Null, Cell::Date)),
                ("valid_to", valid.1.map_or(Cell::Null, Cell::Date)),
            ],
        );
        RowKey::new("relations", "relation_id", &id)
    }

    /// What a member of staff declared about a relative. The company is told by name and code.
    pub(crate) fn declare(
        &mut self,
        staff: &Person,
        relation: &'static str,
        relative: Option<&Person>,
        company: Option<&Company>,
        share: Option<i64>,
    ) -> RowKey {
        let id = format!("SB{:06}", self.next());
        let number = relative
            .filter(|p| !p.id_number.is_empty())
            .map_or(Cell::Null, |p| text(&p.id_number));
        let declared = plus(
            crate::calendar::date(2023, 1, 10),
            i64::from(self.rng.random_range(0..20_u32)),
        );
        self.put(
            "declarations",
            vec![
                ("declaration_id", text(&id)),
                ("staff_id", text(&staff.staff_id)),
                ("declared_on", Cell::Date(declared)),
                ("relative_name", relative.map_or(Cell::Null, |p| text(&p.name))),
                ("relative_id_number", number),
                ("relation", text(relation)),
                ("company_name", company.map_or(Cell::Null, |c| text(&c.name))),
                ("company_uscc", company.map_or(Cell::Null, |c| text(&c.uscc))),
                ("role", company.map_or(Cell::Null, |_| text("股东"))),
                (
                    "share_percent",
                    company.and(share).map_or(Cell::Null, Cell::Decimal),
                ),
            ],
        );
        RowKey::new("declarations", "declaration_id", &id)
    }

    pub(crate) fn credit_record(
        &mut self,
        supplier: usize,
        kind: &'static str,
        level: &'static str,
        region: &'static str,
        issued: NaiveDate,
    ) -> RowKey {
        let id = format!("BL{:06}", self.next());
        let ban = kind == "商业贿赂不良记录";
        let ends = issued.with_year(issued.year() + 2).unwrap_or(issued);
        let mut row = vec![
            ("record_id", text(&id)),
            ("record_type", text(kind)),
            ("level", if level.is_empty() { Cell::Null } else { text(level) }),
            ("region_code", text(region)),
            ("issued_on", Cell::Date(issued)),
            ("expires_on", if ban { Cell::Date(ends) } else { Cell::Null }),
            (
                "reason",
                text(if ban {
                    "给予采购与使用其药品的机构工作人员财物"
                } else {
                    "示例事由"
                }),
            ),
        ];
        row.extend(self.trio(supplier));
        self.put("credit_records", row);
        RowKey::new("credit_records", "record_id", &id)
    }

    /// A filing for buying a product off the platform, with its period.
    pub(crate) fn filing(
        &mut self,
        hospital: usize,
        product: usize,
        quantity: i64,
        valid: (NaiveDate, NaiveDate),
    ) -> (String, RowKey) {
        let no = format!("备案{}-{:06}", valid.0.format("%Y"), self.next());
        let approver = self.hospitals[hospital]
            .staff
            .last()
            .map_or(Cell::Null, |p| text(&p.staff_id));
        let p = self.products[product].clone();
        self.put(
            "filings",
            vec![
                ("filing_no", text(&no)),
                ("hospital_id", text(&self.hospitals[hospital].id)),
                ("national_code", p.national_code.map_or(Cell::Null, Cell::Text)),
                ("product_id", text(&p.id)),
                ("reason", text("临床急需，平台短缺")),
                ("quantity", Cell::Decimal(quantity * 10_000)),
                ("valid_from", Cell::Date(valid.0)),
                ("valid_to", Cell::Date(valid.1)),
                ("approved_by", approver),
            ],
        );
        let key = RowKey::new("filings", "filing_no", &no);
        (no, key)
    }
}

/// One of the ways in which programs write a network card's address.
fn write_mac(plain: &str, style: u32) -> String {
    if plain.len() != 12 || !plain.is_ascii() {
        return plain.to_owned();
    }
    let pairs: Vec<&str> = (0..6).map(|n| &plain[n * 2..n * 2 + 2]).collect();
    match style {
        0 => pairs.join("-"),
        1 => pairs.join(":").to_lowercase(),
        2 => plain.to_owned(),
        _ => pairs.join(":"),
    }
}

//! Awards: who won, and the contracts and payments that came of it.

use std::collections::HashMap;

use connector::Reason;
use connector::coerce::Cell;

use super::convert::{BidValues, Converter, category, text_cell};
use super::organization::{Org, resolve};
use super::shape::{Award, Bid, Contract, Release, Tender};
use super::{CONTRACTS, PAYMENTS};

/// Whether an award was neither revoked nor without result. One without a status counts.
pub fn stands(award: &Award<'_>) -> bool {
    award
        .status
        .text()
        .is_none_or(|s| s.eq_ignore_ascii_case("active"))
}

/// The awards that stand, with their suppliers.
pub struct Winners<'r>(Vec<(&'r Award<'r>, Vec<Org<'r>>)>);

impl<'r> Winners<'r> {
    pub fn of(release: &'r Release<'r>, schemes: &[String]) -> Self {
        let standing = release.awards.items.iter().filter(|a| stands(a));
        Self(
            standing
                .map(|award| {
                    let suppliers = award.suppliers.items.iter();
                    (award, suppliers.map(|s| resolve(release, s, schemes)).collect())
                })
                .collect(),
        )
    }

    /// Whether a bid by these won: an award names it, or one of them is a supplier of an award for the same
    /// lots. None where nothing is awarded.
    pub fn wins(&self, bid: &Bid<'_>, orgs: &[Org<'_>]) -> Option<bool> {
        if self.0.is_empty() {
            return None;
        }
        let id = bid.id.text();
        Some(self.0.iter().any(|(award, suppliers)| {
            let mut named = award
                .related_bids
                .0
                .iter()
                .chain([&award.related_bid])
                .filter_map(|s| s.text())
                .peekable();
            if named.peek().is_some() {
                return named.any(|name| Some(name) == id);
            }
            let lots = &award.related_lots.0;
            let same_lots = lots.is_empty()
                || bid.related_lots.0.is_empty()
                || lots
                    .iter()
                    .any(|lot| lot.text().is_some_and(|lot| bid.related_lots.has(lot)));
            same_lots
                && suppliers
                    .iter()
                    .any(|s| orgs.iter().any(|o| o.key().is_some() && o.key() == s.key()))
        }))
    }

    /// Whether the organisation is a supplier of an award. None where nothing is awarded.
    pub fn has(&self, org: &Org<'_>) -> Option<bool> {
        if self.0.is_empty() {
            return None;
        }
        let mut suppliers = self.0.iter().flat_map(|(_, suppliers)| suppliers);
        Some(suppliers.any(|s| s.key().is_some() && s.key() == org.key()))
    }
}

impl Converter<'_> {
    /// Bids of winners where no bidders are published, if the configuration wants them.
    pub(super) fn bids_of_awards(
        &mut self,
        _: &Release<'_>,
        ocid: &str,
        winners: &Winners<'_>,
        raw: &str,
        position: u64,
    ) {
        if winners.0.is_empty() {
            return;
        }
        if !self.settings.bids_from_awards {
            return self.tell(
                "BIDDERS_UNKNOWN",
                (
                    "只公布了中标结果而无投标人，未生成投标记录",
                    "only winners are published and no bidders: no bids were made (see bids_from_awards)",
                ),
            );
        }
        for (award, suppliers) in &winners.0 {
            for org in suppliers {
                let (Some(award_id), Some(key)) = (award.id.text(), org.key()) else {
                    continue;
                };
                self.supplier(org, position, raw);
                let bid_id = format!("{ocid}/award/{award_id}/{key}");
                let amount = self.money(&award.value);
                let values = BidValues {
                    bid_id: &bid_id,
                    ocid,
                    org: Some(org),
                    submitted: Cell::Empty,
                    status: None,
                    is_winner: Some(true),
                };
                self.push_bid(values, amount, raw, position);
            }
        }
    }

    pub(super) fn contracts(
        &mut self,
        release: &Release<'_>,
        ocid: &str,
        buyer_id: Option<&str>,
        winners: &Winners<'_>,
        raw: &str,
        position: u64,
    ) {
        for (_, suppliers) in &winners.0 {
            suppliers.iter().for_each(|org| self.supplier(org, position, raw));
        }
        let contracts = &release.contracts.items;
        let awards: HashMap<&str, &Award<'_>> = release
            .awards
            .items
            .iter()
            .filter_map(|award| Some((award.id.text()?, award)))
            .collect();
        let mut seen: HashMap<&str, &Contract<'_>> = HashMap::with_capacity(contracts.len());
        let process = Process {
            release,
            ocid,
            buyer_id,
            raw,
            position,
        };
        for contract in contracts {
            let Some(id) = contract.id.text() else {
                self.rows.reject(
                    CONTRACTS,
                    position,
                    Some("contract_id"),
                    Reason::MissingKey,
                    "",
                    raw,
                );
                continue;
            };
            if let Some(first) = seen.get(id) {
                if *first == contract {
                    self.tell(
                        "DUPLICATE_ID",
                        (
                            "同一合同列出两次，只读取一次",
                            "a contract stands twice and was read once",
                        ),
                    );
                } else {
                    self.rows.reject(
                        CONTRACTS,
                        position,
                        Some("contract_id"),
                        Reason::DuplicateId,
                        id,
                        raw,
                    );
                }
                continue;
            }
            seen.insert(id, contract);
            let award = contract.award_id.text().and_then(|id| awards.get(id).copied());
            self.contract(&process, &format!("{ocid}/{id}"), Some(contract), award);
        }
        let has_contract = |award: &Award<'_>| {
            contracts
                .iter()
                .any(|c| c.award_id.text().is_some() && c.award_id.text() == award.id.text())
        };
        // Awards are few; contracts per award are fewer.
        for (award, _) in winners
            .0
            .iter()
            .filter(|(award, _)| contracts.len() < 4096 && !has_contract(award))
        {
            match award.id.text() {
                Some(id) if self.settings.contracts_from_awards => {
                    self.contract(&process, &format!("{ocid}/award/{id}"), None, Some(award));
                }
                _ => self.tell(
                    "AWARD_WITHOUT_CONTRACT",
                    (
                        "中标结果没有对应合同，未生成合同",
                        "awards without a contract: no contract was made of them (see contracts_from_awards)",
                    ),
                ),
            }
        }
    }

    fn contract(
        &mut self,
        process: &Process<'_>,
        id: &str,
        contract: Option<&Contract<'_>>,
        award: Option<&Award<'_>>,
    ) {
        let (raw, position) = (process.raw, process.position);
        let supplier = award
            .and_then(|a| a.suppliers.items.first())
            .map(|s| resolve(process.release, s, &self.settings.uscc_schemes));
        if award.is_some_and(|a| a.suppliers.items.len() > 1) {
            self.tell(
                "JOINT_CONTRACT",
                (
                    "多家供应商的合同只记第一家",
                    "of a contract with several suppliers the row names the first",
                ),
            );
        }
        if let Some(org) = &supplier {
            self.supplier(org, position, raw);
        }
        let none = Contract::default();
        let own = contract.unwrap_or(&none);
        let has_value = own.value.get().is_some_and(|v| !v.amount.is_missing());
        let amount = match award {
            Some(award) if !has_value => self.money(&award.value),
            _ => self.money(&own.value),
        };
        let amendments = own
            .amendments
            .items
            .len()
            .max(usize::from(own.amendment.get().is_some()));
        let amendments = if amendments == 0 {
            String::new()
        } else {
            amendments.to_string()
        };
        let no_title = Default::default();
        let no_tender = Tender::default();
        let period = own.period.get();
        let cells = |amount| {
            [
                Cell::Text(id),
                Cell::Text(process.ocid),
                text_cell(process.buyer_id),
                text_cell(supplier.as_ref().and_then(|s| s.id.as_deref())),
                text_cell(supplier.as_ref().and_then(|s| s.name)),
                text_cell(supplier.as_ref().and_then(|s| s.uscc)),
                own.title.or(award.map_or(&no_title, |a| &a.title)).cell(),
                category(process.release.tender.get().unwrap_or(&no_tender)),
                amount,
                own.date_signed.cell(),
                period.map_or(Cell::Empty, |p| p.start.cell()),
                period.map_or(Cell::Empty, |p| p.end.cell()),
                Cell::Text(&amendments),
            ]
        };
        match amount {
            Ok(amount) => {
                self.rows.push(CONTRACTS, &cells(amount), position, raw);
            }
            Err(currency) => {
                self.rows.reject(
                    CONTRACTS,
                    position,
                    Some("amount"),
                    Reason::OtherCurrency,
                    currency,
                    raw,
                );
            }
        }
        self.payments(process, id, own, supplier.as_ref());
    }

    fn payments(
        &mut self,
        process: &Process<'_>,
        contract_id: &str,
        contract: &Contract<'_>,
        supplier: Option<&Org<'_>>,
    ) {
        let (raw, position) = (process.raw, process.position);
        let transactions = contract
            .implementation
            .get()
            .map(|i| i.transactions.items.as_slice());
        for transaction in transactions.unwrap_or_default() {
            let Some(id) = transaction.id.text() else {
                self.rows.reject(
                    PAYMENTS,
                    position,
                    Some("payment_id"),
                    Reason::MissingKey,
                    "",
                    raw,
                );
                continue;
            };
            let payee = transaction.payee.get().or(transaction.receiver.get());
            let payee = payee.map(|p| resolve(process.release, p, &self.settings.uscc_schemes));
            if let Some(payee) = &payee {
                self.supplier(payee, position, raw);
            }
            let payee = payee.as_ref().or(supplier);
            let has_value = transaction.value.get().is_some();
            let amount = self.money(if has_value {
                &transaction.value
            } else {
                &transaction.amount
            });
            let payment_id = format!("{contract_id}/{id}");
            match amount {
                Ok(amount) => {
                    let cells = [
                        Cell::Text(&payment_id),
                        text_cell(process.buyer_id),
                        text_cell(payee.and_then(|p| p.id.as_deref())),
                        text_cell(payee.and_then(|p| p.name)),
                        text_cell(payee.and_then(|p| p.uscc)),
                        Cell::Text(contract_id),
                        amount,
                        transaction.date.cell(),
                    ];
                    self.rows.push(PAYMENTS, &cells, position, raw);
                }
                Err(currency) => {
                    self.rows.reject(
                        PAYMENTS,
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
}

/// The release whose contracts are being made.
struct Process<'r> {
    release: &'r Release<'r>,
    ocid: &'r str,
    buyer_id: Option<&'r str>,
    raw: &'r str,
    position: u64,
}

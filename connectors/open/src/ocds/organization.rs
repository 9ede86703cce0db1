//! Organisations of a release: references looked up among the parties, identifiers, supplier and hospital rows.

use std::borrow::Cow;

use connector::coerce::Cell;

use super::convert::{Converter, text_cell};
use super::shape::{Organization, Release};
use super::{HOSPITALS, SUPPLIERS};
use crate::identifiers;

/// An organisation as a release speaks of it.
#[derive(Debug, Clone)]
pub struct Org<'r> {
    /// Its id, or `scheme-id` of its identifier where it has none.
    pub id: Option<Cow<'r, str>>,
    pub name: Option<&'r str>,
    pub uscc: Option<&'r str>,
    /// The party, or the reference itself where it is among no parties.
    pub whole: &'r Organization<'r>,
}

impl Org<'_> {
    /// What it is told apart by within a release.
    pub fn key(&self) -> Option<&str> {
        self.id.as_deref().or(self.name)
    }
}

fn own_id<'r>(organization: &'r Organization<'_>) -> Option<Cow<'r, str>> {
    if let Some(id) = organization.id.text() {
        return Some(Cow::Borrowed(id));
    }
    let identifier = organization.identifier.get()?;
    Some(Cow::Owned(format!(
        "{}-{}",
        identifier.scheme.text()?,
        identifier.id.text()?
    )))
}

/// The organisation that a reference means.
pub fn resolve<'r>(release: &'r Release<'r>, reference: &'r Organization<'r>, schemes: &[String]) -> Org<'r> {
    let id = own_id(reference);
    let party = id
        .as_deref()
        .and_then(|id| release.parties.items.iter().find(|p| p.id.text() == Some(id)));
    let whole = party.unwrap_or(reference);
    let legal_name = whole.identifier.get().and_then(|i| i.legal_name.text());
    let identifiers = whole
        .identifier
        .get()
        .into_iter()
        .chain(&whole.additional_identifiers.items);
    let uscc = identifiers::uscc(
        identifiers.map(|i| (i.scheme.text(), i.id.text())),
        whole.id.text().or(reference.id.text()),
        schemes,
    );
    Org {
        name: reference.name.text().or(whole.name.text()).or(legal_name),
        id,
        uscc,
        whole,
    }
}

impl Converter<'_> {
    /// The row of the buyer; its id, where it has one.
    pub(super) fn hospital<'r>(
        &mut self,
        release: &'r Release<'r>,
        position: u64,
        raw: &str,
    ) -> Option<Org<'r>> {
        let with_role = |role: &str| release.parties.items.iter().find(|p| p.roles.has(role));
        let tender = release.tender.get();
        let entity = tender.and_then(|t| t.procuring_entity.get());
        let reference = release
            .buyer
            .get()
            .filter(|b| own_id(b).is_some() || b.name.text().is_some())
            .or_else(|| with_role("buyer"))
            .or(entity)
            .or_else(|| with_role("procuringEntity"))?;
        let buyer = resolve(release, reference, &self.settings.uscc_schemes);
        let Some(id) = buyer.id.as_deref() else {
            self.tell(
                "BUYER_WITHOUT_ID",
                (
                    "采购人没有编号，医疗机构编号为空",
                    "a buyer without an id: hospital_id is empty",
                ),
            );
            return Some(buyer);
        };
        let cells = [Cell::Text(id), text_cell(buyer.name), text_cell(buyer.uscc)];
        self.push_once(HOSPITALS, &cells, position, raw);
        Some(buyer)
    }

    /// The row of a bidder, a winner or a payee, unless the release has given it already.
    pub(super) fn supplier(&mut self, org: &Org<'_>, position: u64, raw: &str) {
        let Some(id) = org.id.as_deref() else {
            self.tell(
                "SUPPLIER_WITHOUT_ID",
                (
                    "供应商没有编号，未列入供应商",
                    "a supplier without an id: it is in no supplier row",
                ),
            );
            return;
        };
        if self.suppliers_done.iter().any(|done| done == id) {
            return;
        }
        self.suppliers_done.push(id.to_owned());
        let contact = org.whole.contact_point.get();
        let address = org.whole.address.get().map(|a| {
            let parts = [&a.street, &a.locality, &a.region, &a.country];
            let parts: Vec<&str> = parts.iter().filter_map(|p| p.text()).collect();
            parts.join(", ")
        });
        let cells = [
            Cell::Text(id),
            text_cell(org.name),
            text_cell(org.uscc),
            text_cell(address.as_deref()),
            contact.map_or(Cell::Empty, |c| c.telephone.cell()),
            contact.map_or(Cell::Empty, |c| c.email.cell()),
        ];
        self.push_once(SUPPLIERS, &cells, position, raw);
    }
}

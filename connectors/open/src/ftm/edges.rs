//! Entities that join others, as rows: relations between companies and persons, and sanctions on companies.

use std::borrow::Cow;
use std::collections::HashMap;

use connector::Reason;
use connector::coerce::{Cell, fold};

use super::{CREDIT_RECORDS, Edge, Entity, Party, Properties, RELATIONS, Settings};
use crate::rows::Rows;
use crate::sink::Notices;

/// The properties that name the two sides of an edge: (from, to), as relations read them.
pub fn sides(schema: &str) -> Option<(&'static str, &'static str)> {
    Some(match schema {
        "Ownership" => ("owner", "asset"),
        "Directorship" => ("director", "organization"),
        "Employment" => ("employee", "employer"),
        "Membership" => ("member", "organization"),
        "Representation" => ("agent", "client"),
        // The relationship is what the relative is to the person.
        "Family" => ("relative", "person"),
        "Associate" => ("associate", "person"),
        "UnknownLink" => ("subject", "object"),
        _ => return None,
    })
}

/// One edge on its way to rows.
pub struct Relate<'k> {
    pub settings: &'k Settings,
    pub parties: &'k HashMap<String, Party>,
    pub edge: &'k Edge,
    pub rows: &'k mut Rows,
    pub notices: &'k mut Notices,
}

impl<'k> Relate<'k> {
    pub fn rows(&mut self) {
        // It was read once already.
        let Ok(entity) = serde_json::from_str::<Entity<'_>>(&self.edge.text) else {
            return;
        };
        let Ok(properties) = Properties::read(entity.properties.0) else {
            return;
        };
        let schema = entity.schema.text().unwrap_or_default();
        let id = entity.id.text().unwrap_or_default();
        match sides(schema) {
            Some((from, to)) => self.relation(schema, id, &properties, from, to),
            None => self.sanction(&entity, id, &properties),
        }
    }

    fn tell(&mut self, code: &'static str, text: (&str, &str)) {
        self.notices.add(code, &self.edge.place.file, text);
    }

    fn relation(&mut self, schema: &str, id: &str, properties: &Properties<'_>, from: &str, to: &str) {
        let (position, text) = (self.edge.position, &*self.edge.text);
        let settings = self.settings;
        let role = properties.first("role").map(|t| fold(&t));
        let role = role
            .as_deref()
            .and_then(|r| settings.roles.get(r))
            .map(String::as_str);
        let relationship = properties.first("relationship").map(|t| fold(&t));
        let relationship = relationship
            .as_deref()
            .and_then(|r| settings.relationships.get(r))
            .map(String::as_str);
        let is_beneficial = || {
            let types = properties.texts("ownershipType");
            types.iter().any(|t| fold(t).contains("beneficial"))
        };
        let relation = match schema {
            "Ownership" if is_beneficial() => Some("beneficial_owner"),
            "Ownership" => Some(role.filter(|r| *r == "beneficial_owner").unwrap_or("shareholder")),
            "Directorship" => Some(role.unwrap_or("director")),
            "Employment" => Some(role.unwrap_or("employee")),
            "Representation" => Some("agent"),
            "Family" => Some(relationship.unwrap_or("other_relative")),
            "Associate" => relationship.or(settings.associate.as_deref()),
            _ => role,
        };
        let Some(relation) = relation else {
            let place = format!("{}: {schema}", self.edge.place.file);
            return self.notices.add(
                "NOT_MAPPED",
                &place,
                (
                    "该类关系没有对应的关系类型；可在配置中指定",
                    "links of this kind have no relation of the data model; name one in the configuration",
                ),
            );
        };
        let (froms, tos) = (properties.texts(from), properties.texts(to));
        if froms.is_empty() || tos.is_empty() {
            let field = if froms.is_empty() { "from_id" } else { "to_id" };
            let detail = format!("{schema} without {}", if froms.is_empty() { from } else { to });
            return self.rows.reject(
                RELATIONS,
                position,
                Some(field),
                Reason::MissingPart,
                detail,
                text,
            );
        }
        let share = properties.first("percentage");
        let share = share.as_deref().map(|text| self.lower_end(text));
        let start = self.date(properties, "startDate", false);
        let end = self.date(properties, "endDate", true);
        let pairs = froms.iter().flat_map(|f| tos.iter().map(move |t| (f, t)));
        for (n, (from, to)) in pairs.enumerate() {
            let relation_id = if n == 0 {
                id.to_owned()
            } else {
                format!("{id}#{}", n + 1)
            };
            let (from, to) = (self.side(from), self.side(to));
            let cells = [
                Cell::Text(&relation_id),
                from.kind,
                Cell::Text(from.id),
                from.name,
                to.kind,
                Cell::Text(to.id),
                to.name,
                Cell::Text(relation),
                share.map_or(Cell::Empty, Cell::Text),
                start.as_deref().map_or(Cell::Empty, Cell::Text),
                end.as_deref().map_or(Cell::Empty, Cell::Text),
            ];
            self.rows.push(RELATIONS, &cells, position, text);
        }
    }

    fn sanction(&mut self, entity: &Entity<'_>, id: &str, properties: &Properties<'_>) {
        let (position, text) = (self.edge.position, &*self.edge.text);
        let settings = self.settings;
        let subjects = properties.texts("entity");
        if subjects.is_empty() {
            let detail = "a sanction without entity";
            return self.rows.reject(
                CREDIT_RECORDS,
                position,
                Some("supplier_id"),
                Reason::MissingPart,
                detail,
                text,
            );
        }
        let programmes = ["program", "programId", "authority"].map(|name| properties.texts(name));
        let mut names: Vec<String> = programmes.iter().flatten().map(|t| fold(t)).collect();
        names.extend(entity.datasets.0.iter().filter_map(|d| d.text().map(fold)));
        let issued = self
            .date(properties, "listingDate", false)
            .or_else(|| self.date(properties, "startDate", false));
        let expires = self.date(properties, "endDate", true);
        let reasons: Vec<Cow<'_, str>> = ["reason", "provisions", "program"]
            .iter()
            .map(|name| properties.texts(name))
            .find(|texts| !texts.is_empty())
            .unwrap_or_default();
        let reason = reasons.join("; ");
        for (n, subject) in subjects.iter().enumerate() {
            let party = self.parties.get(&**subject);
            if party.is_some_and(|p| p.kind == "person") {
                self.tell(
                    "PERSON_NOT_SUPPLIER",
                    (
                        "对自然人的制裁未读取",
                        "sanctions on persons are no credit records of suppliers",
                    ),
                );
                continue;
            }
            let datasets = party.map(|p| p.datasets.as_slice()).unwrap_or_default();
            let mapped = names
                .iter()
                .chain(datasets)
                .find_map(|name| settings.record_types.get(name));
            let record_id = if n == 0 {
                id.to_owned()
            } else {
                format!("{id}#{}", n + 1)
            };
            let name = party.and_then(|p| p.name.as_deref());
            let code = party.and_then(|p| p.code.as_deref());
            let cells = [
                Cell::Text(&record_id),
                Cell::Text(subject),
                name.map_or(Cell::Empty, Cell::Text),
                code.map_or(Cell::Empty, Cell::Text),
                Cell::Text(mapped.unwrap_or(&settings.record_type)),
                Cell::Empty,
                settings.region_code.as_deref().map_or(Cell::Empty, Cell::Text),
                issued.as_deref().map_or(Cell::Empty, Cell::Text),
                expires.as_deref().map_or(Cell::Empty, Cell::Text),
                Cell::Text(&reason),
            ];
            self.rows.push(CREDIT_RECORDS, &cells, position, text);
        }
    }

    /// Of a range such as `25-50` its lower end, which is told.
    fn lower_end<'t>(&mut self, text: &'t str) -> &'t str {
        match text.trim().split_once(['-', '–']) {
            Some((low, high))
                if !low.trim().is_empty() && high.trim().starts_with(|c: char| c.is_ascii_digit()) =>
            {
                self.tell(
                    "SHARE_RANGE",
                    (
                        "持股比例为区间，按下限读取",
                        "shares given as a range were read by their lower end",
                    ),
                );
                low
            }
            _ => text,
        }
    }

    /// The first of the dates, or the last; a year alone is its first day, which is told.
    fn date(&mut self, properties: &Properties<'_>, name: &str, last: bool) -> Option<String> {
        let dates = properties.texts(name);
        let date = if last {
            dates.iter().max()
        } else {
            dates.iter().min()
        }?;
        let date = date.trim();
        if date.len() == 4 && date.bytes().all(|b| b.is_ascii_digit()) {
            self.tell(
                "DATE_TO_YEAR",
                (
                    "日期只到年份，按当年第一天读取",
                    "dates given to the year only were read as its first day",
                ),
            );
            return Some(format!("{date}-01-01"));
        }
        Some(date.to_owned())
    }

    fn side<'s>(&mut self, id: &'s str) -> Side<'s>
    where
        'k: 's,
    {
        let parties: &'k HashMap<String, Party> = self.parties;
        let Some(party) = parties.get(id) else {
            self.tell(
                "PARTY_NOT_FOUND",
                (
                    "关系所指的主体不在文件中",
                    "a party that a link speaks of is in no file",
                ),
            );
            return Side {
                kind: Cell::Empty,
                id,
                name: Cell::Empty,
            };
        };
        Side {
            kind: Cell::Text(party.kind),
            id: party.code.as_deref().unwrap_or(id),
            name: party.name.as_deref().map_or(Cell::Empty, Cell::Text),
        }
    }
}

/// One side of a relation.
struct Side<'s> {
    kind: Cell<'s>,
    id: &'s str,
    name: Cell<'s>,
}

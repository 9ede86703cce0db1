//! One relationship and its parties as rows of relations.

use std::collections::HashMap;

use connector::Reason;
use connector::coerce::Cell;

use super::shape::{Described, Details, Interest};
use super::{Kept, Party, RELATIONS, Settings, interest_key};
use crate::config::ShareBound;
use crate::json::{Raw, Scalar};
use crate::rows::Rows;
use crate::sink::Notices;

/// One relationship on its way to rows.
pub struct Relate<'k> {
    pub settings: &'k Settings,
    pub parties: &'k HashMap<&'k str, (i64, &'k Party)>,
    pub kept: &'k Kept,
    pub text: &'k str,
}

/// A party of a relationship: its type, id and name.
type Side<'k> = (Option<&'k str>, String, Option<&'k str>);

impl Relate<'_> {
    pub fn rows(&self, details: &Details<'_>, rows: &mut Rows, notices: &mut Notices) {
        let (kept, file) = (self.kept, &self.kept.place.file);
        let sides = (
            self.side(details.interested_party, notices),
            self.side(details.subject, notices),
        );
        let (Some(from), Some(to)) = sides else {
            let text = (
                "一方未指明，未生成关联关系",
                "one side is not specified: no relation was made",
            );
            return notices.add("UNSPECIFIED_PARTY", file, text);
        };
        if details.interests.items.is_empty() {
            let detail = "a relationship without interests";
            return rows.reject(
                RELATIONS,
                kept.position,
                Some("relation"),
                Reason::MissingPart,
                detail,
                self.text,
            );
        }
        for (n, interest) in details.interests.items.iter().enumerate() {
            let kind = interest.kind.text().unwrap_or_default();
            let key = interest_key(kind);
            let is_share = key == "shareholding";
            let directness = interest.directness.or(&interest.old_directness).text();
            let relation = match self.settings.interests.get(&key) {
                Some(relation) => relation.as_str(),
                None if is_share && directness == Some("indirect") => "beneficial_owner",
                None if is_share => "shareholder",
                None => {
                    let detail = format!("interest type {kind:?}");
                    rows.reject(
                        RELATIONS,
                        kept.position,
                        Some("relation"),
                        Reason::UnknownCode,
                        detail,
                        self.text,
                    );
                    continue;
                }
            };
            let share = if is_share {
                self.share(interest, notices)
            } else {
                Cell::Empty
            };
            let ended = if kept.is_closed && kept.date != i64::MIN {
                Cell::Instant(kept.date)
            } else {
                Cell::Empty
            };
            let relation_id = format!("{}/{}", kept.record, n + 1);
            let cells = [
                Cell::Text(&relation_id),
                from.0.map_or(Cell::Empty, Cell::Text),
                Cell::Text(&from.1),
                from.2.map_or(Cell::Empty, Cell::Text),
                to.0.map_or(Cell::Empty, Cell::Text),
                Cell::Text(&to.1),
                to.2.map_or(Cell::Empty, Cell::Text),
                Cell::Text(relation),
                share,
                interest.start.cell(),
                if interest.end.is_missing() {
                    ended
                } else {
                    interest.end.cell()
                },
            ];
            rows.push(RELATIONS, &cells, kept.position, self.text);
        }
    }

    fn share<'i>(&self, interest: &'i Interest<'_>, notices: &mut Notices) -> Cell<'i> {
        let Some(share) = interest.share.get() else {
            return Cell::Empty;
        };
        if !share.exact.is_missing() {
            return share.exact.cell();
        }
        // Of 0.3 the exclusive bounds are flags, of 0.4 numbers.
        let bound = |inclusive: &'i Scalar<'_>, exclusive: &'i Scalar<'_>| match (inclusive, exclusive) {
            (Scalar::Missing, Scalar::Number(_) | Scalar::Text(_)) => exclusive.cell(),
            _ => inclusive.cell(),
        };
        let (low, high) = (
            bound(&share.minimum, &share.exclusive_minimum),
            bound(&share.maximum, &share.exclusive_maximum),
        );
        if low == high {
            return low;
        }
        let text = (
            "持股比例为区间，按配置的一端读取",
            "shares given as a range were read by the end that share_range says",
        );
        notices.add("SHARE_RANGE", &self.kept.place.file, text);
        match self.settings.share_range {
            ShareBound::Minimum => low,
            ShareBound::Maximum => high,
            ShareBound::None => Cell::Empty,
        }
    }

    /// None where the statement itself says that there is no party.
    fn side(&self, raw: Raw<'_>, notices: &mut Notices) -> Option<Side<'_>> {
        let (id, kind) = if raw.0.starts_with('{') {
            let described: Described<'_> = serde_json::from_str(raw.0).ok()?;
            match (described.person.text(), described.entity.text()) {
                (Some(id), _) => (id.to_owned(), Some("person")),
                (None, Some(id)) => (id.to_owned(), Some("company")),
                (None, None) => return None,
            }
        } else {
            (Scalar::of(raw.0).text()?.to_owned(), None)
        };
        Some(match self.parties.get(id.as_str()) {
            Some((_, party)) => (Some(party.kind), party.id.clone(), party.name.as_deref()),
            None => {
                let text = (
                    "关系所指的主体不在文件中",
                    "a party that a relationship speaks of is in no file",
                );
                notices.add("PARTY_NOT_FOUND", &self.kept.place.file, text);
                (kind, id, None)
            }
        })
    }
}

//! JSON objects as records: members by their path, numbers by the digits they are written with.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use hashbrown::{HashMap, HashSet};
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::coerce::{Cell, fold};
use crate::plan::Record;
use crate::reason::Reason;

/// What a member of an object is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// It is the record's cell with this index.
    Cell(usize),
    Ignored,
}

/// Which members are read. A path joins the names of nested objects with dots: `distributor.uscc`.
#[derive(Debug, Clone, Default)]
pub struct JsonFields {
    exact: HashMap<String, Use>,
    folded: HashMap<String, Use>,
    width: usize,
}

/// Paths that were met and are for nothing, with how often. Kept to a few hundred.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnknownPaths {
    counts: BTreeMap<String, u64>,
    /// Paths without a use of their own: looked up in all spellings once, and not for every record.
    without_use: HashSet<String>,
}

const UNKNOWN_PATHS_MAX: usize = 200;

impl UnknownPaths {
    fn add(&mut self, path: &str, times: u64) {
        if let Some(count) = self.counts.get_mut(path) {
            *count += times;
        } else if self.counts.len() < UNKNOWN_PATHS_MAX {
            self.counts.insert(path.to_owned(), times);
        }
    }

    /// Adds what was met elsewhere.
    pub fn merge(&mut self, other: Self) {
        for (path, times) in other.counts {
            self.add(&path, times);
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(path, count)| (path.as_str(), *count))
    }
}

impl JsonFields {
    /// The path as written.
    pub fn exact(&mut self, path: &str, what: Use) {
        self.widen(what);
        self.exact.insert(path.to_owned(), what);
    }

    /// Any spelling of the path that folds to the same.
    pub fn folded(&mut self, path: &str, what: Use) {
        self.widen(what);
        self.folded.insert(fold(path), what);
    }

    fn widen(&mut self, what: Use) {
        if let Use::Cell(index) = what {
            self.width = self.width.max(index + 1);
        }
    }

    fn find(&self, path: &str) -> Option<Use> {
        self.exact
            .get(path)
            .copied()
            .or_else(|| self.folded.get(&fold(path)).copied())
    }

    /// The same, with the paths that are known to be in vain.
    fn find_again(&self, path: &str, unknown: &mut UnknownPaths) -> Option<Use> {
        if let Some(found) = self.exact.get(path) {
            return Some(*found);
        }
        if unknown.without_use.contains(path) {
            return None;
        }
        let found = self.find(path);
        if found.is_none() && unknown.without_use.len() < UNKNOWN_PATHS_MAX {
            unknown.without_use.insert(path.to_owned());
        }
        found
    }

    /// How many cells a record has.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The cell that the path is read into, if any.
    pub fn cell(&self, path: &str) -> Option<usize> {
        match self.find(path) {
            Some(Use::Cell(index)) => Some(index),
            Some(Use::Ignored) | None => None,
        }
    }

    /// The cell that the path is read into; a new one where it is read into none.
    pub fn watch(&mut self, path: &str) -> usize {
        self.cell(path).unwrap_or_else(|| {
            let index = self.width;
            self.exact(path, Use::Cell(index));
            index
        })
    }

    /// Reads one object. Members that are for nothing are added to `unknown`.
    pub fn record<'a>(
        &self,
        text: &'a str,
        unknown: &mut UnknownPaths,
    ) -> Result<JsonRecord<'a>, (Reason, String)> {
        let members: Members<'a> =
            serde_json::from_str(text).map_err(|e| (Reason::BadJson, e.to_string()))?;
        let mut record = JsonRecord {
            cells: vec![None; self.width],
        };
        self.place(members, &mut String::new(), &mut record, unknown)?;
        Ok(record)
    }

    /// An object that is null has all its members, and they are null. False when none of them is read.
    fn nulls_below<'a>(&self, path: &str, null: &'a RawValue, record: &mut JsonRecord<'a>) -> bool {
        let below = |p: &str| p.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
        let mut found = false;
        for (_, what) in self.exact.iter().filter(|(p, _)| below(p)) {
            found = true;
            if let Use::Cell(index) = what {
                record.cells[*index].get_or_insert(null.get());
            }
        }
        found
    }

    /// Puts members in their cells. `path` is that of their object, and is again afterwards.
    fn place<'a>(
        &self,
        members: Members<'a>,
        path: &mut String,
        record: &mut JsonRecord<'a>,
        unknown: &mut UnknownPaths,
    ) -> Result<(), (Reason, String)> {
        let prefix = path.len();
        for (name, value) in members.0 {
            path.truncate(prefix);
            if prefix > 0 {
                path.push('.');
            }
            path.push_str(&name);
            match self.find_again(path, unknown) {
                Some(Use::Ignored) => {}
                Some(Use::Cell(index)) => {
                    if record.cells[index].replace(value.get()).is_some() {
                        return Err((Reason::DuplicateColumn, path.clone()));
                    }
                }
                None if value.get().starts_with('{') => {
                    let inner =
                        serde_json::from_str(value.get()).map_err(|e| (Reason::BadJson, e.to_string()))?;
                    self.place(inner, path, record, unknown)?;
                }
                None if value.get() == "null" && self.nulls_below(path, value, record) => {}
                None => unknown.add(path, 1),
            }
        }
        path.truncate(prefix);
        Ok(())
    }
}

/// A JSON object, its members as they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonRecord<'a> {
    cells: Vec<Option<&'a str>>,
}

impl JsonRecord<'_> {
    /// Whether the object lacks the member; a member that is null is there.
    pub fn lacks(&self, index: usize) -> bool {
        self.raw(index).is_none()
    }

    /// The member as it is written.
    pub fn raw(&self, index: usize) -> Option<&str> {
        self.cells.get(index).copied().flatten()
    }
}

impl Record for JsonRecord<'_> {
    fn cell<'s>(&'s self, index: usize, scratch: &'s mut String) -> Cell<'s> {
        let Some(raw) = self.cells.get(index).copied().flatten() else {
            return Cell::Empty;
        };
        match raw.as_bytes().first() {
            None | Some(b'n') => Cell::Empty,
            Some(b't') => Cell::Bool(true),
            Some(b'f') => Cell::Bool(false),
            Some(b'{' | b'[') => Cell::Broken(Reason::NotAScalar, raw),
            Some(b'"') if !raw.contains('\\') => Cell::Text(&raw[1..raw.len() - 1]),
            Some(b'"') => match serde_json::from_str::<String>(raw) {
                Ok(text) => {
                    *scratch = text;
                    Cell::Text(scratch)
                }
                Err(_) => Cell::Broken(Reason::BadJson, raw),
            },
            Some(_) => Cell::Number(raw),
        }
    }
}

/// The members of an object in order, repeated names included.
pub struct Members<'a>(pub Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Shape;
        impl<'de> Visitor<'de> for Shape {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Shape).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> JsonFields {
        let mut fields = JsonFields::default();
        fields.exact("id", Use::Cell(0));
        fields.exact("seller.uscc", Use::Cell(1));
        fields.folded("金额", Use::Cell(2));
        fields.exact("seller.name", Use::Ignored);
        fields
    }

    fn cells(text: &str) -> Result<Vec<String>, Reason> {
        let record = fields()
            .record(text, &mut UnknownPaths::default())
            .map_err(|e| e.0)?;
        let mut scratch = String::new();
        Ok((0..3)
            .map(|n| format!("{:?}", record.cell(n, &mut scratch)))
            .collect())
    }

    #[test]
    fn members_by_path_and_numbers_as_written() {
        let text =
            r#"{"id": "a\"b", "seller": {"uscc": null, "name": "x"}, "金 额": 12345678901234567890.10}"#;
        assert_eq!(
            cells(text).unwrap(),
            [r#"Text("a\"b")"#, "Empty", r#"Number("12345678901234567890.10")"#]
        );
        assert_eq!(
            cells(r#"{"id": true, "seller": {"uscc": [1]}}"#).unwrap()[..2],
            ["Bool(true)", r#"Broken(NotAScalar, "[1]")"#]
        );
    }

    #[test]
    fn an_object_that_is_null_has_null_members() {
        let mut unknown = UnknownPaths::default();
        let fields = fields();
        let record = fields
            .record(r#"{"id": null, "seller": null}"#, &mut unknown)
            .unwrap();
        assert_eq!(
            [record.lacks(0), record.lacks(1), record.lacks(2)],
            [false, false, true]
        );
        assert_eq!(unknown.iter().count(), 0);
        let record = fields
            .record(r#"{"seller": {}, "sell": null}"#, &mut unknown)
            .unwrap();
        assert!(record.lacks(1));
        assert_eq!(unknown.iter().collect::<Vec<_>>(), [("sell", 1)]);
    }

    #[test]
    fn what_is_no_record() {
        for text in ["", "{", "[1]", "3", "{\"id\": }", "{\"id\": 1} x", "null"] {
            assert_eq!(cells(text), Err(Reason::BadJson), "{text}");
        }
        assert_eq!(cells(r#"{"id": 1, "id": 2}"#), Err(Reason::DuplicateColumn));
    }

    #[test]
    fn unknown_members_are_counted_by_path() {
        let mut unknown = UnknownPaths::default();
        for _ in 0..2 {
            fields()
                .record(r#"{"id": 1, "seller": {"tel": 1}, "x": []}"#, &mut unknown)
                .unwrap();
        }
        assert_eq!(unknown.iter().collect::<Vec<_>>(), [("seller.tel", 2), ("x", 2)]);
    }
}

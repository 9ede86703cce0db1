//! Selectors: where an answer holds its records, its total, its next token.
//!
//! What is selected is the text as the platform wrote it, so that no digit of a number is lost. Simple paths
//! are walked in the text itself; anything else is JSONPath (RFC 9535) on a parsed copy, whose locations are
//! then looked up in the text.

use std::borrow::Cow;

use connector::json::Members;
use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json_path::{JsonPath, PathElement};

/// A parsed selector.
#[derive(Debug, Clone)]
pub struct Selector {
    text: String,
    how: How,
}

#[derive(Debug, Clone)]
enum How {
    /// Names of members from the root down, and whether all elements of the list there are meant.
    Names {
        names: Vec<String>,
        all: bool,
    },
    Path(Box<JsonPath>),
}

/// What a selector of one value finds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing is there, or null.
    Nothing,
    /// A text, a number or a truth value, as text.
    Scalar(String),
    /// A list or an object.
    Other,
}

impl Found {
    pub fn scalar(self) -> Option<String> {
        match self {
            Self::Scalar(text) => Some(text),
            Self::Nothing | Self::Other => None,
        }
    }
}

/// Why there are no records where they should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoRecords {
    /// Nothing is there, or null.
    Missing,
    /// Something that is no list is there.
    NoList,
}

impl Selector {
    pub fn parse(text: &str) -> Result<Self, String> {
        let how = match simple(text) {
            Some((names, all)) => How::Names { names, all },
            None if text.starts_with('$') => {
                let path = JsonPath::parse(text).map_err(|e| format!("{text:?} is no JSONPath: {e}"))?;
                How::Path(Box::new(path))
            }
            None => {
                return Err(format!(
                    "{text:?} is neither a path such as \"data.list\" nor a JSONPath such as \"$.data.list[*]\""
                ));
            }
        };
        Ok(Self {
            text: text.to_owned(),
            how,
        })
    }

    /// The selector as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The records: the elements of the list, when one list is selected; else each thing selected.
    pub fn records<'a>(&self, document: &'a str) -> Result<Vec<&'a RawValue>, NoRecords> {
        let path = match &self.how {
            How::Names { names, .. } => return list_at(document, names),
            How::Path(path) => path,
        };
        let selected = by_location(document, path);
        match selected.as_slice() {
            // A wildcard or a filter that selects nothing may well stand for an empty list.
            [] if self.text.contains(['*', '?', ':']) || self.text.contains("..") => Ok(Vec::new()),
            [] => Err(NoRecords::Missing),
            [one] if one.get() == "null" => Err(NoRecords::Missing),
            [one] if one.get().starts_with('[') => {
                serde_json::from_str(one.get()).map_err(|_| NoRecords::NoList)
            }
            _ => Ok(selected),
        }
    }

    /// The first thing selected, as one value.
    pub fn one(&self, document: &str) -> Found {
        let selected = match &self.how {
            How::Names { names, all: false } => walk(document, names),
            How::Names { .. } => self.records(document).ok().and_then(|r| r.first().copied()),
            How::Path(path) => by_location(document, path).first().copied(),
        };
        selected.map_or(Found::Nothing, |value| scalar(value.get()))
    }
}

/// A member's text as a value.
pub fn scalar(raw: &str) -> Found {
    match raw.as_bytes().first() {
        None | Some(b'n') => Found::Nothing,
        Some(b'{' | b'[') => Found::Other,
        Some(b'"') => serde_json::from_str(raw).map_or(Found::Other, Found::Scalar),
        Some(_) => Found::Scalar(raw.to_owned()),
    }
}

/// The value of a dotted path in an object.
pub fn walk<'a>(document: &'a str, names: &[String]) -> Option<&'a RawValue> {
    let mut value: &RawValue = serde_json::from_str(document).ok()?;
    for name in names {
        let members: Members<'a> = serde_json::from_str(value.get()).ok()?;
        value = members.0.into_iter().find(|(n, _)| n == name)?.1;
    }
    Some(value)
}

/// The elements of the list at a dotted path, found in one pass over the document.
fn list_at<'a>(document: &'a str, names: &[String]) -> Result<Vec<&'a RawValue>, NoRecords> {
    let mut text = serde_json::Deserializer::from_str(document);
    let found = Below(names).deserialize(&mut text);
    match found.and_then(|found| text.end().map(|()| found)) {
        Ok(At::List(elements)) => Ok(elements),
        Ok(At::Other) => Err(NoRecords::NoList),
        Ok(At::Nothing) | Err(_) => Err(NoRecords::Missing),
    }
}

/// What stands at the end of a path.
enum At<'a> {
    Nothing,
    List(Vec<&'a RawValue>),
    Other,
}

/// Goes down the names of members.
struct Below<'n>(&'n [String]);

impl<'de> DeserializeSeed<'de> for Below<'_> {
    type Value = At<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<At<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Below<'_> {
    /// A value that is neither list nor object.
    fn plain<'a, E>(self) -> Result<At<'a>, E> {
        Ok(if self.0.is_empty() { At::Other } else { At::Nothing })
    }
}

impl<'de> Visitor<'de> for Below<'_> {
    type Value = At<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<At<'de>, E> {
        Ok(At::Nothing)
    }

    fn visit_bool<E>(self, _: bool) -> Result<At<'de>, E> {
        self.plain()
    }

    fn visit_i64<E>(self, _: i64) -> Result<At<'de>, E> {
        self.plain()
    }

    fn visit_u64<E>(self, _: u64) -> Result<At<'de>, E> {
        self.plain()
    }

    fn visit_f64<E>(self, _: f64) -> Result<At<'de>, E> {
        self.plain()
    }

    fn visit_str<E>(self, _: &str) -> Result<At<'de>, E> {
        self.plain()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<At<'de>, A::Error> {
        if !self.0.is_empty() {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(At::Nothing);
        }
        let mut elements = Vec::new();
        while let Some(element) = list.next_element()? {
            elements.push(element);
        }
        Ok(At::List(elements))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<At<'de>, A::Error> {
        let mut found = if self.0.is_empty() { At::Other } else { At::Nothing };
        let mut wanted = self.0.split_first();
        while let Some(name) = object.next_key::<Cow<'de, str>>()? {
            match wanted {
                Some((first, rest)) if *first == name => {
                    found = object.next_value_seed(Below(rest))?;
                    wanted = None;
                }
                _ => {
                    object.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

/// `data.list`, `$.data.list`, `$.data.list[*]`, `$`, `$[*]`.
fn simple(text: &str) -> Option<(Vec<String>, bool)> {
    let (path, all) = match text.strip_suffix("[*]") {
        Some(path) => (path, true),
        None => (text, false),
    };
    let path = match path.strip_prefix('$') {
        Some("") => return Some((Vec::new(), all)),
        Some(rest) => rest.strip_prefix('.')?,
        None => path,
    };
    let is_name = |name: &str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
            && !name.starts_with('-')
    };
    let names: Vec<String> = path.split('.').map(str::to_owned).collect();
    names.iter().all(|n| is_name(n)).then_some((names, all))
}

fn by_location<'a>(document: &'a str, path: &JsonPath) -> Vec<&'a RawValue> {
    let Ok(value) = serde_json::from_str::<serde_json::Value>(document) else {
        return Vec::new();
    };
    let mut tree = Tree::default();
    for (order, node) in path.query_located(&value).iter().enumerate() {
        tree.add(&mut node.location().iter(), order);
    }
    let mut found = Vec::new();
    if let Ok(root) = serde_json::from_str::<&RawValue>(document) {
        tree.collect(root, &mut found);
    }
    found.sort_by_key(|(order, _)| *order);
    found.into_iter().map(|(_, raw)| raw).collect()
}

/// Locations, so that each object and list of the text is taken apart once.
#[derive(Default)]
struct Tree {
    orders: Vec<usize>,
    members: Vec<(String, Tree)>,
    elements: Vec<(usize, Tree)>,
}

impl Tree {
    fn add<'p>(&mut self, path: &mut impl Iterator<Item = &'p PathElement<'p>>, order: usize) {
        match path.next() {
            None => self.orders.push(order),
            Some(PathElement::Name(name)) => {
                let at = self
                    .members
                    .iter()
                    .rposition(|(n, _)| n == name)
                    .unwrap_or_else(|| {
                        self.members.push(((*name).to_owned(), Tree::default()));
                        self.members.len() - 1
                    });
                self.members[at].1.add(path, order);
            }
            Some(PathElement::Index(index)) => {
                let last = self
                    .elements
                    .last()
                    .filter(|(i, _)| i == index)
                    .map(|_| self.elements.len() - 1);
                let at = last.unwrap_or_else(|| {
                    self.elements.push((*index, Tree::default()));
                    self.elements.len() - 1
                });
                self.elements[at].1.add(path, order);
            }
        }
    }

    fn collect<'a>(&self, raw: &'a RawValue, found: &mut Vec<(usize, &'a RawValue)>) {
        found.extend(self.orders.iter().map(|order| (*order, raw)));
        if !self.members.is_empty()
            && let Ok(members) = serde_json::from_str::<Members<'a>>(raw.get())
        {
            for (name, tree) in &self.members {
                // Of a repeated name a parsed object keeps the last.
                if let Some((_, value)) = members.0.iter().rfind(|(n, _)| n == name) {
                    tree.collect(value, found);
                }
            }
        }
        if !self.elements.is_empty()
            && let Ok(elements) = serde_json::from_str::<Vec<&'a RawValue>>(raw.get())
        {
            for (index, tree) in &self.elements {
                if let Some(value) = elements.get(*index) {
                    tree.collect(value, found);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENT: &str = r#"{"code":0,"data":{"total":"44","列表":[{"a":1.10},{"a":12345678901234567890.123}],"list":null,
        "groups":[{"items":[{"id":1},{"id":2}]},{"items":[]},{"items":[{"id":3}]}],"next":""}}"#;

    fn records(selector: &str) -> Result<Vec<String>, NoRecords> {
        let found = Selector::parse(selector).unwrap().records(DOCUMENT)?;
        Ok(found.iter().map(|r| r.get().to_owned()).collect())
    }

    #[test]
    fn records_keep_their_digits() {
        for selector in [
            "data.列表",
            "$.data.列表",
            "$.data.列表[*]",
            "$['data']['列表'][*]",
            "$['data']['列表']",
        ] {
            assert_eq!(
                records(selector).unwrap(),
                [r#"{"a":1.10}"#, r#"{"a":12345678901234567890.123}"#],
                "{selector}"
            );
        }
        assert_eq!(
            records("$.data.groups[*].items[*]").unwrap(),
            [r#"{"id":1}"#, r#"{"id":2}"#, r#"{"id":3}"#]
        );
        assert_eq!(
            records("$..items[?@.id > 1]").unwrap(),
            [r#"{"id":2}"#, r#"{"id":3}"#]
        );
    }

    #[test]
    fn missing_records_are_not_empty_ones() {
        assert_eq!(records("data.list"), Err(NoRecords::Missing));
        assert_eq!(records("data.rows"), Err(NoRecords::Missing));
        assert_eq!(records("data.total"), Err(NoRecords::NoList));
        assert_eq!(records("data.groups").map(|r| r.len()), Ok(3));
        assert_eq!(records("code.list"), Err(NoRecords::Missing));
        assert_eq!(records("data.groups.items"), Err(NoRecords::Missing));
        assert_eq!(records("data"), Err(NoRecords::NoList));
        let cut = Selector::parse("data.list").unwrap();
        assert_eq!(
            cut.records(r#"{"data":{"list":[1]}"#).map(|r| r.len()),
            Err(NoRecords::Missing)
        );
        let twice = cut.records(r#"{"data":{"list":[1,2],"list":[3]}}"#).unwrap();
        assert_eq!(twice.len(), 2, "of a repeated name the first is taken");
    }

    #[test]
    fn single_values() {
        let one = |selector: &str| Selector::parse(selector).unwrap().one(DOCUMENT);
        assert_eq!(one("$.code"), Found::Scalar("0".into()));
        assert_eq!(one("data.total"), Found::Scalar("44".into()));
        assert_eq!(one("data.next"), Found::Scalar(String::new()));
        assert_eq!(one("data.list"), Found::Nothing);
        assert_eq!(one("data.groups"), Found::Other);
        assert_eq!(one("$.data.groups[2].items[0].id"), Found::Scalar("3".into()));
    }

    #[test]
    fn what_is_no_selector() {
        for text in ["", "a..b", "a b", "$.a[", "a[0]"] {
            assert!(Selector::parse(text).is_err(), "{text}");
        }
    }
}

//! Merging the releases of one contracting process into the state after the last of them.
//!
//! Of the routine of OCDS 1.1 (<https://standard.open-contracting.org/1.1/en/schema/merging/>) this holds:
//! releases in order of their dates; objects member by member; null deletes a member; lists of objects by
//! their `id`, objects without one added; lists of other things and those that the schema says to replace
//! whole replaced; `tag` becomes `compiled`. Not held: versioned releases, and extensions' own merge
//! strategies (their lists of objects are merged by id).

use std::borrow::Cow;

use connector::json::Members;
use serde_json::value::RawValue;

/// Depth below which JSON is refused.
const DEPTH_MAX: usize = 64;

/// Lists that the release schema marks `wholeListMerge`.
const WHOLE_LISTS: [&str; 8] = [
    "additionalIdentifiers",
    "additionalClassifications",
    "additionalProcurementCategories",
    "submissionMethod",
    "roles",
    "changes",
    "relationship",
    "tag",
];

/// A JSON value with scalars as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Node<'a> {
    Scalar(&'a str),
    List(Vec<Node<'a>>),
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
}

impl<'a> Node<'a> {
    pub fn parse(text: &'a str) -> Result<Self, String> {
        Self::parse_within(text, DEPTH_MAX)
    }

    fn parse_within(text: &'a str, depth: usize) -> Result<Self, String> {
        if depth == 0 {
            return Err(format!("nested more than {DEPTH_MAX} deep"));
        }
        match text.as_bytes().first() {
            Some(b'{') => {
                let members: Members<'a> = serde_json::from_str(text).map_err(|e| e.to_string())?;
                let mut object: Vec<(Cow<'a, str>, Self)> = Vec::with_capacity(members.0.len());
                for (name, value) in members.0 {
                    if object.iter().any(|(known, _)| *known == name) {
                        return Err(format!("duplicate field `{name}`"));
                    }
                    object.push((name, Self::parse_within(value.get(), depth - 1)?));
                }
                Ok(Self::Object(object))
            }
            Some(b'[') => {
                let items: Vec<&'a RawValue> = serde_json::from_str(text).map_err(|e| e.to_string())?;
                items
                    .into_iter()
                    .map(|item| Self::parse_within(item.get(), depth - 1))
                    .collect::<Result<_, _>>()
                    .map(Self::List)
            }
            _ => Ok(Self::Scalar(text)),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Scalar("null"))
    }

    fn id(&self) -> Option<&str> {
        let Self::Object(members) = self else { return None };
        members
            .iter()
            .find(|(name, _)| name == "id")
            .and_then(|(_, id)| match id {
                Self::Scalar("null") | Self::List(_) | Self::Object(_) => None,
                // An id is the same whether it is written as a number or as a text.
                Self::Scalar(text) => Some(text.trim_matches('"')),
            })
    }

    /// What this is after `later`.
    fn update(&mut self, name: &str, later: Self) {
        match (&mut *self, later) {
            (Self::Object(mine), Self::Object(theirs)) => {
                for (name, value) in theirs {
                    let at = mine.iter().position(|(known, _)| *known == name);
                    match at {
                        Some(at) if value.is_null() => {
                            mine.remove(at);
                        }
                        Some(at) => mine[at].1.update(&name, value),
                        None if value.is_null() => {}
                        None => {
                            let mut fresh = value.empty_like();
                            fresh.update(&name, value);
                            mine.push((name, fresh));
                        }
                    }
                }
            }
            (Self::List(mine), Self::List(theirs))
                if is_merged_by_id(name, mine) && is_merged_by_id(name, &theirs) =>
            {
                for item in theirs {
                    let known = item
                        .id()
                        .and_then(|id| mine.iter().position(|other| other.id() == Some(id)));
                    match known {
                        Some(at) => mine[at].update("", item),
                        None => {
                            let mut fresh = item.empty_like();
                            fresh.update("", item);
                            mine.push(fresh);
                        }
                    }
                }
            }
            (this, later) => *this = later,
        }
    }

    /// What a value is merged into when there was none: nulls in it are then deletions too.
    fn empty_like(&self) -> Self {
        match self {
            Self::Object(_) => Self::Object(Vec::new()),
            Self::List(_) => Self::List(Vec::new()),
            Self::Scalar(text) => Self::Scalar(text),
        }
    }

    /// As compact JSON.
    pub fn write(&self, out: &mut String) {
        match self {
            Self::Scalar(text) => out.push_str(text),
            Self::List(items) => {
                out.push('[');
                for (n, item) in items.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Object(members) => {
                out.push('{');
                for (n, (name, value)) in members.iter().enumerate() {
                    if n > 0 {
                        out.push(',');
                    }
                    out.push_str(&serde_json::Value::from(&**name).to_string());
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn is_merged_by_id(name: &str, items: &[Node<'_>]) -> bool {
    !WHOLE_LISTS.contains(&name) && items.iter().all(|item| matches!(item, Node::Object(_)))
}

/// The state after these releases, which are in order of their dates, as JSON.
pub fn merge<'a>(releases: impl IntoIterator<Item = Node<'a>>) -> String {
    let mut state = Node::Object(Vec::new());
    for release in releases {
        state.update("", release);
    }
    if let Node::Object(members) = &mut state {
        members.retain(|(name, _)| name != "tag");
        members.push(("tag".into(), Node::List(vec![Node::Scalar("\"compiled\"")])));
    }
    let mut text = String::new();
    state.write(&mut text);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(releases: &[&str]) -> String {
        merge(releases.iter().map(|text| Node::parse(text).unwrap()))
    }

    #[test]
    fn members_change_vanish_and_come() {
        assert_eq!(
            merged(&[
                r#"{"ocid":"x","tag":["tender"],"tender":{"title":"a","value":{"amount":1,"currency":"CNY"}}}"#,
                r#"{"ocid":"x","tag":["tenderUpdate"],"tender":{"title":null,"value":{"amount":12345678901234567890.10}}}"#,
            ]),
            r#"{"ocid":"x","tender":{"value":{"amount":12345678901234567890.10,"currency":"CNY"}},"tag":["compiled"]}"#
        );
    }

    #[test]
    fn lists_by_id_whole_and_without_ids() {
        assert_eq!(
            merged(&[
                r#"{"awards":[{"id":1,"a":1},{"id":"2"}],"x":["p","q"],"parties":[{"id":"A","roles":["buyer","payer"]}]}"#,
                r#"{"awards":[{"id":"1","b":null,"c":2},{"id":3,"d":null},{"e":4}],"x":["r"],"parties":[{"id":"A","roles":["buyer"]}]}"#,
            ]),
            r#"{"awards":[{"id":"1","a":1,"c":2},{"id":"2"},{"id":3},{"e":4}],"x":["r"],"parties":[{"id":"A","roles":["buyer"]}],"tag":["compiled"]}"#
        );
    }

    #[test]
    fn a_whole_list_can_be_deleted_or_change_its_kind() {
        assert_eq!(
            merged(&[
                r#"{"a":[{"id":1}],"b":[{"id":1}],"c":{"d":1}}"#,
                r#"{"a":null,"b":[1],"c":[]}"#
            ]),
            r#"{"b":[1],"c":[],"tag":["compiled"]}"#
        );
    }

    #[test]
    fn what_is_too_deep_or_doubled_is_refused() {
        let deep = "[".repeat(100) + &"]".repeat(100);
        assert!(Node::parse(&deep).unwrap_err().contains("deep"));
        assert!(Node::parse(r#"{"a":1,"a":2}"#).unwrap_err().contains("duplicate"));
    }
}

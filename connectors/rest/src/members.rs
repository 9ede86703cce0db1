//! What members records have, and of what kind: for telling what a stream holds.

use std::collections::BTreeMap;

use connector::json::Members;

/// Deepest object that is looked into.
const DEPTH_MAX: usize = 6;
/// Records that are looked at, and members that are named, to say what records have.
const NAMED_RECORDS: usize = 20;
const NAMED_MEMBERS: usize = 40;

/// The paths of the members that the first records have, for a message.
pub fn members_text<'a>(records: impl Iterator<Item = &'a str>) -> String {
    let members = members_of(records.take(NAMED_RECORDS));
    let paths: Vec<&str> = members
        .iter()
        .take(NAMED_MEMBERS)
        .map(|(path, _)| path.as_str())
        .collect();
    match members.len().saturating_sub(NAMED_MEMBERS) {
        0 if paths.is_empty() => "no members".to_owned(),
        0 => paths.join(", "),
        more => format!("{} and {more} more", paths.join(", ")),
    }
}

/// Paths of all members that are no objects, with their kinds (`text`, `number`, `bool`, `list`, `null`), in the order
/// they are met; a member of several kinds has them joined with `|`.
pub fn members_of<'a>(records: impl Iterator<Item = &'a str>) -> Vec<(String, String)> {
    let mut order = Vec::new();
    let mut kinds: BTreeMap<String, Vec<&'static str>> = BTreeMap::new();
    for record in records {
        add(record, "", 0, &mut order, &mut kinds);
    }
    order
        .into_iter()
        .map(|path| {
            let mut found = kinds.remove(&path).unwrap_or_default();
            if found.len() > 1 {
                found.retain(|kind| *kind != "null");
            }
            (path, found.join("|"))
        })
        .collect()
}

fn add(
    text: &str,
    prefix: &str,
    depth: usize,
    order: &mut Vec<String>,
    kinds: &mut BTreeMap<String, Vec<&'static str>>,
) {
    let Ok(members) = serde_json::from_str::<Members<'_>>(text) else {
        return;
    };
    for (name, value) in members.0 {
        let path = if prefix.is_empty() {
            name.into_owned()
        } else {
            format!("{prefix}.{name}")
        };
        let kind = match value.get().as_bytes().first() {
            Some(b'{') if depth < DEPTH_MAX => {
                add(value.get(), &path, depth + 1, order, kinds);
                continue;
            }
            Some(b'{') => "object",
            Some(b'[') => "list",
            Some(b'"') => "text",
            Some(b't' | b'f') => "bool",
            Some(b'n') | None => "null",
            Some(_) => "number",
        };
        let found = kinds.entry(path.clone()).or_insert_with(|| {
            order.push(path);
            Vec::new()
        });
        if !found.contains(&kind) {
            found.push(kind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_kinds() {
        let records = [
            r#"{"id":"1","a":{"b":null,"c":[1]},"n":1}"#,
            r#"{"id":2,"a":{"b":true}}"#,
        ];
        let found = members_of(records.into_iter());
        let found: Vec<(&str, &str)> = found.iter().map(|(p, k)| (p.as_str(), k.as_str())).collect();
        assert_eq!(
            found,
            [
                ("id", "text|number"),
                ("a.b", "bool"),
                ("a.c", "list"),
                ("n", "number")
            ]
        );
    }
}

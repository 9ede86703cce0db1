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

/// How deep objects are shown, and how much of a text.
const OUTLINE_DEPTH_MAX: usize = 2;
const OUTLINE_CHARS_MAX: usize = 60;

/// What an answer looks like: its plain members down to the second level. Lists, which hold the records, are not shown.
pub fn outline_of(text: &str) -> String {
    let mut out = String::new();
    outline(text.trim(), 0, &mut out);
    out
}

fn outline(text: &str, depth: usize, out: &mut String) {
    match text.as_bytes().first() {
        Some(b'[') => out.push_str("[…]"),
        Some(b'{') if depth < OUTLINE_DEPTH_MAX => match serde_json::from_str::<Members<'_>>(text) {
            Ok(members) => {
                out.push('{');
                for (at, (name, value)) in members.0.iter().take(NAMED_MEMBERS).enumerate() {
                    out.push_str(if at == 0 { "\"" } else { ",\"" });
                    out.push_str(name);
                    out.push_str("\":");
                    outline(value.get(), depth + 1, out);
                }
                out.push('}');
            }
            Err(_) => out.push_str("{…}"),
        },
        Some(b'{') => out.push_str("{…}"),
        _ => match text.char_indices().nth(OUTLINE_CHARS_MAX) {
            Some((at, _)) => {
                out.push_str(&text[..at]);
                out.push('…');
            }
            None => out.push_str(text),
        },
    }
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
    fn an_answer_is_shown_without_its_records() {
        for (text, shown) in [
            (
                r#"{"code":1003,"msg":"应用未授权"}"#,
                r#"{"code":1003,"msg":"应用未授权"}"#,
            ),
            (
                r#"{"code":0,"data":{"total":2,"rows":[{"name":"张三"}],"one":{"name":"张三"}}}"#,
                r#"{"code":0,"data":{"total":2,"rows":[…],"one":{…}}}"#,
            ),
            ("[1,2]", "[…]"),
            ("7", "7"),
        ] {
            assert_eq!(outline_of(text), shown);
        }
        let long = format!(r#"{{"msg":"{}"}}"#, "长".repeat(100));
        assert_eq!(outline_of(&long).chars().count(), r#"{"msg":"}"#.len() + 60);
    }

    #[test]
    fn members_are_named_up_to_a_bound() {
        assert_eq!(
            members_text([r#"{"a":{"b":1},"c":2}"#, "3"].into_iter()),
            "a.b, c"
        );
        assert_eq!(members_text([].into_iter()), "no members");
        let wide: Vec<String> = (0..42).map(|n| format!("\"m{n}\":{n}")).collect();
        let wide = format!("{{{}}}", wide.join(","));
        let text = members_text([wide.as_str()].into_iter());
        assert!(text.ends_with("m39 and 2 more"), "{text}");
    }

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

//! The page for hospital IT has every option, as the schema describes it.
//!
//! `LIANJING_WRITE_DOCS=1 cargo test -p rest page_doc` writes the page's tables anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use rest::RestConnector;
use serde_json::Value;

const BEGIN: &str = "<!-- options: begin, written by connectors/rest/tests/platform/page_doc.rs -->\n";
const END: &str = "<!-- options: end -->\n";

/// Writes one table for each kind of object, in the order they are met.
struct Tables<'a> {
    defs: &'a Value,
    done: BTreeSet<String>,
    out: String,
}

impl Tables<'_> {
    fn definition(&self, schema: &Value) -> Option<(String, Value)> {
        let direct = schema["$ref"].as_str();
        let inner = schema["anyOf"]
            .as_array()
            .and_then(|any| any.iter().find_map(|s| s["$ref"].as_str()));
        let name = direct
            .or(inner)
            .or(schema["items"]["$ref"].as_str())?
            .rsplit('/')
            .next()?
            .to_owned();
        let definition = self.defs[&name].clone();
        Some((name, definition))
    }

    fn object(&mut self, path: &str, object: &Value) {
        let Some(properties) = object["properties"].as_object() else {
            return;
        };
        let required: Vec<&str> = object["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let text = one_line(object["description"].as_str().unwrap_or_default());
        writeln!(
            self.out,
            "### {path}\n\n{text}\n\n| key | meaning | default |\n|---|---|---|"
        )
        .unwrap();
        let mut inner = Vec::new();
        for (name, schema) in properties {
            let definition = self.definition(schema);
            let own = schema["description"].as_str();
            let meaning = own
                .or(definition.as_ref().and_then(|d| d.1["description"].as_str()))
                .unwrap_or_default();
            let default = match (&schema["default"], required.contains(&name.as_str())) {
                (_, true) => "must be given".to_owned(),
                (Value::Null | Value::Object(_), false) => String::new(),
                (Value::Array(list), false) if list.is_empty() => String::new(),
                (value, false) => format!("`{value}`"),
            };
            let choices = definition.as_ref().map(|d| choices(&d.1)).unwrap_or_default();
            let choices = if choices.is_empty() {
                choices
            } else {
                format!(" One of {choices}.")
            };
            writeln!(
                self.out,
                "| `{name}` | {}{choices} | {default} |",
                one_line(meaning)
            )
            .unwrap();
            inner.extend(definition.map(|d| (format!("{path}.{name}"), d)));
        }
        self.out.push('\n');
        for (path, (name, definition)) in inner {
            if self.done.insert(name) {
                self.any(&path, &definition);
            }
        }
    }

    fn any(&mut self, path: &str, definition: &Value) {
        let path = path.trim_start_matches("top level.");
        let Some(kinds) = definition["oneOf"].as_array() else {
            return self.object(path, definition);
        };
        for kind in kinds {
            let Some(word) = kind["properties"]["kind"]["const"].as_str() else {
                continue;
            };
            let path = format!("{path}, kind = \"{word}\"");
            let about = kind["description"].as_str();
            match self.definition(kind) {
                Some((_, mut object)) => {
                    if let (Some(about), Value::Null) = (about, &object["description"]) {
                        object["description"] = about.into();
                    }
                    self.object(&path, &object);
                }
                None if kind["properties"].as_object().is_some_and(|p| p.len() > 1) => {
                    let mut object = kind.clone();
                    if let Some(properties) = object["properties"].as_object_mut() {
                        properties.remove("kind");
                    }
                    self.object(&path, &object);
                }
                None => {
                    let about = one_line(about.unwrap_or("Nothing else is given."));
                    writeln!(self.out, "### {path}\n\n{about}\n").unwrap();
                }
            }
        }
    }
}

/// The words of a choice.
fn choices(definition: &Value) -> String {
    let listed = definition["enum"].as_array().into_iter().flatten();
    let described = definition["oneOf"].as_array().into_iter().flatten();
    let described = described.flat_map(|kind| {
        let tagged = kind["properties"]["kind"]["const"].as_str().into_iter();
        let several = kind["enum"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        tagged
            .chain(kind["const"].as_str())
            .chain(several)
            .collect::<Vec<_>>()
    });
    let words: Vec<String> = listed
        .filter_map(Value::as_str)
        .chain(described)
        .map(|word| format!("`{word}`"))
        .collect();
    words.join(", ")
}

fn one_line(text: &str) -> String {
    text.split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
        .replace('|', "\\|")
}

#[test]
fn the_page_has_every_option() {
    let schema = RestConnector::schema();
    let mut tables = Tables {
        defs: &schema["$defs"],
        done: BTreeSet::new(),
        out: String::new(),
    };
    tables.object("top level", &schema);
    let expected = tables.out.clone();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/connectors/platform-rest.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the page has the begin mark");
    let (found, after) = rest.split_once(END).expect("the page has the end mark");
    if std::env::var_os("LIANJING_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
        return;
    }
    assert_eq!(
        found, expected,
        "the tables are not those of the schema; LIANJING_WRITE_DOCS=1 writes them"
    );
    // Each option has words that say what it is.
    for line in expected.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split(" | ").collect();
        assert!(cells[1].len() > 8, "{line}: no description");
    }
}

#[test]
fn the_page_names_every_failure() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let errors = std::fs::read_to_string(path.join("src/error.rs")).unwrap();
    let page = std::fs::read_to_string(path.join("../../docs/connectors/platform-rest.md")).unwrap();
    let mut count = 0;
    for line in errors
        .lines()
        .filter(|line| line.contains("RestError::") && line.contains("=> ("))
    {
        let reason = line.split('"').nth(1);
        for reason in reason
            .into_iter()
            .filter(|r| *r != "INTERNAL" && *r != "CANCELLED")
        {
            assert!(
                page.contains(&format!("`{reason}`")),
                "{reason} is not in the page"
            );
            count += 1;
        }
    }
    assert!(count > 20, "{count}");
}

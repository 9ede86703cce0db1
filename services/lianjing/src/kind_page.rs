//! The options of a kind of source as Markdown tables, made from its JSON Schema: what `lianjing source spec` prints and
//! the pages below docs/connectors hold.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use domain::sources::KindInfo;
use serde_json::Value;

/// The tables of all options, one for each kind of object, in the order they are met.
pub fn options(kind: &KindInfo) -> String {
    let yes = |flag: bool| if flag { "yes" } else { "no" };
    let mut tables = Tables {
        defs: &kind.config_schema["$defs"],
        done: BTreeSet::new(),
        out: format!(
            "`kind = \"{}\"`: {} ({}). Goes on from where it was: {}. Finds rows that were deleted at the source: {}.\n\n",
            kind.kind,
            kind.title.en,
            kind.title.zh,
            yes(kind.incremental),
            yes(kind.lists_keys),
        ),
    };
    tables.object("config", &kind.config_schema);
    tables.out
}

struct Tables<'a> {
    defs: &'a Value,
    done: BTreeSet<String>,
    out: String,
}

impl Tables<'_> {
    /// The definition that a schema refers to, itself, in one of its variants or in its items.
    fn definition(&self, schema: &Value) -> Option<(String, Value)> {
        let direct = |schema: &Value| schema["$ref"].as_str().map(str::to_owned);
        let any = |schema: &Value| schema["anyOf"].as_array()?.iter().find_map(direct);
        let name = direct(schema)
            .or_else(|| any(schema))
            .or_else(|| direct(&schema["items"]))?;
        let name = name.rsplit('/').next()?.to_owned();
        let definition = self.defs[&name].clone();
        Some((name, definition))
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        // Writing to a String does not fail.
        let _ = writeln!(self.out, "{line}");
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
        self.line(format_args!("### {path}\n"));
        let about = one_line(object["description"].as_str().unwrap_or_default());
        if !about.is_empty() {
            self.line(format_args!("{about}\n"));
        }
        self.line(format_args!("| key | meaning | default |\n|---|---|---|"));
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
            let mut choices = definition.as_ref().map(|d| choices(&d.1)).unwrap_or_default();
            if !choices.is_empty() {
                choices = format!(" One of {choices}.");
            }
            self.line(format_args!(
                "| `{name}` | {}{choices} | {default} |",
                one_line(meaning)
            ));
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
        let Some(kinds) = definition["oneOf"].as_array() else {
            return self.object(path, definition);
        };
        for kind in kinds {
            let Some(word) = kind["properties"]["kind"]["const"].as_str() else {
                continue;
            };
            let path = format!("{path}, kind = \"{word}\"");
            let about = kind["description"].as_str();
            let mut object = match self.definition(kind) {
                Some((_, object)) => object,
                None => kind.clone(),
            };
            if let Some(properties) = object["properties"].as_object_mut() {
                properties.remove("kind");
            }
            if let (Some(about), Value::Null) = (about, &object["description"]) {
                object["description"] = about.into();
            }
            match object["properties"].as_object().is_some_and(|p| !p.is_empty()) {
                true => self.object(&path, &object),
                false => {
                    let about = one_line(about.unwrap_or("Nothing else is given."));
                    self.line(format_args!("### {path}\n\n{about}\n"));
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
        let several = kind["enum"].as_array().into_iter().flatten();
        kind["properties"]["kind"]["const"]
            .as_str()
            .into_iter()
            .chain(kind["const"].as_str())
            .chain(several.filter_map(Value::as_str))
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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;

    const BEGIN: &str = "<!-- options: begin, written by `lianjing source spec` -->\n";
    const END: &str = "<!-- options: end -->\n";

    /// `LIANJING_WRITE_DOCS=1 cargo test -p lianjing kind_page` writes the tables anew.
    #[test]
    fn each_kind_has_a_page_with_every_option() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/connectors");
        let clock: Arc<dyn domain::clock::Clock> = Arc::new(domain::clock::SystemClock);
        for kind in crate::kinds::all(&clock).kinds() {
            let expected = options(&kind);
            for line in expected.lines().filter(|line| line.starts_with("| `")) {
                let cells: Vec<&str> = line.split(" | ").collect();
                assert!(cells[1].len() > 8, "{}: {line}: no description", kind.kind);
            }
            let path = folder.join(format!("{}.md", kind.kind));
            let page = std::fs::read_to_string(&path)
                .unwrap_or_else(|e| panic!("{} has no page {}: {e}", kind.kind, path.display()));
            let (before, rest) = page.split_once(BEGIN).expect("the page has the begin mark");
            let (found, after) = rest.split_once(END).expect("the page has the end mark");
            if std::env::var_os("LIANJING_WRITE_DOCS").is_some() {
                std::fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).expect("written");
                continue;
            }
            assert_eq!(
                found,
                expected,
                "{}: the tables are not those of the schema; LIANJING_WRITE_DOCS=1 writes them",
                path.display()
            );
        }
    }
}

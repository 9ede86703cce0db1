//! One file: YAML front matter in the leading block comment, then one select.

use domain::Bilingual;
use domain::rule::RuleSpec;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::error::{CollisionError, Result};
use crate::sql::Query;

/// The front matter of a view.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ViewSpec {
    pub name: String,
    pub title: Bilingual,
}

const OPEN: &str = "/*---";
const CLOSE: &str = "---*/";

/// The two halves of a file; lines count from 1.
struct Halves<'a> {
    yaml: &'a str,
    yaml_line: usize,
    sql: &'a str,
    sql_line: usize,
}

fn bad(place: impl Into<String>, problem: impl Into<String>) -> CollisionError {
    CollisionError::BadFile {
        place: place.into(),
        problem: problem.into(),
    }
}

fn halves<'a>(place: &str, text: &'a str) -> Result<Halves<'a>> {
    let start = text.trim_start_matches('\u{feff}').trim_start();
    let skipped = text.len() - start.len();
    let body = start.strip_prefix(OPEN).ok_or_else(|| {
        bad(
            format!("{place}:1"),
            format!("must open with {OPEN} and YAML front matter"),
        )
    })?;
    let end = body.find(CLOSE).ok_or_else(|| {
        bad(
            format!("{place}:1"),
            format!("the front matter is not closed by {CLOSE}"),
        )
    })?;
    let lines = |upto: usize| text[..upto].matches('\n').count() + 1;
    let yaml_at = skipped + OPEN.len();
    let sql_at = yaml_at + end + CLOSE.len();
    Ok(Halves {
        yaml: &body[..end],
        yaml_line: lines(yaml_at),
        sql: &text[sql_at..],
        sql_line: lines(sql_at),
    })
}

/// Reads YAML strictly; an error names `place:line`, counting from `first_line`.
pub fn from_yaml<T: DeserializeOwned>(place: &str, first_line: usize, yaml: &str) -> Result<T> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(yaml, options).map_err(|error| {
        let line = error
            .location()
            .map_or(first_line, |at| first_line + at.line() as usize - 1);
        let text = error.without_snippet().to_string();
        bad(format!("{place}:{line}"), text.lines().next().unwrap_or_default())
    })
}

fn query(place: &str, halves: &Halves<'_>) -> Result<Query> {
    Query::parse(halves.sql, false).map_err(|problem| {
        let (line, problem) = locate(&problem, halves.sql_line);
        bad(format!("{place}:{line}"), problem)
    })
}

/// The parser's " at Line: 3, Column: 7" turned into a line of the file.
fn locate(problem: &str, first_line: usize) -> (usize, String) {
    let Some(at) = problem.find(" at Line: ") else {
        return (first_line, problem.to_owned());
    };
    let digits: String = problem[at + " at Line: ".len()..]
        .chars()
        .take_while(char::is_ascii_digit)
        .collect();
    match digits.parse::<usize>() {
        Ok(line) => (first_line + line - 1, problem[..at].to_owned()),
        Err(_) => (first_line, problem.to_owned()),
    }
}

/// SHA-256 of a text, hex.
pub fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

/// A rule file's front matter and query.
pub fn parse_rule(place: &str, text: &str) -> Result<(RuleSpec, Query)> {
    let halves = halves(place, text)?;
    let spec: RuleSpec = from_yaml(place, halves.yaml_line, halves.yaml)?;
    let file = place.rsplit('/').next().unwrap_or(place);
    if !file.starts_with(&format!("{}_", spec.id)) {
        return Err(bad(
            place,
            format!("the file of rule {0} must be named {0}_<name>.sql", spec.id),
        ));
    }
    if duration_seconds(&spec.limits.timeout).is_none() {
        return Err(bad(
            place,
            format!(
                "limits.timeout {:?} is not like 120s, 5m or 1h",
                spec.limits.timeout
            ),
        ));
    }
    for input in &spec.inputs {
        if let Some(text) = &input.max_staleness
            && duration_seconds(text).is_none()
        {
            return Err(bad(
                place,
                format!(
                    "inputs.{}: max_staleness {text:?} is not like 26h, 30d or 45m",
                    input.dataset
                ),
            ));
        }
    }
    let query = query(place, &halves)?;
    Ok((spec, query))
}

/// A view file's front matter and query.
pub fn parse_view(place: &str, text: &str) -> Result<(ViewSpec, Query)> {
    let halves = halves(place, text)?;
    let spec: ViewSpec = from_yaml(place, halves.yaml_line, halves.yaml)?;
    let file = place.rsplit('/').next().unwrap_or(place);
    if file != format!("{}.sql", spec.name) {
        return Err(bad(
            place,
            format!("the file of view {0} must be named {0}.sql", spec.name),
        ));
    }
    let query = query(place, &halves)?;
    if let Some(name) = query.params.iter().find(|p| *p != "as_of") {
        return Err(bad(
            place,
            format!("a view has no parameters but $as_of; it uses ${name}"),
        ));
    }
    Ok((spec, query))
}

/// Seconds of "120s", "45m", "26h", "30d".
pub fn duration_seconds(text: &str) -> Option<u64> {
    let unit = match text.chars().last()? {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        _ => return None,
    };
    text[..text.len() - 1]
        .parse::<u64>()
        .ok()?
        .checked_mul(unit)
        .filter(|s| *s > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub const GOOD: &str = "/*---
id: TST-01
version: 1
title: {zh: 测试, en: Test}
target: OFF
status: stable
severity: high
certainty: strong
legal_basis: [{law: 政府采购法, article: \"28\", effective_from: 2003-01-01}]
why: {zh: 因, en: because}
lawful_explanations: [{zh: 有, en: some}]
inputs: [{dataset: tenders, max_staleness: 26h, required: [budget]}]
params: {floor: \"0.05\", days: 90}
identity: [tender_id]
subject: {hospital_id: hospital_id}
evidence: [{dataset: tenders, key: [tender_id], column: tender_id}]
message: {zh: 甲, en: A}
---*/
select * from tenders where budget > $floor
";

    fn problem(text: &str) -> String {
        parse_rule("rules/x/TST-01_test.sql", text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_good_file_is_read() {
        let (spec, query) = parse_rule("rules/x/TST-01_test.sql", GOOD).unwrap();
        assert_eq!(spec.id, "TST-01");
        assert_eq!(spec.limits.max_hits, 5000);
        assert_eq!(spec.params["floor"], domain::Value::text("0.05"));
        assert_eq!(query.params, ["floor".to_string()].into());
    }

    #[test]
    fn each_kind_of_malformed_file_is_refused_with_its_line() {
        for (from, to, want) in [
            (
                "status: stable",
                "status: stable\nmood: bad",
                "TST-01_test.sql:7: unknown field `mood`",
            ),
            (
                "status: stable",
                "status: stable\nid: TST-02",
                "TST-01_test.sql:7:",
            ),
            (
                "required: [budget]}",
                "required: [budget], required: [x]}",
                "TST-01_test.sql:12:",
            ),
            ("status: stable", "status: splendid", "splendid"),
            ("floor: \"0.05\"", "floor: 0.05", "TST-01_test.sql:13:"),
            ("max_staleness: 26h", "max_staleness: soon", "max_staleness"),
            ("version: 1", "version: one", "TST-01_test.sql:3:"),
            ("/*---", "/*", "must open with"),
            ("---*/", "*/", "not closed"),
            ("id: TST-01", "id: TST-02", "must be named TST-02_"),
            (
                "select * from tenders",
                "delete from tenders",
                "TST-01_test.sql:18: only a select",
            ),
            ("where budget", "; select 1 where budget", "exactly one select"),
            ("where budget", "where now() > budget", "now gives another"),
            ("where budget", "wher budget or or", "TST-01_test.sql:19:"),
        ] {
            let error = problem(&GOOD.replacen(from, to, 1));
            assert!(error.contains(want), "{from} -> {to}: {error}");
        }
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration_seconds("26h"), Some(93_600));
        assert_eq!(duration_seconds("30d"), Some(2_592_000));
        for text in ["", "26", "h", "-1h", "0s", "1.5h", "1w"] {
            assert_eq!(duration_seconds(text), None, "{text}");
        }
    }
}

//! The digests an alert is known by: fingerprint, content digest, run id. (The evidence digest is
//! [`domain::hit::evidence_digest`].)
//!
//! All are SHA-256 over length-prefixed parts, so that no two different inputs share their bytes.

use std::collections::BTreeMap;

use domain::Value;
use domain::hit::RunOutput;
use sha2::{Digest, Sha256};

/// The only tenant there is today; in the fingerprint so that a second one changes no fingerprint.
pub const TENANT: &str = "default";

const FINGERPRINT_DOMAIN: &str = "lianjing.alert.v1";
const CONTENT_DOMAIN: &str = "lianjing.content.v1";
const PARAMS_DOMAIN: &str = "lianjing.params.v1";
const RUN_DOMAIN: &str = "lianjing.run.v1";

/// Fewest hex digits of the fingerprint in an alert id.
const ID_DIGITS_MIN: usize = 16;
const FINGERPRINT_DIGITS: usize = 64;

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, b| {
            let _ = write!(out, "{b:02x}");
            out
        })
}

/// Hashes parts, each with its length before it.
struct Parts(Sha256);

impl Parts {
    fn new(domain: &str) -> Self {
        let mut parts = Self(Sha256::new());
        parts.add(domain.as_bytes());
        parts
    }

    fn add(&mut self, part: &[u8]) {
        self.0.update((part.len() as u64).to_be_bytes());
        self.0.update(part);
    }

    fn add_value(&mut self, value: &Value) {
        let mut bytes = Vec::new();
        value.write_canonical(&mut bytes);
        self.add(&bytes);
    }

    fn finish(self) -> String {
        hex(&self.0.finalize())
    }
}

/// Which alert a hit belongs to: tenant, rule id and, in declared order, name and typed value of each
/// identity column. 64 hex digits.
pub fn fingerprint(rule_id: &str, identity: &[(String, Value)]) -> String {
    let mut parts = Parts::new(FINGERPRINT_DOMAIN);
    parts.add(TENANT.as_bytes());
    parts.add(rule_id.as_bytes());
    for (name, value) in identity {
        parts.add(name.as_bytes());
        parts.add_value(value);
    }
    parts.finish()
}

/// The name people use: "A-", the first 16 hex digits of the fingerprint, "-", the episode. When another
/// fingerprint has that name, more digits are taken until none has.
pub fn alert_id(fingerprint: &str, episode: u32, mut taken: impl FnMut(&str) -> bool) -> String {
    let mut digits = ID_DIGITS_MIN;
    loop {
        let id = format!("A-{}-{episode}", &fingerprint[..digits]);
        if digits == FINGERPRINT_DIGITS || !taken(&id) {
            return id;
        }
        digits += 8;
    }
}

/// Canonical bytes of one evidence row: dataset, key and content hash, length-prefixed; what tells whether
/// a row is new to a closed alert.
pub fn evidence_key(dataset: &str, key: &BTreeMap<String, Value>, hash: &str) -> Vec<u8> {
    let mut out = Vec::new();
    Value::text(dataset).write_canonical(&mut out);
    for (name, value) in key {
        Value::text(name.as_str()).write_canonical(&mut out);
        value.write_canonical(&mut out);
    }
    Value::text(hash).write_canonical(&mut out);
    out
}

/// Digest of what a hit says, as stored.
pub fn content_digest(facts: &str, detail: &str) -> String {
    let mut parts = Parts::new(CONTENT_DOMAIN);
    parts.add(facts.as_bytes());
    parts.add(detail.as_bytes());
    parts.finish()
}

/// Digest of the parameters in force.
pub fn params_digest(params: &BTreeMap<String, Value>) -> String {
    let mut parts = Parts::new(PARAMS_DOMAIN);
    for (name, value) in params {
        parts.add(name.as_bytes());
        parts.add_value(value);
    }
    parts.finish()
}

/// Names a run by what went in (snapshot, bundle, as_of, rules, parameters) and what came out (each rule's
/// state and hits), so that recording the same output again is recognised, and a rule that failed the first
/// time and not the second makes another run. `contents` holds, for each rule, its hits' (fingerprint,
/// content digest) in order.
pub fn run_id<'a>(
    output: &RunOutput,
    contents: impl Iterator<Item = (usize, Vec<(&'a str, &'a str)>)>,
) -> String {
    let mut parts = Parts::new(RUN_DOMAIN);
    parts.add(&output.snapshot.to_be_bytes());
    parts.add(output.bundle_hash.as_bytes());
    parts.add(output.as_of.to_string().as_bytes());
    parts.add(&[u8::from(output.all_rules)]);
    let mut rules: Vec<_> = contents
        .map(|(position, hits)| (&output.outcomes[position], hits))
        .collect();
    rules.sort_by(|a, b| a.0.rule.id.cmp(&b.0.rule.id));
    for (outcome, hits) in rules {
        parts.add(outcome.rule.id.as_bytes());
        parts.add(outcome.rule_hash.as_bytes());
        parts.add(params_digest(&outcome.params).as_bytes());
        parts.add(format!("{:?}", outcome.state).as_bytes());
        parts.add(
            outcome
                .reason
                .as_ref()
                .map_or("", |(code, _)| code.as_str())
                .as_bytes(),
        );
        parts.add(&outcome.capped.to_be_bytes());
        parts.add(&(hits.len() as u64).to_be_bytes());
        for (fingerprint, content) in hits {
            parts.add(fingerprint.as_bytes());
            parts.add(content.as_bytes());
        }
    }
    format!("R-{}", &parts.finish()[..32])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_tell_rule_name_order_type_and_borders_apart() {
        let pair = |a: &str, x: Value, b: &str, y: Value| vec![(a.to_owned(), x), (b.to_owned(), y)];
        let base = fingerprint("R-1", &pair("a", Value::text("1"), "b", Value::text("2")));
        assert_eq!(base.len(), 64);
        assert_eq!(
            base,
            fingerprint("R-1", &pair("a", Value::text("1"), "b", Value::text("2")))
        );
        for other in [
            fingerprint("R-2", &pair("a", Value::text("1"), "b", Value::text("2"))),
            fingerprint("R-1", &pair("b", Value::text("2"), "a", Value::text("1"))),
            fingerprint("R-1", &pair("a", Value::Int(1), "b", Value::text("2"))),
            fingerprint("R-1", &pair("a", Value::text("12"), "b", Value::text(""))),
            fingerprint("R-1", &pair("a", Value::Null, "b", Value::text("2"))),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn the_fingerprint_never_changes_between_versions_of_the_program() {
        let identity = vec![
            ("hospital_id".to_owned(), Value::text("H1")),
            ("n".to_owned(), Value::Int(7)),
        ];
        // Computed with Python's hashlib from the description of the fingerprint.
        assert_eq!(
            fingerprint("TEN-04", &identity),
            "9a925c9542ccc2edd9694cf1858ee0dd84179987c3540e57c7f44183073ce65d"
        );
    }

    #[test]
    fn a_taken_alert_id_grows_until_it_is_free() {
        let print = "0123456789abcdef".repeat(4);
        assert_eq!(alert_id(&print, 1, |_| false), "A-0123456789abcdef-1");
        let mut tries = 0;
        let id = alert_id(&print, 2, |_| {
            tries += 1;
            tries < 3
        });
        assert_eq!(id, "A-0123456789abcdef0123456789abcdef-2");
        assert_eq!(alert_id(&print, 1, |_| true), format!("A-{print}-1"));
    }
}

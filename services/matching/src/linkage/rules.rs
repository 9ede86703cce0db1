//! Blocking keys of a record: the parts that rules name, and the rules shipped for a schema.

use rayon::prelude::*;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::model::{BlockingRule, ModelError};
use super::records::Records;
use super::schema::{FieldKind, Schema};
use super::values::{MISSING, Values, symbols_key};
use crate::org::KeyKind;

/// What of a field's text makes a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transform {
    /// The value without spaces.
    Whole,
    /// Its first letters.
    First(usize),
    /// Its last letters.
    Last(usize),
    /// Consonant skeleton of a Latin word, as American Soundex codes it.
    Soundex,
    /// A key that names of organisations give.
    Org(KeyKind),
    /// The words of all the fields in alphabetical order, so that swapped fields give one key.
    Sorted,
}

/// Keys of organisations' names that rules may use, as `core`, `core_sound`, ...
const ORG_KEYS: [KeyKind; 10] = [
    KeyKind::Strict,
    KeyKind::Loose,
    KeyKind::Core,
    KeyKind::CoreSound,
    KeyKind::CoreShape,
    KeyKind::RegionTradeFirst,
    KeyKind::RegionTradeLast,
    KeyKind::CoreWithout,
    KeyKind::Opening,
    KeyKind::Parent,
];

/// One part of a rule: fields, any of which may give the key, and a transform.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    fields: Vec<usize>,
    transform: Transform,
}

/// A rule compiled for a schema.
#[derive(Debug, Clone)]
pub(crate) struct Rule {
    pub text: String,
    pub keys: Vec<Part>,
    pub refine: Vec<Part>,
}

/// Compiles a model's rules.
pub(crate) fn compile(rules: &[BlockingRule], schema: &Schema) -> Result<Vec<Rule>, ModelError> {
    rules
        .iter()
        .map(|rule| {
            let text = rule.keys.join(" & ");
            if rule.keys.is_empty() {
                return Err(ModelError::Rule(text, "has no keys".to_owned()));
            }
            let parts = |parts: &[String]| -> Result<Vec<Part>, ModelError> {
                parts
                    .iter()
                    .map(|p| parse(p, schema).map_err(|why| ModelError::Rule(text.clone(), why)))
                    .collect()
            };
            Ok(Rule {
                keys: parts(&rule.keys)?,
                refine: parts(&rule.refine)?,
                text,
            })
        })
        .collect()
}

fn parse(text: &str, schema: &Schema) -> Result<Part, String> {
    let (fields, transform) = text.split_once(':').unwrap_or((text, "whole"));
    let number = |rest: &str| rest.parse().ok().filter(|n| (1..=32).contains(n));
    let transform = match transform {
        "whole" => Transform::Whole,
        "soundex" => Transform::Soundex,
        "sorted" => Transform::Sorted,
        other => other
            .strip_prefix("first")
            .and_then(number)
            .map(Transform::First)
            .or_else(|| other.strip_prefix("last").and_then(number).map(Transform::Last))
            .or_else(|| {
                let org = ORG_KEYS.iter().find(|k| k.as_str().strip_prefix("name_") == Some(other))?;
                Some(Transform::Org(*org))
            })
            .ok_or_else(|| {
                format!("unknown transform {other:?}; known are whole, first1..32, last1..32, soundex, sorted, and for names of organisations strict, loose, core, core_sound, core_shape, core_without, region_trade_first, region_trade_last, opening, parent")
            })?,
    };
    let fields: Result<Vec<usize>, String> = fields
        .split('|')
        .map(|f| {
            schema
                .index(f)
                .ok_or_else(|| format!("the records have no column {f:?}"))
        })
        .collect();
    let fields = fields?;
    if matches!(transform, Transform::Org(_))
        && let Some(other) = fields
            .iter()
            .find(|f| schema.fields[**f].kind != FieldKind::OrgName)
    {
        return Err(format!(
            "{:?} holds no names of organisations",
            schema.fields[*other].name
        ));
    }
    Ok(Part { fields, transform })
}

impl Part {
    /// Adds the record's keys of this part, none when the values are missing.
    fn keys(&self, records: &Records, row: &[u32], out: &mut Vec<u64>) {
        if self.transform == Transform::Sorted {
            let mut words: Vec<&str> = self
                .fields
                .iter()
                .flat_map(|f| records.values(*f).text(row[*f]).split(' '))
                .filter(|w| !w.is_empty())
                .collect();
            if words.len() > 1 {
                words.sort_unstable();
                out.push(xxh3_64(words.concat().as_bytes()));
            }
            return;
        }
        for field in &self.fields {
            let number = row[*field];
            if number == MISSING {
                continue;
            }
            if let Transform::Org(kind) = self.transform {
                out.extend_from_slice(records.values(*field).org_keys(number, kind));
            } else {
                out.push(key(self.transform, records.values(*field), number));
            }
        }
    }

    /// The keys by which a record is refined; one that stands for "missing" when there are none.
    pub fn refining_keys(&self, records: &Records, row: &[u32], out: &mut Vec<u64>) {
        out.clear();
        self.keys(records, row, out);
        if out.is_empty() {
            out.push(0);
        }
        out.sort_unstable();
        out.dedup();
    }
}

fn key(transform: Transform, values: &Values, number: u32) -> u64 {
    match transform {
        Transform::First(n) => {
            let symbols = values.symbols(number);
            symbols_key(&symbols[..n.min(symbols.len())])
        }
        Transform::Last(n) => {
            let symbols = values.symbols(number);
            symbols_key(&symbols[symbols.len().saturating_sub(n)..])
        }
        Transform::Soundex => soundex(&values.symbols(number)),
        Transform::Whole | Transform::Sorted | Transform::Org(_) => values.symbols_key(number),
    }
}

/// American Soundex, packed: the first letter and three digits. Letters outside a-z code as themselves.
fn soundex(symbols: &[u16]) -> u64 {
    let class = |s: u16| match char::from_u32(u32::from(s)) {
        Some('b' | 'f' | 'p' | 'v') => Some(1),
        Some('c' | 'g' | 'j' | 'k' | 'q' | 's' | 'x' | 'z') => Some(2),
        Some('d' | 't') => Some(3),
        Some('l') => Some(4),
        Some('m' | 'n') => Some(5),
        Some('r') => Some(6),
        Some('h' | 'w') => None,
        Some('a'..='z') => Some(0),
        _ => Some(u64::from(s)),
    };
    let Some((first, rest)) = symbols.split_first() else {
        return 0;
    };
    let mut code = u64::from(*first);
    let mut before = class(*first).unwrap_or(0);
    let mut digits = 0;
    for digit in rest.iter().filter_map(|s| class(*s)) {
        if digit != before && digit != 0 && digits < 3 {
            code = code << 16 | digit;
            digits += 1;
        }
        before = digit;
    }
    xxh3_64(&(code << 2 | digits).to_le_bytes())
}

impl Rule {
    /// The fields that its keys read.
    pub fn fields(&self) -> Vec<usize> {
        self.keys
            .iter()
            .flat_map(|part| part.fields.iter().copied())
            .collect()
    }

    /// All (key, record), in parts, each once, unsorted. A key is never the same in two rules.
    pub fn entries(&self, number: usize, records: &Records) -> Vec<Vec<(u64, u32)>> {
        (0..records.len() as u32)
            .into_par_iter()
            .chunks(1 << 14)
            .map(|chunk| {
                let mut keys = Keys::default();
                let mut out = Vec::with_capacity(chunk.len());
                for record in chunk {
                    let of_record = self.keys_of(number, records, record, &mut keys);
                    out.extend(of_record.iter().map(|key| (*key, record)));
                }
                out
            })
            .collect()
    }

    /// The record's keys under this rule: every combination of its parts' keys.
    pub fn keys_of<'k>(
        &self,
        number: usize,
        records: &Records,
        record: u32,
        Keys { whole, part: of_part }: &'k mut Keys,
    ) -> &'k [u64] {
        let row = records.row(record);
        whole.clear();
        whole.push(number as u64);
        for part in &self.keys {
            of_part.clear();
            part.keys(records, row, of_part);
            let before = whole.len();
            for at in 0..before {
                let key = whole[at];
                whole.extend(of_part.iter().map(|p| mix(key, *p)));
            }
            whole.drain(..before);
        }
        whole.sort_unstable();
        whole.dedup();
        whole
    }
}

/// Room for a record's keys under a rule, used again for the next.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    whole: Vec<u64>,
    part: Vec<u64>,
}

/// One key out of two.
pub(crate) fn mix(key: u64, part: u64) -> u64 {
    xxh3_64_with_seed(&part.to_le_bytes(), key)
}

/// The rules shipped for a schema: each identifier alone, names and addresses with something that narrows them.
pub fn default_rules(schema: &Schema) -> Vec<BlockingRule> {
    use FieldKind::{
        Account, Address, AddressLine, Code, Date, Email, GivenName, HouseNumber, IdNumber, OrgName,
        PersonName, Phone, Place, Postcode, Surname, Text, Uscc,
    };
    let name = |kind: FieldKind| schema.of_kind(kind).map(|at| schema.fields[at].name.clone());
    let mut rules: Vec<BlockingRule> = Vec::new();
    let add = |rules: &mut Vec<BlockingRule>, keys: Vec<String>, refine: Vec<String>| {
        rules.push(BlockingRule { keys, refine });
    };
    let given = name(GivenName);
    let surname = name(Surname);
    let either = match (&given, &surname) {
        (Some(g), Some(s)) => Some(format!("{g}|{s}")),
        (g, s) => g.clone().or_else(|| s.clone()),
    };
    let lines: Vec<String> = schema
        .all_of_kind(AddressLine)
        .map(|at| schema.fields[at].name.clone())
        .collect();
    let lines = (!lines.is_empty()).then(|| lines.join("|"));
    let with = |field: &Option<String>, transform: &str| field.as_ref().map(|f| format!("{f}:{transform}"));
    // What narrows a block of persons that is too large.
    let narrowing: Vec<String> = [
        with(&either, "soundex"),
        name(Postcode),
        name(Date),
        lines.clone(),
        name(Place),
    ]
    .into_iter()
    .flatten()
    .collect();
    let without = |field: &Option<String>| -> Vec<String> {
        narrowing
            .iter()
            .filter(|n| Some(*n) != field.as_ref())
            .cloned()
            .collect()
    };
    let org = schema.of_kind(OrgName).map(|at| schema.fields[at].name.clone());
    // What narrows a block of organisations that is too large.
    let narrowing_orgs: Vec<String> = org
        .iter()
        .flat_map(|org| {
            let others = [PersonName, Phone, Address, Email].into_iter().filter_map(name);
            others.chain([format!("{org}:opening"), format!("{org}:core")])
        })
        .collect();
    for kind in [Uscc, IdNumber, Code, Account, Phone, Email] {
        for at in schema.all_of_kind(kind) {
            let field = schema.fields[at].name.clone();
            let refine = narrowing.iter().chain(&narrowing_orgs).filter(|n| **n != field);
            let refine = refine.cloned().collect();
            add(&mut rules, vec![field], refine);
        }
    }
    if let Some(either) = &either {
        let sorted = format!("{either}:sorted");
        if given.is_some() && surname.is_some() {
            add(&mut rules, vec![sorted], without(&None));
        }
        for other in [
            name(Postcode),
            name(Place),
            lines.clone(),
            name(Phone),
            name(HouseNumber),
        ]
        .into_iter()
        .flatten()
        {
            let refine = without(&Some(other.clone()));
            add(&mut rules, vec![either.clone(), other], refine);
        }
    }
    if let Some(date) = name(Date) {
        add(&mut rules, vec![date.clone()], without(&Some(date)));
    }
    if let (Some(lines), Some(number)) = (&lines, name(HouseNumber)) {
        add(
            &mut rules,
            vec![lines.clone(), number],
            without(&Some(lines.clone())),
        );
    }
    if let (Some(place), Some(postcode)) = (name(Place), name(Postcode)) {
        add(&mut rules, vec![place, postcode], without(&None));
    }
    if let Some(org) = &org {
        for key in [
            "strict",
            "loose",
            "core",
            "core_sound",
            "core_shape",
            "core_without",
            "region_trade_first",
            "region_trade_last",
        ] {
            add(&mut rules, vec![format!("{org}:{key}")], narrowing_orgs.clone());
        }
        for other in [PersonName, Phone, Address].into_iter().filter_map(name) {
            add(&mut rules, vec![format!("{org}:opening"), other], Vec::new());
        }
    }
    let texts: &[FieldKind] = if org.is_some() {
        &[Address]
    } else {
        &[PersonName, Text, Address]
    };
    for kind in texts.iter().copied() {
        for at in schema.all_of_kind(kind) {
            let field = &schema.fields[at].name;
            add(&mut rules, vec![field.clone()], without(&None));
            if kind == PersonName {
                add(&mut rules, vec![format!("{field}:sorted")], without(&None));
            }
        }
    }
    if rules.is_empty() {
        for field in &schema.fields {
            add(&mut rules, vec![field.name.clone()], Vec::new());
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linkage::similarity::symbols;

    #[test]
    fn soundex_of_the_standard_examples() {
        let code = |text: &str| soundex(&symbols(text).collect::<Vec<u16>>());
        for (a, b) in [
            ("robert", "rupert"),
            ("ashcraft", "ashcroft"),
            ("tymczak", "tymcsak"),
        ] {
            assert_eq!(code(a), code(b), "{a} {b}");
        }
        assert_ne!(code("robert"), code("rubin"));
    }
}

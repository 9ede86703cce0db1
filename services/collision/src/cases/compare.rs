//! Compares the hits of a case with the alerts it expects, and says what differs.

use std::collections::BTreeSet;

use domain::hit::Hit;

use super::file::Expected;

/// What differs; empty when the hits are exactly the expected alerts.
pub fn differences(expected: &[Expected], hits: &[Hit]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut free: Vec<usize> = (0..hits.len()).collect();
    for want in expected {
        let fits: Vec<usize> = free
            .iter()
            .copied()
            .filter(|n| identity_fits(want, &hits[*n]))
            .collect();
        match fits[..] {
            [] => problems.push(format!("no alert {}", identity(want))),
            [n] => {
                free.retain(|f| *f != n);
                problems.extend(in_detail(want, &hits[n]));
            }
            _ => problems.push(format!(
                "{} fits {} alerts; name more of the identity: {}",
                identity(want),
                fits.len(),
                fits.iter()
                    .map(|n| describe(&hits[*n]))
                    .collect::<Vec<_>>()
                    .join("; ")
            )),
        }
    }
    problems.extend(
        free.into_iter()
            .map(|n| format!("unexpected alert {}", describe(&hits[n]))),
    );
    problems
}

fn identity_fits(want: &Expected, hit: &Hit) -> bool {
    want.identity.iter().all(|(k, v)| {
        hit.identity
            .iter()
            .any(|(name, value)| name == k && value.to_string() == *v)
    })
}

fn identity(want: &Expected) -> String {
    let parts: Vec<String> = want.identity.iter().map(|(k, v)| format!("{k}={v}")).collect();
    format!("{{{}}}", parts.join(", "))
}

fn describe(hit: &Hit) -> String {
    let parts: Vec<String> = hit.identity.iter().map(|(k, v)| format!("{k}={v}")).collect();
    format!("{{{}}} \"{}\"", parts.join(", "), hit.message.en)
}

fn in_detail(want: &Expected, hit: &Hit) -> Vec<String> {
    let mut problems = Vec::new();
    let who = describe(hit);
    for (role, text) in &want.subject {
        let has = hit.subject.get(role).map(ToString::to_string);
        if has.as_deref() != Some(text) {
            problems.push(format!(
                "{who}: subject.{role} is {}, not {text}",
                has.unwrap_or("absent".into())
            ));
        }
    }
    if let Some(amount) = &want.amount_at_risk
        && !same_number(hit.amount_at_risk.as_deref(), amount)
    {
        let has = hit.amount_at_risk.as_deref().unwrap_or("absent");
        problems.push(format!("{who}: amount_at_risk is {has}, not {amount}"));
    }
    for text in &want.message {
        if !hit.message.zh.contains(text) && !hit.message.en.contains(text) {
            problems.push(format!(
                "{who}: neither message has {text:?} (zh: {:?})",
                hit.message.zh
            ));
        }
    }
    for (dataset, keys) in &want.evidence {
        let has: BTreeSet<Vec<String>> = hit
            .evidence
            .iter()
            .filter(|row| row.dataset == *dataset)
            .map(|row| key_in_order(dataset, row))
            .collect();
        if has != *keys {
            problems.push(format!(
                "{who}: evidence of {dataset} is {}, not {}",
                list(&has),
                list(keys)
            ));
        }
    }
    if !hit.evidence_missing.is_empty() {
        problems.push(format!(
            "{who}: evidence rows not found: {}",
            hit.evidence_missing.join(", ")
        ));
    }
    problems
}

fn key_in_order(dataset: &str, row: &domain::hit::EvidenceRow) -> Vec<String> {
    let key = domain::dataset(dataset)
        .map(|d| d.key.clone())
        .unwrap_or_default();
    key.iter()
        .map(|k| row.key.get(k).map(ToString::to_string).unwrap_or_default())
        .collect()
}

fn list(keys: &BTreeSet<Vec<String>>) -> String {
    let parts: Vec<String> = keys.iter().map(|k| k.join("|")).collect();
    format!("[{}]", parts.join(", "))
}

/// Whether two decimal texts are the same number: trailing zeros of the fraction do not count.
fn same_number(has: Option<&str>, want: &str) -> bool {
    let plain = |text: &str| match text.split_once('.') {
        Some((whole, part)) if part.trim_end_matches('0').is_empty() => whole.to_owned(),
        Some((whole, part)) => format!("{whole}.{}", part.trim_end_matches('0')),
        None => text.to_owned(),
    };
    has.is_some_and(|has| plain(has) == plain(want))
}

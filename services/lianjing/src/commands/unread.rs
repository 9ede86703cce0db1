//! Rows of a rule's inputs that could not be read. What an alert finds missing may stand in one of them: whoever is
//! accused by a row that we could not read must be told so wherever the alert is read.

use std::collections::BTreeMap;

use domain::alert::Alert;
use domain::ports::QuarantineEntry;
use domain::{Bilingual, Lang, Value, dataset};
use gateway::convert;
use proto::v1 as pb;

use crate::connection::Connection;
use crate::outcome::{CliError, CliResult};

/// Quarantined rows of one dataset that are looked through for an alert's subject.
const ROWS_LOOKED_AT_MAX: i32 = 1_000;
/// Of those that speak of it, the ones that are shown.
const NAMING_SHOWN_MAX: usize = 5;
/// Shorter texts are found in rows of anybody.
const SUBJECT_CHARS_MIN: usize = 4;

/// Dataset -> rows in quarantine; none where that could not be found out.
#[derive(Debug)]
pub struct Unread(Option<BTreeMap<String, u64>>);

impl Unread {
    /// Everything was read.
    #[cfg(test)]
    pub fn none() -> Self {
        Self(Some(BTreeMap::new()))
    }

    pub async fn count(connection: &Connection) -> Self {
        // A total is known to be no row.
        let sql = "select dataset, count(*) from _quarantine where reason <> 'TOTALS_ROW' group by dataset";
        Self(match super::sql::texts(sql, connection).await {
            Ok(rows) => Some(
                rows.into_iter()
                    .filter_map(|row| match <[String; 2]>::try_from(row) {
                        Ok([dataset, rows]) => Some((dataset, rows.parse().ok()?)),
                        Err(_) => None,
                    })
                    .collect(),
            ),
            // A lake in which no row was ever quarantined has no such table.
            Err(error) if is_no_quarantine(&error) => Some(BTreeMap::new()),
            Err(_) => None,
        })
    }

    /// Of the datasets that a rule reads; none where it is not known.
    pub fn of(&self, rule: &pb::Rule) -> Option<BTreeMap<String, u64>> {
        let unread = self.0.as_ref()?;
        let counted = rule.inputs.iter().filter_map(|input| {
            let rows = unread.get(&input.dataset)?;
            Some((input.dataset.clone(), *rows))
        });
        Some(counted.collect())
    }

    /// What to say beside the lines of a run; nothing where all was read.
    pub fn beside_a_run(&self) -> Option<Bilingual> {
        let Some(unread) = &self.0 else {
            return Some(Bilingual::new(
                "无法得知隔离区中是否有未读取的行，规则可能误报或漏报。",
                "whether rows are in quarantine could not be found out: rules may accuse wrongly or miss something",
            ));
        };
        if unread.is_empty() {
            return None;
        }
        let list = |lang| {
            let rows = unread
                .iter()
                .map(|(name, rows)| format!("{} {rows}", title(name, lang)));
            rows.collect::<Vec<_>>().join(match lang {
                Lang::Zh => "、",
                Lang::En => ", ",
            })
        };
        Some(Bilingual::new(
            format!(
                "隔离区中有无法读取的行（{}），依赖这些数据的规则可能误报或漏报；用 `lianjing quarantine list` 查看。",
                list(Lang::Zh)
            ),
            format!(
                "rows that could not be read are in quarantine ({}): rules that need them may accuse wrongly or miss something; see `lianjing quarantine list`",
                list(Lang::En)
            ),
        ))
    }
}

fn is_no_quarantine(error: &CliError) -> bool {
    error
        .text(Lang::En)
        .is_some_and(|text| text.contains("_quarantine' not found"))
}

/// A dataset as people call it.
pub fn title(name: &str, lang: Lang) -> String {
    match (lang, dataset(name)) {
        (Lang::Zh, Some(dataset)) => dataset.title.clone(),
        _ => name.to_owned(),
    }
}

/// Quarantined rows of these datasets that speak of the alert's subject.
pub async fn naming(
    alert: &Alert,
    datasets: &BTreeMap<String, u64>,
    connection: &Connection,
) -> CliResult<Vec<QuarantineEntry>> {
    let texts = subject_texts(alert);
    let mut found = Vec::new();
    for dataset in datasets.keys() {
        let request = pb::ListQuarantineRequest {
            dataset: dataset.clone(),
            page_size: ROWS_LOOKED_AT_MAX,
            ..Default::default()
        };
        let page = connection
            .connectors()
            .list_quarantine(request)
            .await?
            .into_inner();
        let entries = page.entries.into_iter().map(convert::quarantine_from_proto);
        let speaks = |entry: &QuarantineEntry| texts.iter().any(|text| entry.raw.contains(text));
        found.extend(entries.filter(|entry| entry.reason != "TOTALS_ROW" && speaks(entry)));
    }
    found.truncate(NAMING_SHOWN_MAX);
    Ok(found)
}

/// Names and codes of the supplier: a product's code or a date stands in rows of anybody.
fn subject_texts(alert: &Alert) -> Vec<&str> {
    alert
        .subject
        .iter()
        .filter(|(role, _)| role.split('_').any(|word| word == "supplier"))
        .filter_map(|(_, value)| match value {
            Value::Text(text) => Some(text.strip_prefix("name:").unwrap_or(text)),
            _ => None,
        })
        .filter(|text| text.chars().count() >= SUBJECT_CHARS_MIN)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_of_the_subject_by_its_name_or_code() {
        let alert: Alert = serde_json::from_value(serde_json::json!({
            "alert_id": "A-1-1", "fingerprint": "f", "rule_id": "SUP-01", "rule_version": 1, "severity": "high",
            "state": "OPEN", "episode": 1, "first_seen": "2025-01-31", "last_seen": "2025-01-31", "as_of": "2025-01-31",
            "hospital_id": "H0001", "identity": {}, "amount_at_risk": null, "message": {"zh": "", "en": ""},
            "subject": {"hospital_id": "H0001", "supplier_name": "甲医药有限公司", "supplier_key": "S1", "national_code": "XJ01DDT010"},
            "path": [], "evidence": []
        }))
        .expect("an alert");
        assert_eq!(subject_texts(&alert), ["甲医药有限公司"]);
    }

    #[test]
    fn a_rule_is_told_of_its_own_inputs_only() {
        let unread = Unread(Some(
            [("agreements".to_owned(), 1), ("bids".to_owned(), 2)].into(),
        ));
        let rule = pb::Rule {
            inputs: vec![pb::RuleInput {
                dataset: "agreements".into(),
                ..Default::default()
            }],
            ..Default::default()
        };
        assert_eq!(
            unread.of(&rule),
            Some(BTreeMap::from([("agreements".to_owned(), 1)]))
        );
        assert_eq!(Unread(None).of(&rule), None, "not known is not none");
        let text = unread.beside_a_run().expect("something to say");
        assert!(
            text.zh.contains("廉洁购销协议与承诺书 1、投标记录 2"),
            "{}",
            text.zh
        );
        assert!(Unread::none().beside_a_run().is_none());
        assert!(Unread(None).beside_a_run().is_some());
    }
}

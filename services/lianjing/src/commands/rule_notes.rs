//! What a rule says of its alerts: its title, the law, the lawful explanations to look for first, and what it does not
//! see. It goes wherever an alert goes, into files too: an alert without them reads as an accusation.

use std::collections::BTreeMap;

use domain::Lang;
use domain::alert::Alert;
use proto::v1 as pb;
use serde_json::{Value, json};

use super::unread::Unread;
use crate::connection::Connection;
use crate::outcome::{CliError, CliResult};

/// Columns that [`RuleNotes::cells`] adds to an alert's.
pub const HEADER: [&str; 4] = ["title", "legal_basis", "lawful_explanations", "known_gaps"];

/// Rules by id, and what of their inputs could not be read.
#[derive(Debug)]
pub struct RuleNotes {
    rules: BTreeMap<String, pb::Rule>,
    unread: Unread,
}

impl RuleNotes {
    /// Those of all rules in force.
    pub async fn of_all(connection: &Connection) -> CliResult<Self> {
        let rules = super::rules::all(connection).await?;
        Self::with(rules, connection).await
    }

    /// Those of one rule; of none when it is no longer in force.
    pub async fn of(rule_id: &str, connection: &Connection) -> CliResult<Self> {
        let request = pb::GetRuleRequest {
            rule_id: rule_id.to_owned(),
        };
        let rule = match connection.collisions().get_rule(request).await {
            Ok(answer) => answer.into_inner().rule,
            Err(status) if status.code() == tonic::Code::NotFound => None,
            Err(status) => return Err(status.into()),
        };
        Self::with(rule, connection).await
    }

    async fn with(rules: impl IntoIterator<Item = pb::Rule>, connection: &Connection) -> CliResult<Self> {
        Ok(Self {
            rules: rules.into_iter().map(|r| (r.rule_id.clone(), r)).collect(),
            unread: Unread::count(connection).await,
        })
    }

    /// Rows in quarantine of the datasets that a rule reads; none where that is not known.
    pub fn unread(&self, rule: &pb::Rule) -> Option<BTreeMap<String, u64>> {
        self.unread.of(rule)
    }

    pub fn rule(&self, alert: &Alert) -> Option<&pb::Rule> {
        self.rules.get(&alert.rule_id)
    }

    /// The alert as an object, with its rule's notes as the member `rule`: null when the rule is no longer in force.
    pub fn object(&self, alert: &Alert) -> CliResult<Value> {
        let mut object = serde_json::to_value(alert)
            .map_err(|e| CliError::failed(format!("alert {}: {e}", alert.alert_id)))?;
        object["rule"] = self.rule(alert).map_or(Value::Null, notes);
        object["unread_rows"] = self
            .rule(alert)
            .map_or(Value::Null, |rule| json!(self.unread(rule)));
        Ok(object)
    }

    /// Title, law, lawful explanations and gaps, each as one cell.
    pub fn cells(&self, alert: &Alert, lang: Lang) -> [String; 4] {
        let Some(rule) = self.rule(alert) else {
            return Default::default();
        };
        let text = |text: &pb::Bilingual| match lang {
            Lang::Zh => text.zh.clone(),
            Lang::En => text.en.clone(),
        };
        let texts = |list: &[pb::Bilingual]| list.iter().map(text).collect::<Vec<_>>().join("; ");
        let laws = rule
            .legal_basis
            .iter()
            .map(|basis| format!("{} {}", basis.law, basis.article))
            .collect::<Vec<_>>();
        [
            rule.title.as_ref().map(text).unwrap_or_default(),
            laws.join("; "),
            texts(&rule.lawful_explanations),
            texts(&rule.known_gaps),
        ]
    }
}

fn notes(rule: &pb::Rule) -> Value {
    let both = |text: &pb::Bilingual| json!({"zh": text.zh, "en": text.en});
    let all = |list: &[pb::Bilingual]| list.iter().map(both).collect::<Vec<_>>();
    let laws: Vec<Value> = rule
        .legal_basis
        .iter()
        .map(|basis| json!({"law": basis.law, "article": basis.article}))
        .collect();
    json!({
        "title": rule.title.as_ref().map(both),
        "target": super::rules::word(rule.target().as_str_name(), "RULE_TARGET_"),
        "certainty": super::rules::word(rule.certainty().as_str_name(), "CERTAINTY_"),
        "legal_basis": laws,
        "lawful_explanations": all(&rule.lawful_explanations),
        "known_gaps": all(&rule.known_gaps),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alert() -> Alert {
        serde_json::from_value(json!({
            "alert_id": "A-1-1", "fingerprint": "f", "rule_id": "OFF-01", "rule_version": 1, "severity": "high",
            "state": "OPEN", "episode": 1, "first_seen": "2025-01-31", "last_seen": "2025-01-31", "as_of": "2025-01-31",
            "hospital_id": null, "identity": {"order_id": "1"}, "subject": {}, "amount_at_risk": null,
            "message": {"zh": "", "en": ""}, "path": [], "evidence": []
        }))
        .expect("an alert")
    }

    fn without_rules() -> RuleNotes {
        RuleNotes {
            rules: BTreeMap::new(),
            unread: Unread::none(),
        }
    }

    fn both(zh: &str, en: &str) -> pb::Bilingual {
        pb::Bilingual {
            zh: zh.into(),
            en: en.into(),
        }
    }

    #[test]
    fn an_alert_takes_the_law_and_the_lawful_explanations_along() {
        let rule = pb::Rule {
            rule_id: "OFF-01".into(),
            title: Some(both("违规线下采购", "Bought off the platform")),
            target: pb::RuleTarget::OffPlatform.into(),
            certainty: pb::Certainty::Strong.into(),
            legal_basis: vec![pb::LegalBasis {
                law: "国办发〔2015〕7号".into(),
                article: "一".into(),
                ..Default::default()
            }],
            lawful_explanations: vec![both("急抢救", "emergency"), both("备案", "filed")],
            ..Default::default()
        };
        let notes = RuleNotes {
            rules: BTreeMap::from([("OFF-01".to_owned(), rule)]),
            unread: Unread::none(),
        };
        let object = notes.object(&alert()).expect("an object");
        assert_eq!(
            object["rule"],
            json!({
                "title": {"zh": "违规线下采购", "en": "Bought off the platform"},
                "target": "off_platform", "certainty": "strong",
                "legal_basis": [{"law": "国办发〔2015〕7号", "article": "一"}],
                "lawful_explanations": [{"zh": "急抢救", "en": "emergency"}, {"zh": "备案", "en": "filed"}],
                "known_gaps": [],
            })
        );
        assert_eq!(
            notes.cells(&alert(), Lang::En),
            [
                "Bought off the platform",
                "国办发〔2015〕7号 一",
                "emergency; filed",
                ""
            ]
        );
    }

    #[test]
    fn the_notes_of_a_rule_no_longer_in_force_are_null() {
        let object = without_rules().object(&alert()).expect("an object");
        assert!(object["rule"].is_null() && object["alert_id"] == "A-1-1");
        assert_eq!(without_rules().cells(&alert(), Lang::Zh).concat(), "");
    }
}

//! Rules, cases and mutants.

use domain::ports::{MutantResult, Rule, RuleCaseResult};
use domain::rule::{Certainty, RuleStatus, Severity, Target};
use proto::v1 as pb;

use super::value::{bilingual_to_proto, map_to_proto};

/// `with_text`: the whole file too.
pub fn rule_to_proto(rule: &Rule, with_text: bool) -> pb::Rule {
    let spec = &rule.spec;
    pb::Rule {
        rule_id: spec.id.clone(),
        version: spec.version,
        title: Some(bilingual_to_proto(&spec.title)),
        target: target(spec.target).into(),
        status: status(spec.status).into(),
        severity: severity(spec.severity).into(),
        certainty: certainty(spec.certainty).into(),
        legal_basis: spec
            .legal_basis
            .iter()
            .map(|basis| pb::LegalBasis {
                law: basis.law.clone(),
                article: basis.article.clone(),
                effective_from: basis.effective_from.to_string(),
                effective_to: basis.effective_to.map(|d| d.to_string()).unwrap_or_default(),
                source: basis.source.clone().unwrap_or_default(),
            })
            .collect(),
        why: Some(bilingual_to_proto(&spec.why)),
        lawful_explanations: spec.lawful_explanations.iter().map(bilingual_to_proto).collect(),
        known_gaps: spec.known_gaps.iter().map(bilingual_to_proto).collect(),
        inputs: spec
            .inputs
            .iter()
            .map(|input| pb::RuleInput {
                dataset: input.dataset.clone(),
                max_staleness: input.max_staleness.clone().unwrap_or_default(),
                required: input.required.clone(),
                optional: input.optional,
            })
            .collect(),
        params: map_to_proto(&spec.params),
        identity: spec.identity.clone(),
        text: if with_text {
            rule.text.to_string()
        } else {
            String::new()
        },
        hash: rule.hash.clone(),
        place: rule.place.clone(),
    }
}

pub fn case_to_proto(case: RuleCaseResult) -> pb::RuleCase {
    pb::RuleCase {
        rule_id: case.rule_id,
        name: case.case,
        passed: case.passed,
        detail: case.detail,
    }
}

pub fn mutant_to_proto(mutant: MutantResult) -> pb::Mutant {
    pb::Mutant {
        rule_id: mutant.rule_id,
        mutation: mutant.mutation,
        killed: mutant.killed,
    }
}

pub(super) fn severity(severity: Severity) -> pb::Severity {
    match severity {
        Severity::Low => pb::Severity::Low,
        Severity::Medium => pb::Severity::Medium,
        Severity::High => pb::Severity::High,
    }
}

fn target(target: Target) -> pb::RuleTarget {
    match target {
        Target::OffPlatform => pb::RuleTarget::OffPlatform,
        Target::Manipulation => pb::RuleTarget::Manipulation,
        Target::Interference => pb::RuleTarget::Interference,
        Target::ImproperBenefit => pb::RuleTarget::ImproperBenefit,
    }
}

fn status(status: RuleStatus) -> pb::RuleStatus {
    match status {
        RuleStatus::Experimental => pb::RuleStatus::Experimental,
        RuleStatus::Stable => pb::RuleStatus::Stable,
        RuleStatus::Deprecated => pb::RuleStatus::Deprecated,
    }
}

fn certainty(certainty: Certainty) -> pb::Certainty {
    match certainty {
        Certainty::Statutory => pb::Certainty::Statutory,
        Certainty::Strong => pb::Certainty::Strong,
        Certainty::Indicator => pb::Certainty::Indicator,
    }
}

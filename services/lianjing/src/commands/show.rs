//! How an alert reads in a terminal: what, who, why it may be lawful, and the rows it rests on.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use chrono::DateTime;
use domain::alert::Alert;
use domain::hit::percent_of_bp;
use domain::ports::QuarantineEntry;
use domain::rule::Severity;
use domain::{Bilingual, ColumnType, Lang, Value, catalogue, dataset};
use proto::v1 as pb;

use super::unread;

/// Evidence rows shown in full.
const ROWS_SHOWN_MAX: usize = 20;

pub fn severity(severity: Severity, lang: Lang) -> &'static str {
    match (severity, lang) {
        (Severity::High, Lang::Zh) => "高",
        (Severity::Medium, Lang::Zh) => "中",
        (Severity::Low, Lang::Zh) => "低",
        (Severity::High, Lang::En) => "high",
        (Severity::Medium, Lang::En) => "medium",
        (Severity::Low, Lang::En) => "low",
    }
}

/// What an alert is shown with.
#[derive(Debug, Default)]
pub struct Context {
    /// Whether numbers of persons, telephones and accounts are shown in full.
    pub in_full: bool,
    /// To say what may lawfully explain it.
    pub rule: Option<pb::Rule>,
    /// Digest of a raw batch -> the file it is a copy of, or what was asked for.
    pub batches: HashMap<String, String>,
    /// Newest first.
    pub closures: Vec<pb::Closure>,
    /// Dataset that the rule reads -> rows of it that could not be read; none where that is not known.
    pub unread: Option<BTreeMap<String, u64>>,
    /// Such rows that speak of the alert's subject.
    pub naming: Vec<QuarantineEntry>,
}

impl Context {
    fn shown(&self, column: &str, value: &Value) -> Value {
        match value.as_str() {
            Some(text) if !self.in_full && (domain::is_personal(column) || looks_like_id_number(text)) => {
                Value::text(masked(text))
            }
            _ => value.clone(),
        }
    }
}

/// Columns of codes may hold such a number, too.
fn looks_like_id_number(text: &str) -> bool {
    matching::IdNumber::parse(text).is_ok()
}

/// Characters that stay at the start and the end of a masked number.
const MASK_START: usize = 3;
const MASK_END: usize = 4;

/// `110***********0071`: enough to compare by, not enough to use.
fn masked(text: &str) -> String {
    let count = text.chars().count();
    let stays = |n: usize| count > MASK_START + MASK_END && (n < MASK_START || n + MASK_END >= count);
    text.chars()
        .enumerate()
        .map(|(n, c)| if stays(n) { c } else { '*' })
        .collect()
}

/// The alert as paragraphs.
pub fn alert_text(alert: &Alert, context: &Context, lang: Lang) -> String {
    let rule = context.rule.as_ref();
    let say = |zh: &'static str, en: &'static str| if lang == Lang::Zh { zh } else { en };
    let both = |text: &pb::Bilingual| {
        if lang == Lang::Zh {
            text.zh.clone()
        } else {
            text.en.clone()
        }
    };
    let mut out = String::new();
    let title = rule.and_then(|r| r.title.as_ref()).map(both).unwrap_or_default();
    let _ = writeln!(
        out,
        "{}  {} {title}  [{}] {}",
        alert.alert_id,
        alert.rule_id,
        severity(alert.severity, lang),
        alert.state.as_str()
    );
    let _ = writeln!(out, "  {}", alert.message.get(lang));
    if let Some(amount) = &alert.amount_at_risk {
        let _ = writeln!(out, "  {}: {amount} CNY", say("涉及金额", "amount at risk"));
    }
    let _ = writeln!(
        out,
        "  {}: {}   {}: {}   {}: {}",
        say("首次", "first seen"),
        alert.first_seen,
        say("最近", "last seen"),
        alert.last_seen,
        say("主体", "subject"),
        subject_text(alert, lang)
    );
    for closure in &context.closures {
        let _ = writeln!(
            out,
            "  {}: {} {} {}",
            say("关闭", "closed"),
            local(&closure.closed_at),
            closure.actor,
            closure.reason
        );
    }
    if rule.is_none() {
        let _ = writeln!(
            out,
            "  {}",
            say(
                "该规则不在当前规则集中（用 --rules 指定其目录），无法列出依据和合法解释",
                "its rule is not among those in force (--rules names their folder): basis and lawful explanations are missing"
            )
        );
    }
    if let Some(rule) = rule {
        if let Some(text) = certainty(rule.certainty()) {
            let _ = writeln!(out, "  {}: {}", say("把握", "how sure"), text.get(lang));
        }
        for basis in &rule.legal_basis {
            let _ = writeln!(
                out,
                "  {}: {} {}",
                say("依据", "legal basis"),
                basis.law,
                basis.article
            );
        }
        for text in &rule.lawful_explanations {
            let _ = writeln!(
                out,
                "  {}: {}",
                say("先核对合法解释", "first check whether"),
                both(text)
            );
        }
        for text in &rule.known_gaps {
            let _ = writeln!(
                out,
                "  {}: {}",
                say("规则的局限", "the rule does not see"),
                both(text)
            );
        }
    }
    if context.unread.is_none() {
        let _ = writeln!(
            out,
            "  {}",
            say(
                "无法得知是否有未能读取的相关行",
                "whether rows that matter could not be read is not known"
            )
        );
    }
    for (name, rows) in context.unread.iter().flatten() {
        let _ = writeln!(
            out,
            "  {}: {} {rows} (lianjing quarantine list --dataset {name})",
            say(
                "未能读取的行，可能与此有关",
                "rows that could not be read and may matter"
            ),
            unread::title(name, lang)
        );
    }
    for entry in &context.naming {
        let _ = writeln!(
            out,
            "    {}: {}:{} {} {} [{}]",
            say(
                "其中提到该主体的行，请先核对",
                "one of them speaks of the subject, look there first"
            ),
            entry.file,
            entry.row,
            entry.field.as_deref().unwrap_or_default(),
            entry.detail,
            entry.reason
        );
    }
    for hop in &alert.path {
        let _ = writeln!(out, "  {}: {}", say("路径", "path"), super::graph::hop_text(hop));
    }
    let _ = writeln!(out, "  {} ({}):", say("证据", "evidence"), alert.evidence.len());
    for row in alert.evidence.iter().take(ROWS_SHOWN_MAX) {
        let batch = row.batch.get(..12).unwrap_or(&row.batch);
        let file = context.batches.get(&row.batch).map_or(batch, String::as_str);
        let _ = writeln!(
            out,
            "    {} {}  ({} {}, {file}, {} {})",
            row.dataset,
            labelled(row.key.iter(), lang),
            say("来源", "source"),
            row.source,
            say("行", "row"),
            row.row
        );
        let own = dataset(&row.dataset);
        let shown = row
            .values
            .iter()
            .filter(|(name, value)| !value.is_null() && !row.key.contains_key(*name));
        let line: Vec<String> = shown
            .map(|(name, value)| {
                let value = &context.shown(name, value);
                let column = own.as_ref().and_then(|d| d.column(name));
                let name = match column {
                    Some(column) if lang == Lang::Zh => column.label(),
                    _ => name.as_str(),
                };
                match column.map(|c| c.ty) {
                    Some(ColumnType::Timestamp) => format!("{name}={}", local(&one_line(value))),
                    _ => format!("{name}={}", one_line(value)),
                }
            })
            .collect();
        let _ = writeln!(out, "      {}", line.join("  "));
        for mention in &row.uncertain {
            let _ = writeln!(
                out,
                "      {}: {} -> {} ({} %)",
                say("只凭相近名称认定", "told by a resembling name only"),
                mention.slot,
                mention.party_key,
                percent_of_bp(mention.certainty_bp)
            );
        }
    }
    if alert.evidence.len() > ROWS_SHOWN_MAX {
        let rest = alert.evidence.len() - ROWS_SHOWN_MAX;
        let _ = writeln!(
            out,
            "    {} {rest}",
            say("其余行数（见 --format json）:", "more rows (see --format json):")
        );
    }
    out
}

/// How sure an alert of such a rule is before anyone looked.
fn certainty(of: pb::Certainty) -> Option<Bilingual> {
    Some(match of {
        pb::Certainty::Unspecified => return None,
        pb::Certainty::Statutory => Bilingual::new(
            "依法推定：具备这些事实即由法律推定，可举反证",
            "presumed by law from these facts, unless shown otherwise",
        ),
        pb::Certainty::Strong => Bilingual::new(
            "较强：数据与明确要求不符，仍须核对合法解释",
            "strong: the rows contradict a plain requirement; lawful explanations are still to be checked",
        ),
        pb::Certainty::Indicator => Bilingual::new(
            "提示：值得一看，常有合法原因",
            "an indication: worth a look, often lawful",
        ),
    })
}

/// A moment as clocks in China show it, without a time of day at midnight; what is no moment stays as it is.
pub fn local(moment: &str) -> String {
    let Ok(utc) = DateTime::parse_from_rfc3339(moment) else {
        return moment.to_owned();
    };
    let day = domain::clock::local_date(utc.to_utc());
    let text = crate::commands::source::time_text(utc.timestamp_micros());
    match text.ends_with(" 00:00:00") {
        true => day.to_string(),
        false => text,
    }
}

/// What rules call their subjects beyond the columns of datasets.
const ROLES: [(&str, &str); 4] = [
    ("supplier_key", "供应商编号"),
    ("supplier_name", "供应商"),
    ("other_supplier_key", "另一供应商编号"),
    ("other_supplier_name", "另一供应商"),
];

/// What a column is called: in Chinese by the first dataset that has it.
fn label(name: &str, lang: Lang) -> &str {
    if lang == Lang::En {
        return name;
    }
    let role = ROLES.iter().find(|(role, _)| *role == name).map(|(_, zh)| *zh);
    let column = || catalogue().iter().find_map(|d| d.column(name)).map(|c| c.label());
    role.or_else(column).unwrap_or(name)
}

/// Whom and what it is about. A member of staff who is not what identifies the alert only handled the purchase.
fn subject_text(alert: &Alert, lang: Lang) -> String {
    let (staff, others): (Vec<_>, Vec<_>) = alert.subject.iter().partition(|(role, _)| *role == "staff_id");
    let mut text = labelled(others.into_iter(), lang);
    let is_accused = alert.identity.contains_key("staff_id");
    for (role, value) in staff.into_iter().filter(|(_, value)| !value.is_null()) {
        let name = match (is_accused, lang) {
            (true, _) => label(role, lang),
            (false, Lang::Zh) => "经办人（非认定责任）",
            (false, Lang::En) => "handled_by (not thereby suspected)",
        };
        let _ = write!(text, " {name}={}", one_line(value));
    }
    text
}

fn labelled<'a>(entries: impl Iterator<Item = (&'a String, &'a Value)>, lang: Lang) -> String {
    entries
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| format!("{}={}", label(name, lang), one_line(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

pub fn pairs<'a>(entries: impl Iterator<Item = (&'a String, &'a Value)>) -> String {
    entries
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| format!("{name}={}", one_line(value)))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A value on one line.
pub fn one_line(value: &Value) -> String {
    match value {
        Value::Map(map) => format!("{{{}}}", pairs(map.iter())),
        Value::List(items) => format!("[{}]", items.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        other => other.to_string().replace('\n', " "),
    }
}

#[cfg(test)]
mod tests {
    use domain::{Lang, Value};

    use super::{Context, label, local, masked};

    #[test]
    fn columns_are_named_as_people_call_them() {
        for (name, zh) in [
            ("supplier_name", "供应商"),
            ("order_id", "采购单号"),
            ("no_such_column", "no_such_column"),
        ] {
            assert_eq!(label(name, Lang::Zh), zh);
            assert_eq!(label(name, Lang::En), name);
        }
    }

    #[test]
    fn personal_numbers_are_masked_and_others_are_not() {
        assert_eq!(masked("440106198001010019"), "440***********0019");
        assert_eq!(masked("13800138000"), "138****8000");
        assert_eq!(masked("1234567"), "*******");
        let number = Value::text("440106198001010019");
        let context = Context::default();
        for column in ["relative_id_number", "from_id"] {
            assert_eq!(context.shown(column, &number), Value::text("440***********0019"));
        }
        // A firm's code, and a number of that form whose check character does not hold.
        for text in ["91330100MA2B3C4D1A", "440106198001010018", "PO-1"] {
            let code = Value::text(text);
            assert_eq!(context.shown("order_id", &code), code);
        }
        let in_full = Context {
            in_full: true,
            ..Context::default()
        };
        assert_eq!(in_full.shown("id_number", &number), number);
    }

    #[test]
    fn moments_are_shown_as_clocks_in_china_have_them() {
        for (moment, shown) in [
            ("2023-11-13T16:00:00.000000Z", "2023-11-14"),
            ("2024-03-31T15:59:59.000000Z", "2024-03-31 23:59:59"),
            ("2024-03-31", "2024-03-31"),
            ("线下", "线下"),
        ] {
            assert_eq!(local(moment), shown);
        }
    }
}

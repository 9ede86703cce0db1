//! Why two records match: each comparison's level and weight, in Chinese and English.

use std::fmt::Write as _;

use serde::Serialize;

use super::level::Level;
use super::model::Model;
use super::score::Scorer;

/// One comparison's say.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    pub field: String,
    pub level: Level,
    /// log2 Bayes factor: positive speaks for one party, negative for two.
    pub weight: f64,
}

/// A pair's reasons, and their sum in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// log2 of the prior odds.
    pub prior: f64,
    pub reasons: Vec<Reason>,
    pub zh: String,
    pub en: String,
}

impl Explanation {
    /// Adds a remark, in Chinese and English.
    pub(crate) fn add(&mut self, (zh, en): (&str, &str)) {
        self.zh.push('；');
        self.zh.push_str(zh);
        self.en.push_str("; ");
        self.en.push_str(en);
    }
}

/// Chinese labels of known fields; others show their own name.
fn label(field: &str) -> &str {
    match field {
        "name" => "名称",
        "person_name" => "姓名",
        "uscc" => "统一社会信用代码",
        "id_number" => "身份证号",
        "legal_representative" => "法定代表人",
        "phone" => "电话",
        "account" => "银行账号",
        "email" => "邮箱",
        "address" => "地址",
        "birth_date" => "出生日期",
        "given_name" => "名",
        "surname" => "姓",
        "street_number" => "门牌号",
        "address_1" => "地址一",
        "address_2" => "地址二",
        "suburb" => "城区",
        "postcode" => "邮编",
        "state" => "省份",
        "sex" => "性别",
        "soc_sec_id" => "社保号",
        other => other,
    }
}

/// Explains the score of two records; missing values say nothing and are left out of the words.
pub fn explain(scorer: &Scorer<'_>, model: &Model, a: u32, b: u32) -> Explanation {
    let evidence = scorer.explain(a, b);
    let mut zh = String::new();
    let mut en = String::new();
    let mut reasons = Vec::with_capacity(evidence.len());
    for e in evidence {
        let field = &model.comparisons[e.comparison].output_column_name;
        if e.level != Level::Missing {
            let (in_chinese, in_english) = e.level.words();
            let gap = if zh.is_empty() { ("", "") } else { ("；", "; ") };
            // Writing to a string cannot fail.
            let _ = write!(zh, "{}{}：{in_chinese}（{:+.1}）", gap.0, label(field), e.weight);
            let _ = write!(en, "{}{field}: {in_english} ({:+.1})", gap.1, e.weight);
        }
        reasons.push(Reason {
            field: field.clone(),
            level: e.level,
            weight: e.weight,
        });
    }
    let _ = write!(zh, "；先验（{:+.1}）", scorer.prior());
    let _ = write!(en, "; prior ({:+.1})", scorer.prior());
    Explanation {
        prior: scorer.prior(),
        reasons,
        zh,
        en,
    }
}

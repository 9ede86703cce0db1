//! Legal forms and other ends of names: what an organisation is.

use std::sync::OnceLock;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// What an organisation is in law or by its sign, as the end of its name says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgForm {
    /// The name says nothing: cut off, or a short form.
    #[default]
    Unsaid,
    /// 有限公司, 有限责任公司.
    LimitedCompany,
    /// 股份有限公司.
    JointStockCompany,
    /// 公司 and no more, Corp., Inc.
    Company,
    /// 集团 and no more.
    Group,
    /// 合伙企业 of any kind.
    Partnership,
    /// 个人独资企业, 个体.
    SoleProprietorship,
    Factory,
    Shop,
    TradingHouse,
    /// 经营部, 服务部, 营业部 as a firm of its own.
    SalesDepartment,
    Pharmacy,
    /// 事务所.
    Practice,
    Hospital,
    Clinic,
    Institute,
    School,
    Association,
    Cooperative,
    Bank,
    Centre,
    /// 委员会, 局, 办公室: a public body.
    Authority,
    Studio,
}

impl OrgForm {
    /// The form's words in a loose key.
    pub fn zh(self) -> &'static str {
        match self {
            Self::Unsaid => "",
            Self::LimitedCompany => "有限公司",
            Self::JointStockCompany => "股份有限公司",
            Self::Company => "公司",
            Self::Group => "集团",
            Self::Partnership => "合伙企业",
            Self::SoleProprietorship => "个人独资企业",
            Self::Factory => "厂",
            Self::Shop => "店",
            Self::TradingHouse => "商行",
            Self::SalesDepartment => "经营部",
            Self::Pharmacy => "药房",
            Self::Practice => "事务所",
            Self::Hospital => "医院",
            Self::Clinic => "门诊部",
            Self::Institute => "研究院",
            Self::School => "学校",
            Self::Association => "协会",
            Self::Cooperative => "合作社",
            Self::Bank => "银行",
            Self::Centre => "中心",
            Self::Authority => "机关",
            Self::Studio => "工作室",
        }
    }

    /// Whether it is a company under the Company Law.
    pub fn is_company(self) -> bool {
        matches!(
            self,
            Self::LimitedCompany | Self::JointStockCompany | Self::Company | Self::Group
        )
    }
}

/// (end of a name, form); the longest that fits wins.
const FORMS: &[(&str, OrgForm)] = &[
    ("股份有限责任公司", OrgForm::JointStockCompany),
    ("股份有限公司", OrgForm::JointStockCompany),
    ("股份公司", OrgForm::JointStockCompany),
    ("有限责任公司", OrgForm::LimitedCompany),
    ("有限公司", OrgForm::LimitedCompany),
    ("有限责任", OrgForm::Unsaid),
    ("股份有限公", OrgForm::Unsaid),
    ("有限公", OrgForm::Unsaid),
    ("股份有限", OrgForm::Unsaid),
    ("有限", OrgForm::Unsaid),
    ("股份", OrgForm::Unsaid),
    ("总公司", OrgForm::Company),
    ("公司", OrgForm::Company),
    ("集团", OrgForm::Group),
    ("合伙企业(有限合伙)", OrgForm::Partnership),
    ("合伙企业(普通合伙)", OrgForm::Partnership),
    ("合伙企业(特殊普通合伙)", OrgForm::Partnership),
    ("(有限合伙)", OrgForm::Partnership),
    ("(普通合伙)", OrgForm::Partnership),
    ("合伙企业", OrgForm::Partnership),
    ("(特殊普通合伙)", OrgForm::Partnership),
    ("(个人独资)", OrgForm::SoleProprietorship),
    ("个人独资企业", OrgForm::SoleProprietorship),
    ("(个体工商户)", OrgForm::SoleProprietorship),
    ("事务所(特殊普通合伙)", OrgForm::Practice),
    ("事务所(普通合伙)", OrgForm::Practice),
    ("事务所", OrgForm::Practice),
    ("总厂", OrgForm::Factory),
    ("工厂", OrgForm::Factory),
    ("厂", OrgForm::Factory),
    ("商店", OrgForm::Shop),
    ("门店", OrgForm::Shop),
    ("超市", OrgForm::Shop),
    ("商场", OrgForm::Shop),
    ("店", OrgForm::Shop),
    ("贸易商行", OrgForm::TradingHouse),
    ("商行", OrgForm::TradingHouse),
    ("贸易行", OrgForm::TradingHouse),
    ("经营部", OrgForm::SalesDepartment),
    ("服务部", OrgForm::SalesDepartment),
    ("营业部", OrgForm::SalesDepartment),
    ("销售部", OrgForm::SalesDepartment),
    ("门市部", OrgForm::SalesDepartment),
    ("批发部", OrgForm::SalesDepartment),
    ("大药房", OrgForm::Pharmacy),
    ("药房", OrgForm::Pharmacy),
    ("药店", OrgForm::Pharmacy),
    ("总医院", OrgForm::Hospital),
    ("医院", OrgForm::Hospital),
    ("保健院", OrgForm::Hospital),
    ("卫生院", OrgForm::Hospital),
    ("疗养院", OrgForm::Hospital),
    ("社区卫生服务中心", OrgForm::Clinic),
    ("卫生服务站", OrgForm::Clinic),
    ("卫生室", OrgForm::Clinic),
    ("门诊部", OrgForm::Clinic),
    ("诊所", OrgForm::Clinic),
    ("研究总院", OrgForm::Institute),
    ("研究院", OrgForm::Institute),
    ("研究所", OrgForm::Institute),
    ("设计院", OrgForm::Institute),
    ("大学", OrgForm::School),
    ("学院", OrgForm::School),
    ("学校", OrgForm::School),
    ("基金会", OrgForm::Association),
    ("协会", OrgForm::Association),
    ("学会", OrgForm::Association),
    ("商会", OrgForm::Association),
    ("专业合作社", OrgForm::Cooperative),
    ("合作社", OrgForm::Cooperative),
    ("银行", OrgForm::Bank),
    ("中心", OrgForm::Centre),
    ("委员会", OrgForm::Authority),
    ("管理局", OrgForm::Authority),
    ("办公室", OrgForm::Authority),
    ("工作室", OrgForm::Studio),
];

/// [`FORMS`] by their last character, the longest first.
fn forms() -> &'static HashMap<char, Vec<(&'static str, OrgForm)>> {
    static FORMS_BY_END: OnceLock<HashMap<char, Vec<(&str, OrgForm)>>> = OnceLock::new();
    FORMS_BY_END.get_or_init(|| {
        let mut map: HashMap<char, Vec<(&str, OrgForm)>> = HashMap::new();
        for (end, form) in FORMS {
            if let Some(last) = end.chars().next_back() {
                map.entry(last).or_default().push((end, *form));
            }
        }
        for forms in map.values_mut() {
            forms.sort_by_key(|(end, _)| std::cmp::Reverse(end.len()));
        }
        map
    })
}

/// The form at the end of a text, and the bytes before it. Forms must leave something to name.
pub(super) fn form_at_end(text: &str) -> (OrgForm, usize) {
    let last = text.chars().next_back();
    last.and_then(|last| forms().get(&last))
        .and_then(|forms| {
            forms
                .iter()
                .find(|(end, _)| text.len() > end.len() && text.ends_with(end))
        })
        .map_or((OrgForm::Unsaid, text.len()), |(end, form)| {
            (*form, text.len() - end.len())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_form_wins() {
        assert_eq!(form_at_end("康瑞股份有限公司").0, OrgForm::JointStockCompany);
        assert_eq!(form_at_end("康瑞有限责任公司").0, OrgForm::LimitedCompany);
        assert_eq!(form_at_end("康瑞(有限合伙)").0, OrgForm::Partnership);
        assert_eq!(form_at_end("有限公司"), (OrgForm::Company, "有限".len()));
        assert_eq!(form_at_end("康瑞"), (OrgForm::Unsaid, "康瑞".len()));
    }
}

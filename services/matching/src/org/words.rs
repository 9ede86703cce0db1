//! The dictionaries of company names: what a firm trades in, and what it is in law.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, MatchKind};
use serde::{Deserialize, Serialize};

/// What an organisation is in law or by its sign, as the end of its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrgForm {
    /// The name says nothing: cut off, or a short form.
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
    ("制药厂", OrgForm::Factory),
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
    ("中心医院", OrgForm::Hospital),
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

/// The form at the end of a text, and the bytes before it. Forms must leave something to name.
pub(super) fn form_at_end(text: &str) -> (OrgForm, usize) {
    FORMS
        .iter()
        .filter(|(end, _)| text.len() > end.len() && text.ends_with(end))
        .max_by_key(|(end, _)| end.len())
        .map_or((OrgForm::Unsaid, text.len()), |(end, form)| {
            (*form, text.len() - end.len())
        })
}

/// Trades as a set, one bit a class; synonyms share a class (医药, 药业 and 制药 are one).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Trades(u128);

impl Trades {
    pub(super) const GROUP: Trades = Trades(1);

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether every trade of `self` is one of `other`.
    pub fn is_within(self, other: Trades) -> bool {
        self.0 & !other.0 == 0
    }

    pub fn meets(self, other: Trades) -> bool {
        self.0 & other.0 != 0
    }

    pub(super) fn with(self, other: Trades) -> Trades {
        Trades(self.0 | other.0)
    }

    pub(super) fn bits(self) -> u128 {
        self.0
    }

    /// The first word of each class, in the order of the dictionary.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        (0..TRADES.len())
            .filter(move |at| self.0 >> at & 1 == 1)
            .map(|at| TRADES[at].0.split(' ').next().unwrap_or_default())
    }
}

/// (Chinese words, English words) a class; at most 128 classes, 集团 first.
const TRADES: &[(&str, &str)] = &[
    ("集团", "GROUP GRP"),
    (
        "医药 药业 制药 药品 医药品 药物",
        "PHARMACEUTICAL PHARMACEUTICALS PHARMA PHARM PHARMACY MEDICINE DRUG",
    ),
    ("医疗", "MEDICAL MED MEDITECH HEALTHCARE"),
    (
        "器械",
        "INSTRUMENT INSTRUMENTS DEVICE DEVICES APPLIANCE APPLIANCES",
    ),
    (
        "生物",
        "BIO BIOLOGICAL BIOLOGICALS BIOTECH BIOTECHNOLOGY BIOSCIENCE BIOMEDICAL BIOPHARMACEUTICAL",
    ),
    ("科技 技术 高科 科学技术", "TECHNOLOGY TECHNOLOGIES TECH"),
    ("商贸 贸易 经贸 工贸 商业", "TRADING TRADE COMMERCE COMMERCIAL"),
    ("电子", "ELECTRONIC ELECTRONICS"),
    ("设备 装备", "EQUIPMENT"),
    ("仪器 仪表", "ANALYZER"),
    ("耗材 材料", "MATERIAL MATERIALS"),
    ("用品 制品", "SUPPLIES PRODUCTS"),
    ("卫生", "SANITARY"),
    ("健康 大健康 康养", "HEALTH"),
    ("康复", "REHABILITATION"),
    ("诊断", "DIAGNOSTIC DIAGNOSTICS"),
    ("检验 医学检验 检测", "TESTING LABORATORY LABORATORIES LAB"),
    ("试剂", "REAGENT REAGENTS"),
    ("影像", "IMAGING"),
    ("医学", ""),
    ("软件", "SOFTWARE"),
    ("信息", "INFORMATION INFO"),
    ("网络 互联网", "NETWORK INTERNET"),
    ("智能 人工智能", "INTELLIGENT SMART"),
    ("系统", "SYSTEM SYSTEMS"),
    ("数据 大数据", "DATA"),
    ("工程", "ENGINEERING"),
    ("建设 建筑 建工 建安 营造", "CONSTRUCTION BUILDING"),
    ("装饰 装潢 装修", "DECORATION"),
    ("物业", "PROPERTY"),
    ("物流 配送 运输 冷链 仓储", "LOGISTICS TRANSPORT TRANSPORTATION"),
    ("供应链", "SUPPLYCHAIN"),
    ("服务", "SERVICE SERVICES"),
    ("管理", "MANAGEMENT"),
    ("咨询 顾问", "CONSULTING CONSULTANCY"),
    ("投资", "INVESTMENT INVESTMENTS"),
    ("实业", "INDUSTRY INDUSTRIES INDUSTRIAL ENTERPRISE ENTERPRISES"),
    ("发展", "DEVELOPMENT"),
    ("控股", "HOLDING HOLDINGS HLDG HLDGS"),
    ("连锁", "CHAIN"),
    ("销售 营销 经销", "SALES MARKETING"),
    ("进出口", "IMPORT EXPORT"),
    ("国际", "INTERNATIONAL INTL"),
    ("化工 化学", "CHEMICAL CHEMICALS CHEMISTRY"),
    ("食品", "FOOD FOODS"),
    ("农业 农产品 农牧", "AGRICULTURE AGRICULTURAL"),
    ("环保 环境 环境保护", "ENVIRONMENT ENVIRONMENTAL"),
    ("能源", "ENERGY"),
    ("电力", "POWER"),
    ("电器", ""),
    ("电气", "ELECTRIC ELECTRICAL"),
    ("机械", "MACHINERY"),
    ("机电", "ELECTROMECHANICAL"),
    ("光学", "OPTICAL OPTICS"),
    ("光电", "OPTOELECTRONICS PHOTOELECTRIC"),
    ("激光", "LASER"),
    ("通信 通讯", "COMMUNICATION COMMUNICATIONS COMM TELECOM"),
    ("自动化", "AUTOMATION"),
    ("净化", "PURIFICATION"),
    ("消防", "FIRE"),
    ("安防 保安", "SECURITY"),
    ("保洁 清洁", "CLEANING"),
    ("餐饮", "CATERING"),
    ("酒店 宾馆", "HOTEL"),
    ("广告", "ADVERTISING"),
    ("文化 传媒", "CULTURE MEDIA"),
    ("印刷 印务", "PRINTING"),
    ("包装", "PACKAGING"),
    ("办公", "OFFICE"),
    ("家具", "FURNITURE"),
    ("纺织 服装 服饰 被服", "TEXTILE TEXTILES GARMENT APPAREL"),
    ("洗涤", "LAUNDRY"),
    ("招标 采购 招投标", "TENDERING BIDDING"),
    ("代理", "AGENCY"),
    ("造价", "COST"),
    ("监理", "SUPERVISION"),
    ("设计 勘察", "DESIGN"),
    ("认证", "CERTIFICATION"),
    ("评估", "APPRAISAL"),
    ("会计师 会计", "ACCOUNTANTS ACCOUNTING"),
    ("律师", "LAW"),
    ("税务师 税务", "TAX"),
    ("审计", "AUDIT"),
    ("融资租赁 租赁", "LEASING"),
    ("保险", "INSURANCE"),
    ("证券", "SECURITIES"),
    ("基金 资本 资产", "FUND CAPITAL ASSET"),
    ("教育 培训", "EDUCATION TRAINING"),
    ("研究 研发 科研", "RESEARCH"),
    ("人力资源 劳务", "HR LABOR"),
    ("旅游 旅行社", "TRAVEL TOURISM"),
    ("汽车 汽配", "AUTO AUTOMOBILE AUTOMOTIVE"),
    ("石油 石化", "PETROLEUM PETROCHEMICAL"),
    ("燃气 气体", "GAS"),
    ("水务 供水", "WATER"),
    ("地产 房地产 置业", "REALESTATE"),
    ("园林 绿化", "LANDSCAPE"),
    ("口腔 齿科 牙科", "DENTAL STOMATOLOGY STOMATOLOGICAL"),
    ("眼科", "EYE OPHTHALMIC OPHTHALMOLOGY"),
    ("中药 饮片 中药饮片", "HERBAL"),
    ("中医 中医药", "TCM"),
    ("妇幼 妇产", "MATERNITY MATERNAL"),
    ("骨科", "ORTHOPEDIC ORTHOPAEDIC ORTHOPEDICS"),
    ("肿瘤", "CANCER ONCOLOGY TUMOR"),
    ("儿童", "CHILDREN CHILDRENS"),
    ("疫苗", "VACCINE VACCINES"),
    ("基因 细胞", "GENE GENOMICS GENETICS CELL"),
    ("人民", "PEOPLE PEOPLES"),
    ("中西医结合", "INTEGRATED"),
    ("附属", "AFFILIATED"),
    ("大学", "UNIVERSITY"),
    ("医学院 学院", "COLLEGE SCHOOL"),
    ("电商 电子商务", "ECOMMERCE"),
    ("纸业", "PAPER"),
    ("塑料 塑胶", "PLASTIC PLASTICS"),
    ("橡胶", "RUBBER"),
    ("玻璃", "GLASS"),
    ("五金", "HARDWARE"),
    ("建材", ""),
    ("精神卫生 精神病", "PSYCHIATRIC MENTAL"),
    ("胸科", "CHEST"),
    ("传染病", "INFECTIOUS"),
    ("兽药 动物保健", "VETERINARY"),
    ("美容 整形", "COSMETIC"),
];

struct Dictionary {
    words: Vec<(&'static str, u8)>,
    automaton: Option<AhoCorasick>,
    latin: hashbrown::HashMap<&'static str, u8>,
}

fn dictionary() -> &'static Dictionary {
    static DICTIONARY: OnceLock<Dictionary> = OnceLock::new();
    DICTIONARY.get_or_init(|| {
        let mut words = Vec::new();
        let mut latin = hashbrown::HashMap::new();
        for (class, (chinese, english)) in TRADES.iter().enumerate() {
            words.extend(chinese.split(' ').map(|word| (word, class as u8)));
            latin.extend(
                english
                    .split(' ')
                    .filter(|w| !w.is_empty())
                    .map(|word| (word, class as u8)),
            );
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(words.iter().map(|(word, _)| word))
            .ok();
        Dictionary {
            words,
            automaton,
            latin,
        }
    })
}

/// Trade words in a text from left to right, the longest at each place: (start, end, class set) in bytes.
pub(super) fn trades_in(text: &str) -> impl Iterator<Item = (usize, usize, Trades)> {
    let dictionary = dictionary();
    dictionary
        .automaton
        .iter()
        .flat_map(move |automaton| automaton.find_iter(text))
        .map(|m| {
            (
                m.start(),
                m.end(),
                Trades(1 << dictionary.words[m.pattern().as_usize()].1),
            )
        })
}

/// The trade an English word (upper case) says.
pub(super) fn trade_in_english(word: &str) -> Option<Trades> {
    dictionary().latin.get(word).map(|class| Trades(1 << class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_fits_its_set_and_says_each_word_once() {
        assert!(TRADES.len() <= 128, "{}", TRADES.len());
        let mut words: Vec<&str> = dictionary().words.iter().map(|(word, _)| *word).collect();
        let all = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), all, "a trade word is in two classes");
        assert!(dictionary().automaton.is_some());
    }

    #[test]
    fn synonyms_share_a_class() {
        let of = |text: &str| trades_in(text).fold(Trades::default(), |all, (.., t)| all.with(t));
        assert_eq!(of("康瑞药业"), of("康瑞医药"));
        assert_eq!(of("康瑞生物技术"), of("康瑞生物科技"));
        assert_ne!(of("康瑞医疗"), of("康瑞医药"));
        assert_eq!(of("医疗器械").words().collect::<Vec<_>>(), ["医疗", "器械"]);
    }

    #[test]
    fn the_longest_form_wins() {
        assert_eq!(form_at_end("康瑞股份有限公司").0, OrgForm::JointStockCompany);
        assert_eq!(form_at_end("康瑞有限责任公司").0, OrgForm::LimitedCompany);
        assert_eq!(form_at_end("康瑞(有限合伙)").0, OrgForm::Partnership);
        assert_eq!(form_at_end("有限公司"), (OrgForm::Company, "有限".len()));
        assert_eq!(form_at_end("康瑞"), (OrgForm::Unsaid, "康瑞".len()));
    }
}

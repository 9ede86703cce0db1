//! The dictionary of trades: what a firm's name says that it deals in.

use std::sync::OnceLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use serde::{Deserialize, Serialize};

use crate::hash;

/// Trades as a set, one bit a class; synonyms share a class (医药, 药业 and 制药 are one).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Trades(u128, u128);

impl Trades {
    pub(super) const GROUP: Trades = Trades(1, 0);

    fn class(at: u8) -> Trades {
        if at < 128 {
            Trades(1 << at, 0)
        } else {
            Trades(0, 1 << (at - 128))
        }
    }

    pub fn is_empty(self) -> bool {
        self.0 | self.1 == 0
    }

    pub fn len(self) -> u32 {
        self.0.count_ones() + self.1.count_ones()
    }

    /// Whether every trade of `self` is one of `other`.
    pub fn is_within(self, other: Trades) -> bool {
        (self.0 & !other.0) | (self.1 & !other.1) == 0
    }

    pub fn meets(self, other: Trades) -> bool {
        (self.0 & other.0) | (self.1 & other.1) != 0
    }

    pub(super) fn with(self, other: Trades) -> Trades {
        Trades(self.0 | other.0, self.1 | other.1)
    }

    /// Stable 64-bit key of the set.
    pub(super) fn key(self) -> u64 {
        hash::join(&[
            self.0 as u64,
            (self.0 >> 64) as u64,
            self.1 as u64,
            (self.1 >> 64) as u64,
        ])
    }

    /// The first word of each class, in the order of the dictionary.
    pub fn words(self) -> impl Iterator<Item = &'static str> {
        let classes = |mut bits: u128, from: usize| {
            std::iter::from_fn(move || {
                let at = (bits != 0).then(|| bits.trailing_zeros() as usize)?;
                bits &= bits - 1;
                Some(from + at)
            })
        };
        classes(self.0, 0)
            .chain(classes(self.1, 128))
            .filter_map(|class| TRADES.get(class)?.0.split(' ').next())
    }
}

/// (Chinese words, English words) a class; at most 255 classes, 集团 first.
const TRADES: &[(&str, &str)] = &[
    ("集团", "GROUP GRP"),
    (
        "医药 药业 制药 药品 医药品 药物",
        "PHARMACEUTICAL PHARMACEUTICALS PHARMA PHARM PHARMACY MEDICINE DRUG",
    ),
    ("医疗 医用", "MEDICAL MED MEDITECH HEALTHCARE"),
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
    ("检验 检测", "TESTING LABORATORY LABORATORIES LAB"),
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
    ("研究 研发 科研 科学院 医学科学院", "RESEARCH"),
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
    ("消毒 灭菌", "DISINFECTION STERILIZATION"),
    ("后勤", ""),
    ("日用品 日用 百货 日化", ""),
    ("保健 保健品 养生", ""),
    ("养老 护理", "NURSING"),
    ("体检", ""),
    ("透析", "DIALYSIS"),
    ("病理", "PATHOLOGY"),
    ("听力 助听器", "HEARING"),
    ("眼镜 光学眼镜", "OPTICIANS"),
    ("化妆品 护肤品", "COSMETICS"),
    ("电梯", "ELEVATOR"),
    ("空调 暖通 制冷", "HVAC REFRIGERATION"),
    ("电缆 线缆", "CABLE"),
    ("照明 灯具", "LIGHTING"),
    ("泵业 阀门", "VALVE PUMP"),
    ("精密", "PRECISION"),
    ("模具", "MOULD"),
    ("机器人", "ROBOT ROBOTICS"),
    ("半导体 芯片 微电子", "SEMICONDUCTOR MICROELECTRONICS"),
    ("新能源", ""),
    ("光伏 太阳能", "SOLAR"),
    ("电池", "BATTERY"),
    ("新材料", ""),
    ("陶瓷", "CERAMICS"),
    ("石材 水泥 混凝土", "CEMENT CONCRETE"),
    ("木业", "WOOD"),
    ("家居", "HOME"),
    ("家电", ""),
    ("珠宝", "JEWELRY"),
    ("茶业 茶叶", "TEA"),
    ("酒业", ""),
    ("粮油", "GRAIN"),
    ("水产 渔业", "FISHERY"),
    ("畜牧 养殖", "LIVESTOCK"),
    ("种业 种子", "SEED"),
    ("饲料", "FEED"),
    ("图书 书店 出版", "BOOK BOOKS PUBLISHING"),
    ("体育", "SPORTS"),
    ("影视 影业", "FILM"),
    ("游戏 动漫", "GAME GAMES"),
    ("航空 航天", "AVIATION AEROSPACE"),
    ("船舶 造船", "SHIPBUILDING MARINE"),
    ("铁路 轨道交通", "RAIL RAILWAY"),
    ("交通", "TRAFFIC"),
    ("矿业", "MINING"),
    ("钢铁 钢材", "STEEL"),
    ("金属 有色金属", "METAL METALS"),
    ("钢结构 幕墙 门窗", ""),
    ("防水 保温", ""),
    ("测绘 地理信息", "SURVEYING"),
    ("知识产权 专利", "PATENT"),
    ("担保 小额贷款", "GUARANTEE"),
    ("拍卖", "AUCTION"),
    ("会展 展览", "EXHIBITION"),
    ("翻译", "TRANSLATION"),
    ("家政", ""),
    ("停车", "PARKING"),
    ("快递 速递", "EXPRESS"),
    ("港口 码头", "PORT"),
    ("仓库", "WAREHOUSE"),
    ("设备维修 维修", "REPAIR"),
    ("高分子", "POLYMER"),
    ("生化", "BIOCHEMICAL"),
    ("免疫", "IMMUNE IMMUNOLOGY"),
    ("分子", "MOLECULAR"),
    ("血液 血制品", "BLOOD"),
    ("麻醉", "ANESTHESIA"),
    ("内镜 内窥镜", "ENDOSCOPY ENDOSCOPE"),
    ("超声", "ULTRASOUND"),
    ("微创", "MINIMALLY"),
    ("介入", "INTERVENTIONAL"),
    ("心血管", "CARDIOVASCULAR"),
    ("糖尿病", "DIABETES"),
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
            // Names are short and many: a table of transitions is worth its memory.
            .kind(Some(AhoCorasickKind::DFA))
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
                Trades::class(dictionary.words[m.pattern().as_usize()].1),
            )
        })
}

/// The trade an English word (upper case) says.
pub(super) fn trade_in_english(word: &str) -> Option<Trades> {
    dictionary().latin.get(word).map(|class| Trades::class(*class))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dictionary_fits_its_set_and_says_each_word_once() {
        assert!(TRADES.len() <= 255, "{}", TRADES.len());
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
}

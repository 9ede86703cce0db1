//! Invented names of companies, persons, products and departments. No two companies share city and trade
//! name, so that a strict comparison of names never takes one for another by chance.

use rand::Rng;

const CITIES: [&str; 10] = [
    "杭州", "宁波", "温州", "嘉兴", "湖州", "绍兴", "金华", "衢州", "台州", "丽水",
];
const FIRST: [&str; 40] = [
    "康", "瑞", "恒", "泰", "仁", "和", "信", "安", "鼎", "新", "同", "德", "华", "宏", "盛", "达", "博",
    "济", "普", "惠", "众", "诚", "嘉", "禾", "百", "川", "天", "成", "立", "方", "明", "远", "正", "元",
    "益", "民", "凯", "越", "润", "科",
];
const SECOND: [&str; 40] = [
    "源", "林", "丰", "隆", "兴", "茂", "宁", "祥", "通", "利", "晟", "铭", "尔", "佳", "美", "城", "辰",
    "航", "宇", "森", "海", "山", "河", "江", "岳", "松", "柏", "竹", "兰", "菊", "梅", "桂", "枫", "桐",
    "榕", "杉", "青", "蓝", "紫", "白",
];
const TRADES: [&str; 8] = [
    "医药",
    "医疗器械",
    "医疗设备",
    "生物科技",
    "医用材料",
    "药业",
    "医疗科技",
    "医药供应链",
];
const SURNAMES: [&str; 40] = [
    "王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙", "马", "朱", "胡", "郭", "何",
    "林", "高", "罗", "郑", "梁", "谢", "宋", "唐", "许", "邓", "冯", "韩", "曹", "曾", "彭", "萧", "蔡",
    "潘", "田", "董", "袁", "于", "余",
];
const GIVEN: [&str; 40] = [
    "伟", "芳", "娜", "敏", "静", "丽", "强", "磊", "军", "洋", "勇", "艳", "杰", "娟", "涛", "明", "超",
    "秀英", "霞", "平", "刚", "桂英", "建国", "建华", "志强", "文博", "子轩", "雨桐", "浩然", "欣怡", "国庆",
    "春梅", "海燕", "晓东", "晓红", "立新", "玉兰", "永强", "佳琪", "思远",
];
/// Number of different company stems.
const STEMS: u64 = 16_000;

pub(crate) const DEPARTMENTS: [&str; 14] = [
    "药学部",
    "检验科",
    "心内科",
    "骨科",
    "设备科",
    "物流中心",
    "手术室",
    "急诊科",
    "放射科",
    "消化内科",
    "神经外科",
    "肾内科",
    "眼科",
    "总务处",
];
const DRUGS: [&str; 24] = [
    "头孢曲松钠",
    "阿莫西林",
    "二甲双胍",
    "氨氯地平",
    "阿托伐他汀钙",
    "奥美拉唑",
    "左氧氟沙星",
    "氯吡格雷",
    "缬沙坦",
    "美托洛尔",
    "甘精胰岛素",
    "地塞米松",
    "布洛芬",
    "利伐沙班",
    "恩替卡韦",
    "孟鲁司特钠",
    "替米沙坦",
    "硝苯地平",
    "泮托拉唑",
    "丙泊酚",
    "罗库溴铵",
    "多西他赛",
    "紫杉醇",
    "人血白蛋白",
];
const FORMS: [&str; 6] = ["注射用", "片", "胶囊", "注射液", "缓释片", "颗粒"];
const CONSUMABLES: [&str; 16] = [
    "冠状动脉支架",
    "一次性使用输液器",
    "留置针",
    "人工髋关节",
    "吻合器",
    "医用外科口罩",
    "导尿包",
    "球囊扩张导管",
    "心脏起搏器",
    "缝合线",
    "血液透析器",
    "中心静脉导管",
    "人工晶体",
    "骨科接骨板",
    "止血海绵",
    "一次性注射器",
];
const REAGENTS: [&str; 8] = [
    "肌钙蛋白检测试剂盒",
    "血糖试纸",
    "甲胎蛋白测定试剂",
    "凝血酶原时间试剂",
    "乙肝表面抗原检测试剂",
    "降钙素原检测试剂",
    "尿液分析试纸",
    "糖化血红蛋白试剂",
];

/// How a company's name ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Limited,
    LimitedLiability,
    JointStock,
}

impl Form {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Limited => "有限公司",
            Self::LimitedLiability => "有限责任公司",
            Self::JointStock => "股份有限公司",
        }
    }
}

/// The name of the `index`-th company, different for every index below 16,000.
pub(crate) fn company(index: u64, seed: u64) -> String {
    let n = (index * 7919 + seed % STEMS) % STEMS;
    let city = CITIES[(n % 10) as usize];
    let mark = format!(
        "{}{}",
        FIRST[((n / 10) % 40) as usize],
        SECOND[((n / 400) % 40) as usize]
    );
    let trade = TRADES[((n / 7 + n) % 8) as usize];
    let form = match n % 11 {
        0..=5 => Form::Limited,
        6..=8 => Form::LimitedLiability,
        _ => Form::JointStock,
    };
    if n % 9 == 4 {
        format!("{mark}（{city}）{trade}{}", form.text())
    } else {
        format!("{city}{mark}{trade}{}", form.text())
    }
}

/// A person's name; many people share one.
pub(crate) fn person(rng: &mut impl Rng) -> String {
    format!(
        "{}{}",
        SURNAMES[rng.random_range(0..SURNAMES.len())],
        GIVEN[rng.random_range(0..GIVEN.len())]
    )
}

/// What kind of goods a product is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Drug,
    Consumable,
    Reagent,
    Goods,
    /// 中药饮片: a drug outside the platform, without a national code.
    Herbal,
}

impl Class {
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Drug | Self::Herbal => "药品",
            Self::Consumable => "耗材",
            Self::Reagent => "试剂",
            Self::Goods => "货物",
        }
    }
}

/// Name, generic name, specification and unit of the `n`-th product of a class.
pub(crate) fn product(class: Class, n: u64) -> (String, String, String, &'static str) {
    let i = n as usize;
    match class {
        Class::Drug => {
            let generic = DRUGS[i % DRUGS.len()];
            let form = FORMS[(i / DRUGS.len()) % FORMS.len()];
            let name = if form == "注射用" {
                format!("{form}{generic}")
            } else {
                format!("{generic}{form}")
            };
            (
                name,
                generic.to_owned(),
                format!("{}mg*{}", 5 * (1 + n % 40), 6 + n % 30),
                "盒",
            )
        }
        Class::Herbal => (
            "中药饮片（黄芪）".to_owned(),
            "黄芪".to_owned(),
            "统货".to_owned(),
            "kg",
        ),
        Class::Consumable => {
            let generic = CONSUMABLES[i % CONSUMABLES.len()];
            (
                generic.to_owned(),
                generic.to_owned(),
                format!("型号{}", n / 16 + 1),
                "套",
            )
        }
        Class::Reagent => {
            let generic = REAGENTS[i % REAGENTS.len()];
            (
                generic.to_owned(),
                generic.to_owned(),
                format!("{}人份/盒", 20 + n % 80),
                "盒",
            )
        }
        Class::Goods => (
            format!("办公用品第{}号", n + 1),
            "办公用品".to_owned(),
            "常规".to_owned(),
            "件",
        ),
    }
}

/// A national medical-insurance code of the right length for the `n`-th product; every `n` has its own.
pub(crate) fn national_code(class: Class, n: u64) -> Option<String> {
    match class {
        Class::Drug => Some(format!("XJ01DD{:04}B001010{:06}", n % 10_000, n)),
        Class::Consumable => Some(format!("C02{:04}01001{:08}", n % 10_000, n)),
        Class::Reagent => Some(format!("C09{:04}03010{:08}", n % 10_000, n)),
        Class::Goods | Class::Herbal => None,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn company_names_differ_even_without_their_form() {
        let mut seen = HashSet::new();
        for index in 0..STEMS {
            let name = company(index, 42).replace("有限责任公司", "有限公司");
            assert!(seen.insert(name.clone()), "{name} twice");
        }
    }

    #[test]
    fn national_codes_have_the_official_lengths() {
        assert_eq!(national_code(Class::Drug, 123).map(|c| c.len()), Some(23));
        assert_eq!(national_code(Class::Consumable, 7).map(|c| c.len()), Some(20));
        assert_eq!(national_code(Class::Reagent, 12_345).map(|c| c.len()), Some(20));
    }
}

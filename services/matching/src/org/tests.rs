//! Verdicts on pairs of names: the probes of the survey of open matchers, and what each level means.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(a: &str, b: &str, want: OrgLevel) {
    let (x, y) = (OrgName::parse(a), OrgName::parse(b));
    let there = compare_orgs(&x, &y);
    assert_eq!(there.level, want, "{a} | {b}\n{}\n{}", x.key_loose, y.key_loose);
    assert_eq!(there, compare_orgs(&y, &x), "{a} | {b} is not symmetric");
}

/// Organisation probes of the survey of open matchers, where the best of them was wrong on two in three.
#[test]
fn probes() {
    use OrgLevel::*;
    for (a, b, want) in [
        ("北京协和医疗器械有限公司", "北京協和醫療器械有限公司", LooseKey),
        (
            "北京协和医疗器械有限公司",
            "北京协和医疗器械有限责任公司",
            StrictKey,
        ),
        ("协和医疗器械(北京)有限公司", "北京协和医疗器械有限公司", LooseKey),
        (
            "上海协和医疗器械有限公司",
            "北京协和医疗器械有限公司",
            SameCoreOtherRegion,
        ),
        ("国药控股股份有限公司", "国药控股", MissingSuffix),
        ("国药控股北京有限公司", "国药控股", SameCoreOtherRegion),
        (
            "国药控股北京有限公司",
            "国药控股股份有限公司",
            SameCoreOtherRegion,
        ),
        ("深圳迈瑞生物医疗电子股份有限公司", "迈瑞医疗", Abbreviation),
        (
            "深圳迈瑞生物医疗电子股份有限公司",
            "Shenzhen Mindray Bio-Medical Electronics Co., Ltd.",
            PinyinEqual,
        ),
        ("北京第一医药有限公司", "北京第二医药有限公司", OrdinalConflict),
    ] {
        check(a, b, want);
    }
}

#[track_caller]
fn parts(text: &str, region: &str, core: &str, trades: &str, form: OrgForm) {
    let name = OrgName::parse(text);
    let place = name.region.map_or("", |place| place.name());
    let words: Vec<&str> = name.trades.words().collect();
    let got = (place, &*name.core, words.join(" "), name.form);
    assert_eq!(got, (region, core, trades.to_owned(), form), "{text}");
}

#[test]
fn names_come_apart() {
    use OrgForm::*;
    parts(
        "深圳迈瑞生物医疗电子股份有限公司",
        "深圳市",
        "迈瑞",
        "医疗 生物 电子",
        JointStockCompany,
    );
    parts("美澳药业(淮安)有限公司", "淮安市", "美澳", "医药", LimitedCompany);
    parts(
        "陆地港（福建）融资租赁有限公司",
        "福建省",
        "陆地港",
        "融资租赁",
        LimitedCompany,
    );
    parts(
        "浙江省杭州市康瑞医药有限责任公司",
        "杭州市",
        "康瑞",
        "医药",
        LimitedCompany,
    );
    parts("国药控股北京有限公司", "北京市", "国药", "控股", LimitedCompany);
    parts(
        "九州通医药集团股份有限公司",
        "",
        "九州通",
        "集团 医药",
        JointStockCompany,
    );
    parts("杭州市第一人民医院", "杭州市", "人民第1", "", Hospital);
    parts(
        "上海医药集团股份有限公司",
        "上海市",
        "医药",
        "集团",
        JointStockCompany,
    );
    parts(
        "康瑞投资管理合伙企业（有限合伙）",
        "",
        "康瑞",
        "管理 投资",
        Partnership,
    );
    parts("西湖区康瑞大药房", "", "西湖区康瑞", "", Pharmacy);
    parts("杭州康瑞大药房", "杭州市", "康瑞", "", Pharmacy);
    parts("安康瑞医药有限公司", "", "安康瑞", "医药", LimitedCompany);
    parts("天津会计师事务所", "天津市", "会计师", "", Practice);
    parts(
        "上海静安医疗器械有限公司",
        "上海市",
        "静安",
        "医疗 器械",
        LimitedCompany,
    );
    parts("杭州西湖大药房", "杭州市", "西湖", "", Pharmacy);
    parts("Guangzhou Haige Comm Grp", "广州市", "HAIGE", "集团 通信", Unsaid);
    parts(
        "Siemens Healthineers (China) Co., Ltd.",
        "中国",
        "SIEMENSHEALTHINEERS",
        "",
        LimitedCompany,
    );
}

#[test]
fn branches_former_names_and_states() {
    let name =
        OrgName::parse("国药控股股份有限公司杭州分公司（曾用名：国药控股股份有限公司浙江分公司）（已注销）");
    let branch = name.branch.as_ref().map(|b| (&*b.tail, &*b.parent.key_strict));
    assert_eq!(branch, Some(("杭州分公司", "国药控股股份有限公司")));
    assert_eq!(name.former.len(), 1);
    assert!(name.deregistered);
    assert_eq!(
        name.parent().map(|p| p.strict_hash()),
        Some(OrgName::parse("国药控股股份有限公司").strict_hash())
    );
}

#[test]
fn each_level() {
    use OrgLevel::*;
    for (a, b, want) in [
        ("杭州康瑞医药有限公司", "杭州康瑞医药有限公司", Identical),
        (
            "杭州康瑞医药（浙江）有限公司",
            "杭州康瑞医药〔浙江〕有限公司",
            Identical,
        ),
        ("杭州康瑞医药有限公司", "杭州市康瑞医药有限公司", LooseKey),
        ("杭州康瑞医药有限公司", "杭州康瑞药业有限公司", LooseKey),
        ("杭州康瑞生物科技有限公司", "杭州康瑞生物技术有限公司", LooseKey),
        (
            "杭州康瑞医药有限公司（曾用名：杭州瑞康商贸有限公司）",
            "杭州瑞康商贸有限公司",
            Former,
        ),
        ("杭州康瑞医药有限公司", "杭州康瑞医药", MissingSuffix),
        ("杭州康瑞医药有限公司", "杭州康瑞医药有限", MissingSuffix),
        ("杭州康瑞医药有限公司", "康瑞医药有限公司", RegionMissing),
        ("杭州康瑞医疗器械有限公司", "康瑞医疗", Abbreviation),
        ("杭州康瑞医疗器械有限公司", "杭州康瑞", CoreOnly),
        ("杭州康瑞医药有限公司", "康瑞", CoreOnly),
        ("杭州康瑞医药有限公司", "杭州康瑞医药股份有限公司", FormChanged),
        ("杭州康瑞医药有限公司", "杭州糠瑞医药有限公司", Confusable),
        ("杭州康瑞医药有限公司", "杭州康锐医药有限公司", Confusable),
        ("杭州康瑞医药有限公司", "杭州康泰医药有限公司", Different),
        ("北京乾元医药有限公司", "北京干元医药有限公司", Confusable),
        ("杭州一心堂医药有限公司", "杭州一心棠医药有限公司", Confusable),
        (
            "杭州康瑞医疗器械有限公司",
            "杭州康瑞医疗器诫有限公司",
            TypoElsewhere,
        ),
        ("浙江康瑞医药有限公司", "杭州康瑞医药有限公司", RegionNested),
        (
            "杭州康瑞医药有限公司",
            "宁波康瑞医药有限公司",
            SameCoreOtherRegion,
        ),
        (
            "山西康瑞医药有限公司",
            "陕西康瑞医药有限公司",
            SameCoreOtherRegion,
        ),
        (
            "杭州康瑞医药有限公司",
            "杭州康瑞医疗科技有限公司",
            SameCoreOtherTrade,
        ),
        (
            "杭州康瑞医药有限公司",
            "杭州康瑞医药集团有限公司",
            SameCoreOtherTrade,
        ),
        ("杭州康瑞医药有限公司", "杭州康瑞医院", SameCoreOtherTrade),
        ("杭州市第一人民医院", "杭州市第二人民医院", OrdinalConflict),
        ("杭州第一制药厂", "杭州制药二厂", OrdinalConflict),
        ("杭州第一制药厂", "杭州制药一厂", LooseKey),
        ("杭州康瑞医药有限公司", "杭州康瑞德医药有限公司", Different),
        ("绍兴市上虞第二人民医院", "上虞区第二人民医院", LooseKey),
        (
            "石药集团欧意药业有限公司",
            "石药集团中诺药业有限公司",
            SameCoreOtherTrade,
        ),
        (
            "国药集团药业股份有限公司",
            "国药集团国瑞药业股份有限公司",
            SameCoreOtherTrade,
        ),
        ("丽水市中心医院", "丽水市人民医院", Different),
        ("上海贝盛生物科技有限公司", "上海贝晟生物", Confusable),
        (
            "康瑞医药有限公司杭州分公司",
            "康瑞医药有限公司（杭州分公司）",
            LooseKey,
        ),
        ("国药控股股份有限公司", "国药控股股份有限公司杭州分公司", BranchOf),
        (
            "国药控股股份有限公司宁波分公司",
            "国药控股股份有限公司杭州分公司",
            SameParentBranches,
        ),
        (
            "國藥控股股份有限公司杭州分公司",
            "国药控股股份有限公司杭州分公司",
            LooseKey,
        ),
        ("浙江大学医学院附属第一医院", "浙大一院", Acronym),
        ("浙江大学医学院附属第一医院", "浙大二院", Different),
        (
            "Siemens Healthineers Co., Ltd.",
            "SIEMENS HEALTHINEERS LTD",
            LooseKey,
        ),
        (
            "GUANGZHOU HAIGE COMM GRP",
            "广州海格通信集团股份有限公司",
            PinyinEqual,
        ),
        (
            "Shenzhen Kangrui Medical Co., Ltd.",
            "深圳康瑞医疗有限公司",
            PinyinEqual,
        ),
        (
            "Beijing Kangrui Medical Co., Ltd.",
            "深圳康瑞医疗有限公司",
            SameCoreOtherRegion,
        ),
        ("无", "杭州康瑞医药有限公司", Missing),
    ] {
        check(a, b, want);
    }
}

#[test]
fn sister_companies_are_read_apart_and_writings_together() {
    let read = |a: &str, b: &str| {
        compare_orgs(&OrgName::parse(a), &OrgName::parse(b))
            .level
            .reading()
    };
    assert_eq!(
        read("上海协和医疗器械有限公司", "北京协和医疗器械有限公司"),
        Reading::Apart
    );
    assert_eq!(
        read("北京第一医药有限公司", "北京第二医药有限公司"),
        Reading::Apart
    );
    assert_eq!(
        read("北京协和医疗器械有限公司", "北京協和醫療器械有限公司"),
        Reading::Same
    );
    assert_eq!(read("国药控股股份有限公司", "国药控股"), Reading::Same);
}

#[test]
fn explanations_name_the_parts_in_both_languages() {
    let there = compare_orgs(
        &OrgName::parse("上海协和医疗器械有限公司"),
        &OrgName::parse("北京协和医疗器械有限公司"),
    );
    assert_eq!(
        there.explain_zh(),
        "字号相同、地区不同；地区不一致；字号一致；行业一致；组织形式一致"
    );
    assert_eq!(
        there.explain_en(),
        "same trade name, other region; region differs; trade name agrees; trade agrees; legal form agrees"
    );
}

#[test]
fn blocking_brings_together_what_compares_well() {
    let meet = |a: &str, b: &str| {
        let keys: Vec<_> = OrgName::parse(a).blocking_keys().collect();
        OrgName::parse(b).blocking_keys().any(|key| keys.contains(&key))
    };
    for (a, b) in [
        ("北京协和医疗器械有限公司", "北京協和醫療器械有限公司"),
        ("协和医疗器械(北京)有限公司", "北京协和医疗器械有限责任公司"),
        ("国药控股股份有限公司", "国药控股"),
        ("深圳迈瑞生物医疗电子股份有限公司", "迈瑞医疗"),
        (
            "深圳迈瑞生物医疗电子股份有限公司",
            "Shenzhen Mindray Bio-Medical Electronics Co., Ltd.",
        ),
        ("深圳康瑞医疗有限公司", "Shenzhen Kangrui Medical Co., Ltd."),
        ("杭州康瑞医药有限公司", "杭州康锐医药有限公司"),
        ("杭州康瑞医药有限公司", "杭州糠瑞医药有限公司"),
        ("杭州一心堂医药有限公司", "杭州一心棠医药有限公司"),
        ("国药控股股份有限公司", "国药控股股份有限公司杭州分公司"),
        ("国药控股股份有限公司宁波分公司", "国药控股股份有限公司杭州分公司"),
        (
            "杭州康瑞医药有限公司（曾用名：杭州瑞康商贸有限公司）",
            "杭州瑞康商贸有限公司",
        ),
        ("浙江大学医学院附属第一医院", "浙大一院"),
    ] {
        assert!(meet(a, b), "{a} {b}");
    }
    assert!(OrgName::parse("无").blocking_keys().next().is_none());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(a in "\\PC{0,40}", b in "\\PC{0,40}") {
        let (a, b) = (OrgName::parse(&a), OrgName::parse(&b));
        prop_assert_eq!(compare_orgs(&a, &b), compare_orgs(&b, &a));
        prop_assert_eq!(a.is_empty(), a.blocking_keys().next().is_none());
    }

    #[test]
    fn likely_texts_compare_symmetrically(
        a in "(北京|上海|浙江省|杭州市|西湖区|中国)?[康瑞第一二協乾]{0,3}(医药|医疗器械|科技|集团){0,2}[(（]?(北京|杭州)?[)）]?(股份|责任)?(有限公司|医院|厂|集团)?(杭州分公司|分店)?",
        b in "(北京|上海|浙江省|杭州市|西湖区|中国)?[康瑞第一二协干]{0,3}(医药|药业|器械|科技|集团){0,2}[(（]?(北京|杭州)?[)）]?(股份|责任)?(有限公司|医院|厂|集团)?(杭州分公司|分店)?",
    ) {
        let (x, y) = (OrgName::parse(&a), OrgName::parse(&b));
        prop_assert_eq!(compare_orgs(&x, &y), compare_orgs(&y, &x));
        let itself = compare_orgs(&x, &OrgName::parse(&a)).level;
        prop_assert_eq!(itself, if x.is_empty() { OrgLevel::Missing } else { OrgLevel::Identical });
        prop_assert_eq!(&OrgName::parse(&x.key_strict).key_loose, &x.key_loose);
    }

    #[test]
    fn width_and_case_change_no_key(text in "[A-Za-z0-9()康瑞医药有限公司]{2,16}") {
        let full: String = text
            .chars()
            .map(|c| if c.is_ascii() { char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c) } else { c })
            .collect();
        let (half, full) = (OrgName::parse(&text), OrgName::parse(&full));
        prop_assert_eq!(&half.key_loose, &full.key_loose);
        let lower = OrgName::parse(&text.to_lowercase());
        prop_assert_eq!(&half.key_loose, &lower.key_loose);
    }
}

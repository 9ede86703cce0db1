//! Verdicts on pairs of names: the probes of the survey of open matchers, and what each level means.

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
        ("北京协和医疗器械有限公司", "北京协和医疗器械有限责任公司", StrictKey),
        ("协和医疗器械(北京)有限公司", "北京协和医疗器械有限公司", LooseKey),
        ("上海协和医疗器械有限公司", "北京协和医疗器械有限公司", SameCoreOtherRegion),
        ("国药控股股份有限公司", "国药控股", MissingSuffix),
        ("国药控股北京有限公司", "国药控股", SameCoreOtherRegion),
        ("国药控股北京有限公司", "国药控股股份有限公司", SameCoreOtherRegion),
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

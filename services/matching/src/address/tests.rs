//! Addresses as hospitals and suppliers write them.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(a: &str, b: &str, want: AddressLevel) {
    let (x, y) = (Address::parse(a), Address::parse(b));
    let there = compare_addresses(&x, &y);
    assert_eq!(there.level, want, "{a} | {b}\n{x:?}\n{y:?}");
    assert_eq!(there, compare_addresses(&y, &x), "{a} | {b} is not symmetric");
}

#[test]
fn levels_of_an_address() {
    let a = Address::parse("浙江省杭州市西湖区翠苑街道文三路４７８号华星时代广场A座十二层1203室");
    assert_eq!(a.place.map(|p| p.code()), Some(330_106));
    let levels = [
        &a.town,
        &a.road,
        &a.number,
        &a.site,
        &a.building,
        &a.floor,
        &a.room,
    ]
    .map(|l| l.to_string());
    assert_eq!(
        levels,
        ["翠苑街道", "文三路", "478", "华星时代广场", "A", "12", "1203"]
    );
    let b = Address::parse("上海市浦东新区张江路665弄3号楼502");
    let levels = [&b.road, &b.number, &b.building, &b.room].map(|l| l.to_string());
    assert_eq!(levels, ["张江路", "665", "3", "502"]);
    let c = Address::parse("南京市镇江路十号二幢三单元四〇一室");
    let levels = [&c.town, &c.road, &c.number, &c.building, &c.unit, &c.room].map(|l| l.to_string());
    assert_eq!(levels, ["", "镇江路", "10", "2", "3", "401"]);
}

#[test]
fn one_address_in_many_writings() {
    use AddressLevel::*;
    let full = "浙江省杭州市西湖区文三路478号3幢502室";
    for (other, want) in [
        ("浙江省杭州市西湖区文三路478号3幢502室", Identical),
        ("杭州市西湖区文三路４７８号３幢５０２室", SameRoom),
        ("杭州文三路478号三幢502", SameRoom),
        ("杭州市文三路四百七十八号3号楼502室", SameRoom),
        ("文三路478号3幢", SameBuilding),
        ("杭州市西湖区文三路478号", SameBuilding),
        ("杭州市西湖区文三路478号3幢601室", SameBuilding),
        ("杭州市西湖区文三路478号5幢502室", SameNumber),
        ("杭州市西湖区文三路90号", SameRoad),
        ("杭州市西湖区天目山路90号", SamePlace),
        ("上海市文三路478号3幢502室", Different),
        ("", Missing),
        ("无", Missing),
    ] {
        check(full, other, want);
    }
    check("杭州市文三路478号", "杭州市文山路478号", SameRoom);
    check(
        "12 West Lake Road, Hangzhou",
        "12 Westlake Rd, Hangzhou, China",
        SamePlace,
    );
    check(
        "Room 502, No. 12 Wensan Road, Hangzhou",
        "RM 502, 12 Wensan Rd., Hangzhou",
        Identical,
    );
    check(
        "Room 502, No. 12 Wensan Road, Hangzhou",
        "12 Wensan Rd., Hangzhou",
        SameBuilding,
    );
}

#[test]
fn building_keys_ignore_rooms_and_districts() {
    let key = |text: &str| Address::parse(text).building_hash();
    assert_eq!(
        key("浙江省杭州市西湖区文三路478号3幢502室"),
        key("杭州市文三路478号3号楼")
    );
    assert_ne!(key("杭州市文三路478号3幢"), key("杭州市文三路478号5幢"));
    assert_ne!(key("杭州市人民路1号"), key("南京市人民路1号"));
    assert_eq!(key("杭州市西湖区"), 0);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(a in "\\PC{0,32}", b in "[0-9一二十百号路幢楼室单元层弄杭州市西湖区A-Ea-e#-]{0,24}") {
        let (a, b) = (Address::parse(&a), Address::parse(&b));
        prop_assert_eq!(compare_addresses(&a, &b), compare_addresses(&b, &a));
        b.building_hash();
    }

    #[test]
    fn width_changes_nothing(number in 1u32..9999, room in 101u32..2999) {
        let half = format!("杭州市文三路{number}号{room}室");
        let full: String = half
            .chars()
            .map(|c| if c.is_ascii() { char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c) } else { c })
            .collect();
        prop_assert_eq!(Address::parse(&half).keys.all, Address::parse(&full).keys.all);
    }
}

//! Prints how two names (or addresses) are taken apart and how they compare.
//!
//! `cargo run -p matching --example name_probe -- [--person | --address] NAME [NAME]`
#![expect(clippy::print_stdout, reason = "an example prints what it finds")]

use matching::{Address, OrgName, PersonName, compare_addresses, compare_orgs, compare_persons};

fn main() {
    let mut texts: Vec<String> = std::env::args().skip(1).collect();
    let kind = match texts.first().map(String::as_str) {
        Some(kind @ ("--person" | "--address")) => {
            let kind = kind.to_owned();
            texts.remove(0);
            kind
        }
        _ => String::new(),
    };
    match kind.as_str() {
        "--person" => persons(&texts),
        "--address" => addresses(&texts),
        _ => organisations(&texts),
    }
}

fn organisations(texts: &[String]) {
    let names: Vec<OrgName> = texts.iter().map(|text| OrgName::parse(text)).collect();
    for name in &names {
        println!("{}", name.display);
        println!("  strict   {}", name.key_strict);
        println!("  loose    {}", name.key_loose);
        let place = |place: Option<matching::places::Place>| place.map_or("-", |p| p.name());
        println!(
            "  region   {} {}{}",
            place(name.region),
            place(name.second_region),
            if name.region_behind {
                " (behind the trade name)"
            } else {
                ""
            }
        );
        println!("  core     {}", name.core);
        println!("  trades   {}", name.trades.words().collect::<Vec<_>>().join(" "));
        println!("  rest     {}", name.rest);
        println!("  form     {:?}", name.form);
        println!("  ordinal  {:?}", name.ordinal);
        if let Some(branch) = &name.branch {
            println!("  branch   {} of {}", branch.tail, branch.parent.key_strict);
        }
        for former in &name.former {
            println!("  former   {}", former.display);
        }
        for (kind, key) in name.blocking_keys() {
            println!("  key      {:24} {key:016x}", kind.as_str());
        }
    }
    if let [a, b] = names.as_slice() {
        let there = compare_orgs(a, b);
        println!("{} {:?}", there.level.as_str(), there.level.reading());
        println!("{}\n{}", there.explain_zh(), there.explain_en());
    }
}

fn persons(texts: &[String]) {
    let names: Vec<PersonName> = texts.iter().map(|text| PersonName::parse(text)).collect();
    for name in &names {
        println!(
            "{}\n  key      {}\n  surname  {}\n  given    {}",
            name.display, name.key, name.surname, name.given
        );
    }
    if let [a, b] = names.as_slice() {
        let there = compare_persons(a, b);
        println!(
            "{}\n{}\n{}",
            there.level.as_str(),
            there.explain_zh(),
            there.explain_en()
        );
    }
}

fn addresses(texts: &[String]) {
    let all: Vec<Address> = texts.iter().map(|text| Address::parse(text)).collect();
    for address in &all {
        println!("{address:#?}");
    }
    if let [a, b] = all.as_slice() {
        let there = compare_addresses(a, b);
        println!(
            "{}\n{}\n{}",
            there.level.as_str(),
            there.explain_zh(),
            there.explain_en()
        );
    }
}

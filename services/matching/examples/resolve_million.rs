//! Times the resolution of a million mentions: `cargo run --release -p matching --example resolve_million`.
#![expect(clippy::print_stdout, reason = "an example prints its measurement")]

use std::time::Instant;

use matching::{Mention, PartyKind, Uscc, resolve};

fn uscc(n: usize) -> String {
    let first = format!("91330100{:09}", n % 1_000_000_000);
    let check = Uscc::check_character(first.as_bytes()).expect("digits are of the alphabet");
    format!("{first}{}", char::from(check))
}

fn main() {
    const MENTIONS: usize = 1_000_000;
    const COMPANIES: usize = 300_000;
    let mentions: Vec<Mention> = (0..MENTIONS)
        .map(|n| {
            let company = n * 7919 % COMPANIES;
            let register = n < COMPANIES;
            let spelling = if n % 3 == 0 {
                "有限责任公司"
            } else {
                "有限公司"
            };
            Mention {
                reference: n as i64,
                kind: PartyKind::Company,
                id: (register || n % 5 == 0).then(|| format!("GYS{company:06}")),
                name: Some(format!("杭州第{company}号医药（浙江）{spelling}")),
                code: (register || n % 4 == 0).then(|| uscc(company)),
                dataset: if register { "suppliers" } else { "purchase_orders" }.to_owned(),
                slot: "supplier".to_owned(),
                context: format!("row {n}"),
            }
        })
        .collect();
    let start = Instant::now();
    let resolution = resolve(&mentions);
    println!(
        "{MENTIONS} mentions, {} parties, {} notices in {:?}",
        resolution.parties.len(),
        resolution.notices.len(),
        start.elapsed()
    );
}

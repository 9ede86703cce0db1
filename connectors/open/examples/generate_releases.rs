//! Writes compiled OCDS releases as JSON Lines:
//! `cargo run --release -p open --example generate_releases -- <file> [megabytes] [seed]`.
//!
//! Seeded: the same size and seed give the same bytes. A release has what a publisher with the bids extension
//! gives: parties with addresses, items, documents, bids, awards, contracts and transactions.

use std::fmt::Write as _;
use std::io::{BufWriter, Write};

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const CITIES: [&str; 8] = ["杭州", "宁波", "温州", "嘉兴", "湖州", "绍兴", "金华", "台州"];
const WORDS: [&str; 10] = [
    "康瑞", "恒泰", "同德", "仁和", "华盛", "瑞安", "博诚", "天元", "百草", "安泰",
];
const KINDS: [&str; 4] = [
    "医疗器械有限公司",
    "医药有限公司",
    "生物科技股份有限公司",
    "建设工程有限公司",
];
const GOODS: [&str; 8] = [
    "CT diagnostic imaging system",
    "Infusion pumps and accessories",
    "住院楼病房改造工程",
    "一次性使用医用耗材",
    "Ceftriaxone sodium for injection",
    "检验试剂年度采购",
    "信息系统运维服务",
    "物业管理服务",
];
const METHODS: [(&str, &str); 6] = [
    ("open", "公开招标"),
    ("open", "公开招标"),
    ("open", "公开招标"),
    ("selective", "邀请招标"),
    ("limited", "竞争性磋商"),
    ("direct", "单一来源采购"),
];

struct Supplier {
    id: String,
    name: String,
    json: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("give the file to write")?;
    let megabytes: u64 = arguments.next().map_or(Ok(230), |a| a.parse())?;
    let seed: u64 = arguments.next().map_or(Ok(7), |a| a.parse())?;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let suppliers: Vec<Supplier> = (0..4000).map(|n| supplier(n, &mut rng)).collect();
    let mut out = BufWriter::with_capacity(1 << 20, std::fs::File::create(path)?);
    let (mut written, mut releases) = (0u64, 0u64);
    let mut line = String::new();
    while written < megabytes * 1_000_000 {
        line.clear();
        release(releases, &suppliers, &mut rng, &mut line)?;
        out.write_all(line.as_bytes())?;
        written += line.len() as u64;
        releases += 1;
    }
    out.flush()?;
    writeln!(std::io::stdout(), "{releases} releases, {written} bytes")?;
    Ok(())
}

fn supplier(n: usize, rng: &mut ChaCha8Rng) -> Supplier {
    let code = format!("91330{:03}MA2A{:05}3T", n % 900 + 100, n);
    let city = CITIES[rng.random_range(0..CITIES.len())];
    let name = format!(
        "{city}{}{}{}",
        WORDS[rng.random_range(0..WORDS.len())],
        WORDS[n % WORDS.len()],
        KINDS[n % KINDS.len()]
    );
    let id = format!("CN-USCC-{code}");
    let json = format!(
        r#"{{"id":"{id}","name":"{name}","identifier":{{"scheme":"CN-USCC","id":"{code}","legalName":"{name}","uri":"https://example.org/org/{code}"}},"address":{{"streetAddress":"{city}大道{}号","locality":"{city}","region":"浙江省","postalCode":"3100{:02}","countryName":"CN"}},"contactPoint":{{"name":"联系人{n}","telephone":"+86 571 8{:07}","email":"bid{n}@example.org"}},"roles":["supplier","tenderer"],"details":{{"scale":"sme"}}}}"#,
        rng.random_range(1..999),
        n % 100,
        rng.random_range(0..9_999_999),
    );
    Supplier { id, name, json }
}

fn date(day: u64, hour: u64) -> String {
    let (year, month, day) = (2021 + day / 336 % 4, day / 28 % 12 + 1, day % 28 + 1);
    format!("{year}-{month:02}-{day:02}T{hour:02}:30:00+08:00")
}

fn release(
    n: u64,
    suppliers: &[Supplier],
    rng: &mut ChaCha8Rng,
    out: &mut String,
) -> Result<(), Box<dyn std::error::Error>> {
    let ocid = format!("ocds-a1b2c3-ZJ{n:08}");
    let hospital = rng.random_range(0..300);
    let (method, details) = *METHODS.choose(rng).ok_or("no methods")?;
    let count = if method == "direct" {
        1
    } else {
        rng.random_range(2..7)
    };
    let bidders: Vec<&Supplier> = suppliers.choose_multiple(rng, count).collect();
    let budget = rng.random_range(100_000..50_000_000u64);
    let title = GOODS[rng.random_range(0..GOODS.len())];
    let start = rng.random_range(0..1000u64);
    let buyer = format!("H{hospital:04}");
    write!(
        out,
        r#"{{"ocid":"{ocid}","id":"{ocid}-{}","date":"{}","tag":["compiled"],"initiationType":"tender","language":"zh","parties":[{{"id":"{buyer}","name":"第{hospital}人民医院","identifier":{{"scheme":"CN-USCC","id":"12330000{hospital:05}4700X"}},"address":{{"locality":"杭州","region":"浙江省","countryName":"CN"}},"contactPoint":{{"name":"采购中心","telephone":"+86 571 87000000","email":"cg{hospital}@example.org"}},"roles":["buyer","procuringEntity"]}}"#,
        date(start + 60, 9),
        date(start + 60, 9),
    )?;
    for bidder in &bidders {
        out.push(',');
        out.push_str(&bidder.json);
    }
    write!(
        out,
        r#"],"buyer":{{"id":"{buyer}","name":"第{hospital}人民医院"}},"planning":{{"rationale":"Annual equipment plan, approved by the procurement committee","budget":{{"id":"B{n}","description":"年度预算","amount":{{"amount":{budget},"currency":"CNY"}}}},"documents":[{{"id":"p1","documentType":"procurementPlan","title":"Plan","url":"https://example.org/plans/{n}.pdf","format":"application/pdf"}}]}},"tender":{{"id":"T{n}","title":"{title} {n}","description":"{title}: supply, installation, acceptance and warranty as set out in the tender documents, including training of the staff of the departments concerned.","status":"complete","procuringEntity":{{"id":"{buyer}","name":"第{hospital}人民医院"}},"value":{{"amount":{budget}.00,"currency":"CNY"}},"procurementMethod":"{method}","procurementMethodDetails":"{details}","mainProcurementCategory":"goods","awardCriteria":"priceOnly","submissionMethod":["electronicSubmission"],"tenderPeriod":{{"startDate":"{}","endDate":"{}"}},"numberOfTenderers":{count},"tenderers":["#,
        date(start, 9),
        date(start + 20, 9),
    )?;
    for (k, bidder) in bidders.iter().enumerate() {
        let comma = if k > 0 { "," } else { "" };
        write!(out, r#"{comma}{{"id":"{}","name":"{}"}}"#, bidder.id, bidder.name)?;
    }
    out.push_str(r#"],"items":["#);
    for k in 0..rng.random_range(1..4) {
        let comma = if k > 0 { "," } else { "" };
        write!(
            out,
            r#"{comma}{{"id":"{k}","description":"{title} (item {k})","classification":{{"scheme":"UNSPSC","id":"4218{:04}","description":"Medical equipment and accessories and supplies"}},"quantity":{},"unit":{{"name":"unit","value":{{"amount":{}.50,"currency":"CNY"}}}}}}"#,
            k,
            rng.random_range(1..500),
            rng.random_range(10..9999),
        )?;
    }
    out.push_str(r#"],"documents":["#);
    for k in 0..3 {
        let comma = if k > 0 { "," } else { "" };
        write!(
            out,
            r#"{comma}{{"id":"d{k}","documentType":"biddingDocuments","title":"Bidding document part {k}","description":"Instructions to bidders, general and special conditions of contract, technical specifications","url":"https://example.org/tenders/{n}/{k}.pdf","datePublished":"{}","format":"application/pdf","language":"zh"}}"#,
            date(start, 9),
        )?;
    }
    out.push_str(r#"]},"bids":{"statistics":[{"id":"s1","measure":"bids","value":"#);
    write!(out, r#"{count}}}],"details":["#)?;
    let mut prices = Vec::new();
    for (k, bidder) in bidders.iter().enumerate() {
        let price = budget * rng.random_range(80..101) / 100;
        prices.push(price);
        let comma = if k > 0 { "," } else { "" };
        let status = if rng.random_range(0..12) == 0 {
            "disqualified"
        } else {
            "valid"
        };
        write!(
            out,
            r#"{comma}{{"id":"{ocid}-b{k}","date":"{}","status":"{status}","tenderers":[{{"id":"{}","name":"{}"}}],"value":{{"amount":{price}.{:02},"currency":"CNY"}}}}"#,
            date(start + 20, 8),
            bidder.id,
            bidder.name,
            rng.random_range(0..100),
        )?;
    }
    let winner = rng.random_range(0..bidders.len());
    let (supplier, price) = (bidders[winner], prices[winner]);
    write!(
        out,
        r#"]}},"awards":[{{"id":"A1","title":"{title}","status":"active","date":"{}","value":{{"amount":{price},"currency":"CNY"}},"suppliers":[{{"id":"{}","name":"{}"}}],"items":[{{"id":"0","description":"{title}","classification":{{"scheme":"UNSPSC","id":"42180000"}},"quantity":1}}]}}],"contracts":[{{"id":"C1","awardID":"A1","title":"{title} contract","status":"active","period":{{"startDate":"{}","endDate":"{}"}},"value":{{"amount":{price},"currency":"CNY"}},"dateSigned":"{}","items":[{{"id":"0","description":"{title}","quantity":1}}],"implementation":{{"transactions":[{{"id":"t1","source":"https://example.org/pay/{n}","date":"{}","value":{{"amount":{},"currency":"CNY"}},"payer":{{"id":"{buyer}"}},"payee":{{"id":"{}","name":"{}"}}}}]}}}}]}}"#,
        date(start + 30, 10),
        supplier.id,
        supplier.name,
        date(start + 40, 0),
        date(start + 400, 0),
        date(start + 38, 15),
        date(start + 90, 11),
        price / 2,
        supplier.id,
        supplier.name,
    )?;
    out.push('\n');
    Ok(())
}

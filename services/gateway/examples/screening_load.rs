//! Measures screening from a second process over loopback, against a server with 100,000 suppliers. Two steps:
//! `screening_load write DIR` writes the suppliers and their records as files to sync; after `lianjing sync` and
//! `lianjing serve`, `screening_load run http://127.0.0.1:7070 [REQUESTS_PER_SECOND [SECONDS]]` asks at an even pace
//! and prints the latencies. Each counts from the moment the request was due, so that a server that falls behind is
//! not let off. The commands are in docs/screening.md.
#![expect(clippy::print_stdout, reason = "an example prints its measurement")]

#[path = "../../screening/examples/population/mod.rs"]
mod population;

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;

use domain::screening::{ScreenOrder, ScreenRequest};
use proto::v1 as pb;
use proto::v1::screening_service_client::ScreeningServiceClient;
use tonic::transport::{Channel, Endpoint};

const PARTIES: usize = 100_000;
const CONNECTIONS: usize = 4;
/// Asked before the clock starts.
const WARM_UP: usize = 500;

type Fallible<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

#[tokio::main]
async fn main() -> Fallible {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u64| args.get(at).map_or(Ok(default), |text| text.parse());
    match args.first().map(String::as_str) {
        Some("write") if args.len() == 2 => write(Path::new(&args[1])),
        Some("run") if args.len() >= 2 => run(&args[1], number(2, 1_000)?, number(3, 10)?).await,
        _ => Err(
            "usage: screening_load write DIR | screening_load run URL [REQUESTS_PER_SECOND [SECONDS]]".into(),
        ),
    }
}

/// One CSV a dataset.
fn write(dir: &Path) -> Fallible {
    let input = population::input(PARTIES);
    let date = |d: Option<chrono::NaiveDate>| d.map(|d| d.to_string()).unwrap_or_default();
    let text = |t: &Option<Box<str>>| t.as_deref().unwrap_or_default().to_owned();
    let of: BTreeMap<&str, usize> = input
        .parties
        .iter()
        .enumerate()
        .map(|(n, p)| (&*p.party_id, n))
        .collect();
    let who = |party: &str| of.get(party).map_or(String::new(), |n| format!("S{n}"));
    let mut files: BTreeMap<&str, String> = BTreeMap::new();
    let mut add = |dataset, header: &str, line: String| {
        let file = files.entry(dataset).or_insert_with(|| format!("{header}\n"));
        file.push_str(&line);
        file.push('\n');
    };
    for (n, party) in input.parties.iter().enumerate() {
        let line = format!("S{n},{},{}", party.name, text(&party.uscc));
        add("suppliers", "supplier_id,name,uscc", line);
        if party.owners_known {
            let line = format!(
                "R{n},company,{},company,{},shareholder,60",
                population::code(n + 1),
                population::code(n)
            );
            add(
                "relations",
                "relation_id,from_type,from_id,to_type,to_id,relation,share_percent",
                line,
            );
        }
    }
    for r in &input.credit_records {
        let kind = text(&r.record_type);
        let line = format!(
            "{},{},{kind},{},{}",
            r.row.key,
            who(&r.party_id),
            text(&r.region_code),
            date(r.issued_on)
        );
        add(
            "credit_records",
            "record_id,supplier_id,record_type,region_code,issued_on",
            line,
        );
    }
    for a in &input.agreements {
        let mut line = format!("{},{},{},{}", a.row.key, a.hospital_id, who(&a.party_id), a.kind);
        write!(
            line,
            ",{},{},{}",
            date(a.signed_on),
            date(a.valid_from),
            date(a.valid_to)
        )?;
        add(
            "agreements",
            "agreement_id,hospital_id,supplier_id,kind,signed_on,valid_from,valid_to",
            line,
        );
    }
    for l in &input.listings {
        let party = l.party_id.as_deref().map(who).unwrap_or_default();
        let mut line = format!(
            "{},{},{party},{},{}",
            l.row.key,
            l.national_code,
            l.listed_price,
            text(&l.region_code)
        );
        write!(line, ",{},{}", date(l.listed_from), date(l.listed_to))?;
        add(
            "platform_listings",
            "listing_id,national_code,supplier_id,listed_price,region_code,listed_from,listed_to",
            line,
        );
    }
    for h in &input.hospitals {
        add(
            "hospitals",
            "hospital_id,name,region_code",
            format!("{0},医院{0},{1}", h.hospital_id, text(&h.region_code)),
        );
    }
    for t in &input.thresholds {
        let line = format!(
            "{},{},{},{},{},{}",
            t.row.key,
            t.region_code,
            t.kind,
            t.measure,
            t.amount,
            date(t.effective_from)
        );
        add(
            "procurement_thresholds",
            "threshold_id,region_code,kind,measure,amount,effective_from",
            line,
        );
    }
    add(
        "staff",
        "staff_id,hospital_id,name,id_number",
        "E1,H1,张三,11010519491231002X".to_owned(),
    );
    std::fs::create_dir_all(dir)?;
    for (dataset, csv) in files {
        std::fs::write(dir.join(format!("{dataset}.csv")), csv)?;
    }
    println!("{} suppliers written to {}", input.parties.len(), dir.display());
    Ok(())
}

async fn run(url: &str, rate: u64, seconds: u64) -> Fallible {
    let mut channels: Vec<Channel> = Vec::new();
    for _ in 0..CONNECTIONS {
        channels.push(
            Endpoint::from_shared(url.to_owned())?
                .tcp_nodelay(true)
                .connect()
                .await?,
        );
    }
    for n in 0..WARM_UP {
        ask(&channels[n % CONNECTIONS], n).await?;
    }
    let count = usize::try_from(rate * seconds)?;
    let (told, mut answers) = tokio::sync::mpsc::unbounded_channel();
    let start = tokio::time::Instant::now();
    for n in 0..count {
        let due = start + Duration::from_secs_f64(n as f64 / rate as f64);
        tokio::time::sleep_until(due).await;
        let (channel, told) = (channels[n % CONNECTIONS].clone(), told.clone());
        tokio::spawn(async move {
            let answer = ask(&channel, n).await;
            // The receiver lives until all were told.
            let _ = told.send((due.elapsed(), answer));
        });
    }
    drop(told);
    let (mut took, mut verdicts, mut failed) = (Vec::with_capacity(count), BTreeMap::new(), 0_usize);
    while let Some((elapsed, answer)) = answers.recv().await {
        match answer {
            Ok(verdict) => *verdicts.entry(verdict.as_str_name()).or_insert(0_usize) += 1,
            Err(status) => {
                failed += 1;
                println!("{status}");
            }
        }
        took.push(elapsed);
    }
    let whole = start.elapsed();
    took.sort();
    let at = |share: f64| took[((took.len() - 1) as f64 * share) as usize];
    println!(
        "{count} requests in {whole:.2?} ({:.0} a second), {failed} failed: p50 {:.2?}, p99 {:.2?}, p99.9 {:.2?}, max {:.2?}",
        count as f64 / whole.as_secs_f64(),
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0)
    );
    println!("{verdicts:?}");
    Ok(())
}

async fn ask(channel: &Channel, n: usize) -> Result<pb::ScreeningVerdict, tonic::Status> {
    let request = pb::ScreenRequest {
        question: Some(question(population::question(n, PARTIES))),
        min_snapshot: 0,
    };
    let answer = ScreeningServiceClient::new(channel.clone())
        .screen(request)
        .await?;
    Ok(answer.into_inner().screening.unwrap_or_default().verdict())
}

fn question(request: ScreenRequest) -> pb::ScreeningQuestion {
    let text = |t: Option<String>| t.unwrap_or_default();
    let order = |o: ScreenOrder| pb::ScreeningOrder {
        category: text(o.category),
        catalogue_code: text(o.catalogue_code),
        budget_item_code: text(o.budget_item_code),
        method: text(o.method),
        channel: text(o.channel),
        lines: o
            .lines
            .into_iter()
            .map(|l| pb::ScreeningOrderLine {
                national_code: text(l.national_code),
                quantity: text(l.quantity),
                unit_price: text(l.unit_price),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    };
    pb::ScreeningQuestion {
        reference: request.reference,
        subject: Some(pb::ScreeningSubject {
            party_id: text(request.subject.party_id),
            uscc: text(request.subject.uscc),
            name: text(request.subject.name),
        }),
        hospital_id: text(request.hospital_id),
        as_of: request.as_of.to_string(),
        order: request.order.map(order),
        checks: Vec::new(),
    }
}

//! How fast purchase orders are read from PostgreSQL, and with how much memory.
//!
//! `cargo run --release -p database --example postgres_speed -- postgres://USER@HOST/DATABASE [ROWS]` makes the table
//! `lianjing_speed` when it is not there (the user must be allowed to), reads it three times, and tells one line of
//! JSON a time.
#![expect(clippy::print_stdout, reason = "an example tells its result")]

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use connector::{Connector, Message, ReadRequest, TemporaryRawStore};
use database::DatabaseConnector;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::mpsc;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn table(rows: u64) -> String {
    format!(
        "create table lianjing_speed as select
            'PO2024' || lpad((n / 4)::text, 10, '0') as order_id, (n % 4 + 1)::int as line_no,
            'H' || lpad((n % 40)::text, 4, '0') as hospital_id, '骨科' || n % 30 as department,
            'B' || lpad((n % 900)::text, 6, '0') as budget_item_code, 'C' || lpad((n % 5000)::text, 8, '0') as catalogue_code,
            'P' || lpad((n % 20000)::text, 8, '0') as product_id,
            '注射用头孢哌酮钠舒巴坦钠 1.5g×10瓶 批号' || n % 20000 as product_name,
            'C09010101' || lpad((n % 100000)::text, 11, '0') as national_code,
            'S' || lpad((n % 3000)::text, 6, '0') as supplier_id, '浙江省某某医药有限公司第' || n % 3000 || '分公司' as supplier_name,
            '91330100' || lpad((n % 3000)::text, 10, '0') as supplier_uscc,
            (n % 500 + 1)::numeric(18,4) as quantity, (n % 99991 / 7.0)::numeric(18,4) as unit_price,
            ((n % 500 + 1) * (n % 99991 / 7.0))::numeric(18,2) as amount,
            timestamptz '2024-01-01 08:00+08' + n * interval '29.5 seconds' as ordered_at,
            timestamptz '2024-01-03 08:00+08' + n * interval '29.5 seconds' as received_at,
            case n % 10 when 0 then '线下' else '线上' end as channel, 'PT' || n / 4 as platform_order_id,
            case when n % 3 = 0 then 'HT' || n % 7000 end as contract_id, 'E' || n % 800 as requested_by, 'E' || n % 90 as approved_by,
            timestamptz '2024-01-03 08:00+08' + n * interval '29.5 seconds' as updated_at
         from generate_series(1, {rows}) n;
         create index on lianjing_speed (updated_at); analyze lianjing_speed"
    )
}

/// Processor time of this process so far, in seconds.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |n: usize| fields.get(n).and_then(|f| f.parse::<f64>().ok()).unwrap_or(0.0);
    // utime and stime are fields 14 and 15, counted from the process id; 100 ticks a second.
    (ticks(11) + ticks(12)) / 100.0
}

/// `VmHWM` of this process in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("give the url of a database")?;
    let rows: u64 = arguments.next().map_or(Ok(1_000_000), |n| n.parse())?;
    let extra = arguments
        .next()
        .unwrap_or_else(|| "cursor = \"updated_at\"".into());
    let mut admin = PgConnection::connect(&url).await?;
    let there: Option<String> = sqlx::query_scalar("select to_regclass('lianjing_speed')::text")
        .fetch_one(&mut admin)
        .await?;
    if there.is_none() {
        sqlx::raw_sql(AssertSqlSafe(table(rows)))
            .execute(&mut admin)
            .await?;
    }
    let text = format!(
        "source = \"speed\"\n[connection]\nurl = {url:?}\n[[streams]]\ndataset = \"purchase_orders\"\n\
         query = \"select * from lianjing_speed\"\nignore = [\"updated_at\"]\n{extra}"
    );
    let connector = DatabaseConnector::from_toml(&text, Path::new("."))?;
    for _ in 0..3 {
        let store = Arc::new(TemporaryRawStore::new()?);
        let request = ReadRequest::new(store.clone(), "2100-01-01T00:00:00Z".parse()?);
        let (out, mut received) = mpsc::channel(4);
        let (before, cpu) = (Instant::now(), cpu_seconds());
        let counting = async {
            let mut count = 0;
            while let Some(message) = received.recv().await {
                match message {
                    Message::Rows(rows) => count += rows.columns.num_rows(),
                    Message::Rejected(bad) => println!("rejected: {bad:?}"),
                    _ => {}
                }
            }
            count
        };
        let (read, count) = tokio::join!(connector.read(request, out), counting);
        read?;
        let seconds = before.elapsed().as_secs_f64();
        let kept: u64 = std::fs::read_dir(store.folder())?
            .flatten()
            .filter_map(|e| Some(e.metadata().ok()?.len()))
            .sum();
        println!(
            "{}",
            serde_json::json!({
                "rows": count,
                "seconds": seconds,
                "cpu_seconds": cpu_seconds() - cpu,
                "rows_per_second": count as f64 / seconds,
                "raw_mib": kept >> 20,
                "peak_mib": peak_mib(),
            })
        );
    }
    Ok(())
}

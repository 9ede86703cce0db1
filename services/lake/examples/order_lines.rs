//! Times the lake alone on synthetic order lines: a first sync, the same again, one with 0.1 % changed, and
//! scans at the end. `cargo run --release -p lake --example order_lines -- [ROWS] [DIR]`
#![expect(clippy::print_stdout, reason = "an example speaks to a person")]
#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    ArrayRef, Decimal128Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt64Array,
    new_null_array,
};
use chrono::Utc;
use connector::RowBatch;
use datafusion::prelude::SessionContext;
use lake::{Lake, SyncStart};

const BATCH_ROWS: u64 = 65_536;
/// Prepared batches that are used in turn, so that making rows costs nothing while the lake is timed.
const PREPARED: u64 = 8;

/// A number below `below` that looks random.
fn pick(row: u64, salt: u64, below: u64) -> u64 {
    (row.wrapping_mul(0x9E37_79B9_7F4A_7C15)
        .wrapping_add(salt.wrapping_mul(0xD6E8_FEB8_6659_FD93))
        >> 20)
        % below
}

fn column(name: &str, ty: domain::ColumnType, first: u64, changed: u64) -> ArrayRef {
    let rows = first..first + BATCH_ROWS;
    let text = |of: &dyn Fn(u64) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(rows.clone().map(of)))
    };
    let decimal = |of: &dyn Fn(u64) -> u64| -> ArrayRef {
        let (precision, scale) = ty.decimal().expect("a decimal column");
        let values = rows.clone().map(|n| i128::from(of(n)));
        let array = Decimal128Array::from_iter_values(values).with_precision_and_scale(precision, scale);
        Arc::new(array.expect("values fit"))
    };
    match name {
        "order_id" => text(&|n| format!("PO{:010}", n / 3)),
        "line_no" => Arc::new(Int64Array::from_iter_values(rows.map(|n| (n % 3 + 1) as i64))),
        "hospital_id" => text(&|n| format!("H{:05}", pick(n, 1, 300))),
        "product_id" => text(&|n| format!("P{:06}", pick(n, 3, 20_000))),
        "product_name" => text(&|n| format!("一次性使用无菌注射器{}号", pick(n, 3, 20_000))),
        "national_code" => text(&|n| format!("C{:026}", pick(n, 3, 20_000))),
        "supplier_id" => text(&|n| format!("S{:05}", pick(n, 4, 5_000))),
        "supplier_name" => text(&|n| format!("浙江康达医药{}有限公司", pick(n, 4, 5_000))),
        "supplier_uscc" => text(&|n| format!("9133010{:011}", pick(n, 4, 5_000))),
        "platform_order_id" => text(&|n| format!("PT{:012}", n * 7)),
        "channel" => text(&|n| ["platform", "offline"][pick(n, 5, 2) as usize].into()),
        "requested_by" | "approved_by" => text(&|n| format!("E{:06}", pick(n, 6, 9_000))),
        "quantity" => decimal(&|n| (pick(n, 9, 500) + 1) * 10_000),
        "unit_price" => decimal(&|n| pick(n, 3, 900_000)),
        "amount" => decimal(&|n| pick(n, 11, 90_000_000) + u64::from(n % 1000 < changed)),
        "ordered_at" | "received_at" => Arc::new(TimestampMicrosecondArray::from_iter_values(
            rows.map(|n| 1_700_000_000_000_000 + n as i64 * 3_000_000),
        )),
        _ => new_null_array(&ty.arrow(), BATCH_ROWS as usize),
    }
}

fn batch(first: u64, changed: u64) -> RowBatch {
    let dataset = domain::dataset("purchase_orders").expect("a dataset");
    let columns = dataset
        .columns
        .iter()
        .map(|c| column(&c.name, c.ty, first, changed))
        .collect();
    RowBatch {
        columns: RecordBatch::try_new(dataset.schema(), columns).expect("columns fit"),
        dataset,
        batch: "0".repeat(64).into(),
        positions: UInt64Array::from_iter_values(first + 1..=first + BATCH_ROWS),
    }
}

async fn sync(lake: &Lake, what: &str, rows: u64, changed: u64) -> lake::Result<()> {
    let mut spent = std::time::Duration::ZERO;
    let started = Instant::now();
    let mut sync = lake
        .begin(SyncStart {
            source: "bench".into(),
            started_at: Utc::now(),
        })
        .await?;
    spent += started.elapsed();
    let mut first = 0;
    while first < rows {
        let prepared: Vec<RowBatch> = (0..PREPARED)
            .map(|n| first + n * BATCH_ROWS)
            .take_while(|n| *n < rows)
            .map(|n| batch(n, changed))
            .collect();
        first += PREPARED * BATCH_ROWS;
        let started = Instant::now();
        for batch in prepared {
            sync.write(batch).await?;
        }
        spent += started.elapsed();
    }
    let started = Instant::now();
    let prepared = sync.finish().await?;
    let counts = prepared.counts().to_vec();
    prepared.commit(what).await?;
    spent += started.elapsed();
    let memory = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = memory
        .lines()
        .find(|l| l.starts_with("VmHWM"))
        .unwrap_or("VmHWM: ?");
    println!("{what}: {spent:.2?}; {counts:?}; {peak}");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let rows: u64 = args.next().map_or(Ok(1_000_000), |a| a.parse())?;
    let dir: PathBuf = args
        .next()
        .map_or_else(|| std::env::temp_dir().join("lake-order-lines"), PathBuf::from);
    let lake = Lake::open(&dir, Utc::now()).await?;
    sync(&lake, "first", rows, 0).await?;
    sync(&lake, "same again", rows, 0).await?;
    sync(&lake, "0.1 % changed", rows, 1).await?;
    let ctx = SessionContext::new();
    let head = lake.head().await?;
    ctx.register_table("purchase_orders", lake.table("purchase_orders", head).await?)?;
    for sql in [
        "select count(*) from purchase_orders",
        "select sum(amount), count(distinct supplier_id) from purchase_orders",
        "select hospital_id, sum(amount) as total from purchase_orders group by 1 order by 2 desc limit 3",
    ] {
        let started = Instant::now();
        let batches = ctx.sql(sql).await?.collect().await?;
        let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
        println!("{:.2?}: {sql} ({rows} rows)", started.elapsed());
    }
    Ok(())
}

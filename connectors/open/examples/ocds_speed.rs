//! How fast compiled releases become rows: `cargo run --release -p open --example ocds_speed -- <file> [threads]`.
//!
//! Tells one line of JSON, after the notices. Reads the file with the connector; rows are counted and thrown away as they come. The raw store keeps
//! nothing, so that reading, parsing and converting alone are timed.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use connector::{Connector, Message, RawBatch, RawStore, ReadRequest};
use domain::ports::Result;
use domain::{Failure, FailureKind};
use open::OpenConnector;
use tokio::sync::mpsc;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

struct NoStore;

impl RawStore for NoStore {
    fn put_file(&self, path: &Path, _: &str) -> Result<RawBatch> {
        let bytes = std::fs::metadata(path).map_err(|e| Failure::internal(&e))?.len();
        Ok(RawBatch {
            digest: "0".repeat(64).into(),
            path: path.to_owned(),
            bytes,
        })
    }

    fn put_bytes(&self, _: &[u8], _: &str) -> Result<RawBatch> {
        Err(Failure::new(FailureKind::Internal, "UNUSED", "not used here"))
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("give the file to read")?);
    let threads: usize = arguments.next().map_or(Ok(2), |a| a.parse())?;
    let bytes = std::fs::metadata(&path)?.len();
    let mut table = toml::Table::new();
    table.insert("kind".to_owned(), "ocds".into());
    table.insert("path".to_owned(), path.to_string_lossy().into_owned().into());
    let connector = OpenConnector::from_value(toml::Value::Table(table), Path::new("."))?;
    let runtime = tokio::runtime::Runtime::new()?;
    let start = Instant::now();
    let (rows, rejected, notices) = runtime.block_on(async move {
        let (out, mut messages) = mpsc::channel(8);
        let request = ReadRequest {
            threads,
            ..ReadRequest::new(Arc::new(NoStore), chrono::DateTime::UNIX_EPOCH)
        };
        let reading = tokio::spawn(async move { connector.read(request, out).await });
        let (mut rows, mut rejected, mut notices) = (BTreeMap::<String, usize>::new(), 0, Vec::new());
        while let Some(message) = messages.recv().await {
            match message {
                Message::Rows(batch) => {
                    *rows.entry(batch.dataset.name.clone()).or_default() += batch.columns.num_rows();
                }
                Message::Rejected(_) => rejected += 1,
                Message::Notice(notice) => notices.push(format!("{} {}", notice.code, notice.place)),
                Message::Progress(_) | Message::Checkpoint(_) => {}
            }
        }
        reading.await.map_err(|e| Failure::internal(&e))??;
        Ok::<_, Failure>((rows, rejected, notices))
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let mut out = std::io::stdout();
    notices.iter().try_for_each(|n| writeln!(out, "{n}"))?;
    let told = serde_json::json!({
        "rows": rows.values().sum::<usize>(),
        "datasets": rows,
        "rejected": rejected,
        "bytes": bytes,
        "seconds": seconds,
        "threads": threads,
        "bytes_per_second": bytes as f64 / seconds,
    });
    writeln!(out, "{told}")?;
    Ok(())
}

//! How fast order lines are read: `cargo run --release -p files --example parse_speed -- [rows] [threads]`.
//!
//! Writes a GB18030 file of purchase orders to a temporary directory and reads it with the connector; rows are
//! thrown away as they come. The raw store keeps nothing, so that parsing alone is timed.

use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use connector::{Connector, Message, RawBatch, RawStore, ReadRequest};
use domain::ports::Result;
use domain::{Failure, FailureKind};
use files::FilesConnector;
use tokio::sync::mpsc;

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
    let rows: u64 = arguments.next().map_or(Ok(1_000_000), |a| a.parse())?;
    let threads: usize = arguments.next().map_or(Ok(2), |a| a.parse())?;
    let dir = tempfile::tempdir()?;
    let path = dir.path().join("purchase_orders.csv");
    write_orders(&path, rows)?;
    let bytes = std::fs::metadata(&path)?.len();

    let connector = FilesConnector::new(dir.path(), None)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let start = Instant::now();
    let (read, rejected, batches) = runtime.block_on(async move {
        let (out, mut messages) = mpsc::channel(8);
        let request = ReadRequest {
            threads,
            ..ReadRequest::new(Arc::new(NoStore), chrono::DateTime::UNIX_EPOCH)
        };
        let reading = tokio::spawn(async move { connector.read(request, out).await });
        let (mut read, mut rejected, mut batches) = (0, 0, 0);
        while let Some(message) = messages.recv().await {
            match message {
                Message::Rows(rows) => {
                    read += rows.columns.num_rows();
                    batches += 1;
                }
                Message::Rejected(_) => rejected += 1,
                Message::Notice(_) | Message::Progress(_) | Message::Checkpoint(_) => {}
            }
        }
        reading.await.map_err(|e| Failure::internal(&e))??;
        Ok::<_, Failure>((read, rejected, batches))
    })?;
    let seconds = start.elapsed().as_secs_f64();
    writeln!(
        std::io::stdout(),
        "{read} rows in {batches} batches, {rejected} rejected, {} MB in {seconds:.2} s with {threads} threads: {:.0} MB/s",
        bytes / 1_000_000,
        bytes as f64 / 1e6 / seconds,
    )?;
    Ok(())
}

fn write_orders(path: &Path, rows: u64) -> std::io::Result<()> {
    let suppliers = [
        "杭州康瑞医药有限公司",
        "宁波恒泰医疗器械有限责任公司",
        "浙江同德生物科技股份有限公司",
        "台州仁和药业有限公司",
    ];
    let products = [
        "注射用头孢曲松钠",
        "冠状动脉支架",
        "肌钙蛋白检测试剂盒",
        "一次性使用输液器",
    ];
    let mut out = BufWriter::new(std::fs::File::create(path)?);
    let mut put = |text: &str| out.write_all(&encoding_rs::GB18030.encode(text).0);
    put(
        "采购单号,行号,医疗机构编号,科室,产品编号,产品名称,医保编码,供应商编号,供应商名称,统一社会信用代码,数量,单价,金额,采购日期,收货日期,采购渠道,平台订单号,备案号,合同编号,申请人,审批人\r\n",
    )?;
    for n in 0..rows {
        let (supplier, product) = (suppliers[n as usize % 4], products[n as usize / 3 % 4]);
        let day = n % 28 + 1;
        let date = match n % 3 {
            0 => format!("2024-03-{day:02}"),
            1 => format!("2024/3/{day}"),
            _ => format!("2024年3月{day}日"),
        };
        put(&format!(
            "CG2024{n:09},1,H{:04},心内科,P{:05},{product},XJ01DDT010B001010100000,GYS{:04},{supplier},91330100MA2A1B2C3T,{},{}.{:02},\"{},{:03}.50\",{date},2024-03-{day:02} 09:30:00,线上,PT24{n:09},,,E{:04},E0002\r\n",
            n % 300,
            n % 5000,
            n % 900,
            n % 500 + 1,
            n % 90 + 1,
            n % 100,
            n % 900 + 1,
            n % 1000,
            n % 2000,
        ))?;
    }
    Ok(())
}

//! How fast a platform's list is read, beside the same pages fetched by the same HTTP client and thrown away.
//!
//! `cargo run --release -p rest --example rest_speed -- [ROWS] [PAGE_ROWS] [PAGE_MS]` serves pages that are rendered beforehand on a
//! port of this machine, so that the server costs as little as one can, and tells one line of JSON a way of paging.
#![expect(clippy::print_stdout, reason = "an example tells its result")]
#![expect(clippy::disallowed_methods, reason = "its server takes its time for a page")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use connector::{Connector, Message, ReadRequest, TemporaryRawStore};
use domain::clock::SystemClock;
use rest::RestConnector;
use tokio::sync::mpsc;

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// One order as such platforms write it, with a version that grows by one each row.
fn order(n: u64) -> String {
    format!(
        r#"{{"orderNo":"PO2024{n:010}","line":1,"hospital":{{"code":"H{:04}"}},"dept":"骨科{}","product":{{"id":"P{:08}","name":"注射用头孢哌酮钠舒巴坦钠 1.5g×10瓶 批号{}","nhsaCode":"C09010101{:011}"}},"vendor":{{"id":"S{:06}","name":"浙江省某某医药有限公司第{}分公司","uscc":"91330100{:010}"}},"qty":"{}","price":"{}.{:04}","amount":"{}.{:02}","createdAt":"2024-01-01 08:{:02}:{:02}","version":{n}}}"#,
        n % 40,
        n % 30,
        n % 20_000,
        n % 20_000,
        n % 100_000,
        n % 3_000,
        n % 3_000,
        n % 3_000,
        n % 500 + 1,
        n % 9_999,
        n % 10_000,
        n % 99_999,
        n % 100,
        n / 60 % 60,
        n % 60,
    )
}

/// Pages that are rendered once. `?page=N` asks for one by number; `?since=VERSION` for the one that starts there.
struct Pages {
    bodies: Vec<Vec<u8>>,
    size: u64,
    /// How long the server takes for one.
    delay: Duration,
}

fn serve(pages: Arc<Pages>) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let pages = pages.clone();
            // A client that goes away ends its connection.
            thread::spawn(move || answer(stream, &pages).unwrap_or_default());
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, pages: &Pages) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(request) = lines.next().transpose()? {
        for header in lines.by_ref() {
            if header?.is_empty() {
                break;
            }
        }
        let number = |name: &str| -> Option<u64> {
            request
                .split(['?', '&', ' '])
                .find_map(|p| p.strip_prefix(name)?.parse().ok())
        };
        // A page by keyset starts with the row that the one before ended with.
        let index = match (number("page="), number("since=")) {
            (Some(page), _) => page - 1,
            (None, since) => since.unwrap_or(0).div_ceil(self::step(pages.size)),
        };
        let empty = b"{\"list\":[]}".to_vec();
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let body = pages.bodies.get(index).unwrap_or(&empty);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        thread::sleep(pages.delay);
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
    }
    Ok(())
}

/// Rows that a page by keyset moves on by: all but the one that the next page repeats.
fn step(size: u64) -> u64 {
    size - 1
}

fn config(address: SocketAddr, size: u64, is_keyset: bool) -> String {
    let paging = match is_keyset {
        true => format!(
            "pagination = {{ kind = \"keyset\", size = {size} }}\n\
             incremental = {{ kind = \"cursor\", field = \"version\", format = \"number\", look_back = 0 }}\n\
             request = {{ path = \"/orders\", query = {{ since = \"{{cursor}}\" }} }}"
        ),
        false => format!(
            "pagination = {{ kind = \"page\", size = {size}, verify = \"none\" }}\n\
             request = {{ path = \"/orders\", query = {{ page = \"{{page}}\" }} }}\nignore = [\"version\"]"
        ),
    };
    format!(
        r#"
base_url = "http://{address}"
allow_http = true
limits = {{ requests_per_minute = 100000000, burst = 100000 }}
[[stream]]
name = "orders"
dataset = "purchase_orders"
response = {{ records = "$.list" }}
{paging}
[stream.columns]
order_id = "orderNo"
line_no = "line"
hospital_id = "hospital.code"
department = "dept"
product_id = "product.id"
product_name = "product.name"
national_code = "product.nhsaCode"
supplier_id = "vendor.id"
supplier_name = "vendor.name"
supplier_uscc = "vendor.uscc"
quantity = "qty"
unit_price = "price"
amount = "amount"
ordered_at = "createdAt"
"#
    )
}

/// `VmHWM` of this process in MiB.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().split(' ').next()?.parse::<u64>().ok())
        .unwrap_or(0)
        / 1024
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

async fn raw(address: SocketAddr, pages: u64) -> Result<f64, Box<dyn std::error::Error>> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let before = Instant::now();
    for page in 1..=pages {
        let url = format!("http://{address}/orders?page={page}");
        client.get(url).send().await?.error_for_status()?.bytes().await?;
    }
    Ok(before.elapsed().as_secs_f64())
}

async fn read(text: &str) -> Result<(usize, f64), Box<dyn std::error::Error>> {
    let connector = RestConnector::from_toml(text, Path::new("."), Arc::new(SystemClock))?;
    let store = Arc::new(TemporaryRawStore::new()?);
    let request = ReadRequest::new(store, "2100-01-01T00:00:00Z".parse()?);
    let (out, mut received) = mpsc::channel(4);
    let before = Instant::now();
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
    Ok((count, before.elapsed().as_secs_f64()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| "a provider of TLS is installed already")?;
    let mut arguments = std::env::args().skip(1);
    let rows: u64 = arguments.next().map_or(Ok(300_000), |n| n.parse())?;
    let size: u64 = arguments.next().map_or(Ok(1_000), |n| n.parse())?;
    let delay = Duration::from_millis(arguments.next().map_or(Ok(0), |n| n.parse())?);
    for is_keyset in [false, true] {
        let step = if is_keyset { step(size) } else { size };
        let page = |first: u64| {
            let orders: Vec<String> = (first..rows.min(first + size)).map(order).collect();
            format!("{{\"list\":[{}]}}", orders.join(",")).into_bytes()
        };
        let bodies: Vec<Vec<u8>> = (0..rows).step_by(usize::try_from(step)?).map(page).collect();
        let bytes: usize = bodies.iter().map(Vec::len).sum();
        let count = bodies.len() as u64;
        let address = serve(Arc::new(Pages { bodies, size, delay }))?;
        let mut best: Option<(f64, f64, f64, usize)> = None;
        for _ in 0..3 {
            let raw = raw(address, count).await?;
            let cpu = cpu_seconds();
            let (read_rows, seconds) = read(&config(address, size, is_keyset)).await?;
            let cpu = cpu_seconds() - cpu;
            if best.is_none_or(|b| seconds < b.1) {
                best = Some((raw, seconds, cpu, read_rows));
            }
        }
        let (raw, seconds, cpu, read_rows) = best.ok_or("nothing was read")?;
        println!(
            "{}",
            serde_json::json!({
                "paging": if is_keyset { "keyset" } else { "page" },
                "rows": read_rows,
                "bytes": bytes,
                "raw_seconds": raw,
                "seconds": seconds,
                "cpu_seconds": cpu,
                "rows_per_second": read_rows as f64 / seconds,
                "raw_rows_per_second": rows as f64 / raw,
                "peak_mib": peak_mib(),
            })
        );
    }
    Ok(())
}

//! A platform's HTTP interface: orders in ascending order of their version, page by page, and a count of those served.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Lives as long as the test process.
pub struct Platform {
    pub address: SocketAddr,
    served: Arc<AtomicU64>,
}

impl Platform {
    /// Orders 1..=rows; three share each version. One amount is no number.
    pub fn start(rows: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let served = Arc::new(AtomicU64::new(0));
        let counter = served.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counter = counter.clone();
                // A client that was killed ends its connection; that is no fault of the platform.
                thread::spawn(move || answer(stream, rows, &counter).unwrap_or_default());
            }
        });
        Self { address, served }
    }

    /// Orders that were sent so far.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }
}

/// `GET /orders?since=VERSION&limit=ROWS`, any number of times.
fn answer(stream: TcpStream, rows: u64, served: &AtomicU64) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let mut stream = stream;
    while let Some(request) = lines.next().transpose()? {
        for header in lines.by_ref() {
            if header?.is_empty() {
                break;
            }
        }
        let number = |name: &str| -> u64 {
            let found = request.split(['?', '&', ' ']).find_map(|p| p.strip_prefix(name));
            found.and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        let (since, limit) = (number("since="), number("limit="));
        let first = (since * 3).max(1);
        let orders: Vec<String> = (first..=rows)
            .take(usize::try_from(limit).unwrap_or(usize::MAX))
            .map(|n| {
                let amount = if n == rows / 2 {
                    "many".to_owned()
                } else {
                    format!("{n}.00")
                };
                format!(
                    r#"{{"id":"PO{n}","line":1,"amount":"{amount}","version":{}}}"#,
                    n / 3
                )
            })
            .collect();
        let body = format!("{{\"list\":[{}]}}", orders.join(","));
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )?;
        served.fetch_add(orders.len() as u64, Ordering::SeqCst);
    }
    Ok(())
}

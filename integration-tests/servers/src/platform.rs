//! A platform's HTTP interface: orders in ascending order of their version, page by page, and a count of those served. A
//! test may hand it a file with words that change what it says.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// Lives as long as the test process.
pub struct Platform {
    pub address: SocketAddr,
    served: Arc<AtomicU64>,
}

/// What a connection's thread answers with.
#[derive(Clone)]
struct Orders {
    rows: u64,
    manners: Option<PathBuf>,
    served: Arc<AtomicU64>,
}

/// An order as it is listed.
struct Order {
    number: Option<u64>,
    version: u64,
}

impl Platform {
    /// Orders 1..=rows; three share each version. One amount is no number.
    pub fn start(rows: u64) -> Self {
        Self::listen(rows, None)
    }

    /// The same, with the manners that this file names at each request, one a line; the file need not be there:
    /// `late`: there is one more order, POLATE, with a version below the newest tenth; `backwards`: the newest comes first;
    /// `renamed`: the amount is called total; `retyped`: no amount is a number.
    pub fn with_manners(rows: u64, manners: &Path) -> Self {
        Self::listen(rows, Some(manners.to_owned()))
    }

    fn listen(rows: u64, manners: Option<PathBuf>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let served = Arc::new(AtomicU64::new(0));
        let orders = Orders {
            rows,
            manners,
            served: served.clone(),
        };
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let orders = orders.clone();
                // A client that was killed ends its connection; that is no fault of the platform.
                thread::spawn(move || orders.answer(stream).unwrap_or_default());
            }
        });
        Self { address, served }
    }

    /// Orders that were sent so far.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }
}

impl Orders {
    /// `GET /orders?since=VERSION&limit=ROWS&page=NUMBER`, any number of times.
    fn answer(&self, stream: TcpStream) -> std::io::Result<()> {
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        let mut stream = stream;
        while let Some(request) = lines.next().transpose()? {
            for header in lines.by_ref() {
                if header?.is_empty() {
                    break;
                }
            }
            let page = self.page(&request);
            let body = format!("{{\"list\":[{}]}}", page.join(","));
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
            self.served.fetch_add(page.len() as u64, Ordering::SeqCst);
        }
        Ok(())
    }

    /// The orders that a request line asks for, as JSON.
    fn page(&self, request: &str) -> Vec<String> {
        let number = |name: &str| -> u64 {
            let found = request.split(['?', '&', ' ']).find_map(|p| p.strip_prefix(name));
            found.and_then(|n| n.parse().ok()).unwrap_or(0)
        };
        let (since, limit, page) = (number("since="), number("limit="), number("page=").max(1));
        let manners = self.manners.as_ref().map(std::fs::read_to_string);
        let manners = manners.and_then(Result::ok).unwrap_or_default();
        let has = |word: &str| manners.lines().any(|line| line == word);

        let numbered = (1..=self.rows).map(|n| Order {
            number: Some(n),
            version: n / 3,
        });
        let late = has("late").then(|| Order {
            number: None,
            version: self.rows / 3 * 9 / 10,
        });
        let mut orders: Vec<Order> = numbered.chain(late).filter(|o| o.version >= since).collect();
        orders.sort_by_key(|o| o.version);
        if has("backwards") {
            orders.reverse();
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let first = usize::try_from(page - 1)
            .unwrap_or(usize::MAX)
            .saturating_mul(limit);
        let member = if has("renamed") { "total" } else { "amount" };
        let orders = orders.iter().skip(first).take(limit);
        orders
            .map(|order| {
                let id = order.number.map_or("LATE".to_owned(), |n| n.to_string());
                let amount = match order.number {
                    Some(n) if n == self.rows / 2 => "many".to_owned(),
                    Some(_) if has("retyped") => "much".to_owned(),
                    Some(n) => format!("{n}.00"),
                    None => "5.00".to_owned(),
                };
                let version = order.version;
                format!(
                    r#"{{"id":"PO{id}","line":1,"{member}":"{amount}","version":{version},"mood":"fair"}}"#
                )
            })
            .collect()
    }
}

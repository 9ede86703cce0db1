//! A small server that speaks enough of S3: ListObjectsV2 in pages, GetObject, HeadObject, CopyObject and
//! DeleteObject(s). It answers with 503 as often as it is told to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Keys on a page of a listing.
const PAGE_KEYS: usize = 2;

#[derive(Default)]
pub struct Bucket {
    /// Key -> (content, day of November 2023 it was changed).
    pub objects: BTreeMap<String, (Vec<u8>, u32)>,
    /// Requests still to be answered with 503.
    pub busy: usize,
    /// Method and path of each request.
    pub log: Vec<String>,
    pub unsigned: usize,
}

pub struct Server {
    pub bucket: Arc<Mutex<Bucket>>,
    pub endpoint: String,
}

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let bucket = Arc::new(Mutex::new(Bucket::default()));
        let shared = bucket.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, shared.clone()));
            }
        });
        Self { bucket, endpoint }
    }

    pub fn put(&self, key: &str, bytes: impl Into<Vec<u8>>, day: u32) {
        self.bucket
            .lock()
            .unwrap()
            .objects
            .insert(key.to_owned(), (bytes.into(), day));
    }

    pub fn keys(&self) -> Vec<String> {
        self.bucket.lock().unwrap().objects.keys().cloned().collect()
    }
}

async fn serve(mut stream: TcpStream, bucket: Arc<Mutex<Bucket>>) {
    let mut bytes = Vec::new();
    let head_end = loop {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(got) => bytes.extend(&chunk[..got]),
        }
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            break end;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let length = header(&head, "content-length")
        .and_then(|l| l.parse().ok())
        .unwrap_or(0usize);
    let mut body = bytes[head_end + 4..].to_vec();
    while body.len() < length {
        let mut chunk = [0; 4096];
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return,
            Ok(got) => body.extend(&chunk[..got]),
        }
    }
    let answer = answer(&head, &body, &mut bucket.lock().unwrap());
    let _ = stream.write_all(&answer).await;
    let _ = stream.shutdown().await;
}

fn header<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits: String = rest.by_ref().take(2).map(char::from).collect();
            out.push(u8::from_str_radix(&digits, 16).unwrap());
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).unwrap()
}

fn etag(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    format!(
        "\"{:02x}{:02x}{:02x}{:02x}\"",
        digest[0], digest[1], digest[2], digest[3]
    )
}

fn response(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
        body.len()
    )
    .into_bytes();
    out.extend(body);
    out
}

fn answer(head: &str, body: &[u8], bucket: &mut Bucket) -> Vec<u8> {
    let mut words = head.split_whitespace();
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    bucket.log.push(format!("{method} {target}"));
    if !header(head, "authorization").is_some_and(|a| a.starts_with("AWS4-HMAC-SHA256 Credential=")) {
        bucket.unsigned += 1;
    }
    if bucket.busy > 0 {
        bucket.busy -= 1;
        return response("503 Slow Down", "", b"");
    }
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: BTreeMap<String, String> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), decoded(value)))
        .collect();
    let path = decoded(path);
    let Some(key) = path.strip_prefix("/hospital") else {
        return response("404 Not Found", "", b"<Error><Code>NoSuchBucket</Code></Error>");
    };
    let key = key.trim_start_matches('/').to_owned();
    match method {
        "GET" if query.contains_key("list-type") => response("200 OK", "", list(bucket, &query).as_bytes()),
        "GET" | "HEAD" => {
            let Some((bytes, day)) = bucket.objects.get(&key) else {
                return response("404 Not Found", "", b"");
            };
            if header(head, "if-match").is_some_and(|wanted| wanted != etag(bytes)) {
                return response("412 Precondition Failed", "", b"");
            }
            let headers = format!(
                "ETag: {}\r\nLast-Modified: {}, {day:02} Nov 2023 00:00:00 GMT\r\n",
                etag(bytes),
                ["Tue", "Wed", "Thu", "Fri", "Sat", "Sun", "Mon"][*day as usize % 7],
            );
            if method == "HEAD" {
                return format!(
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
                    bytes.len()
                )
                .into_bytes();
            }
            response("200 OK", &headers, bytes)
        }
        "PUT" => {
            let from = decoded(header(head, "x-amz-copy-source").unwrap_or_default());
            let from = from.trim_start_matches('/').trim_start_matches("hospital/");
            let Some(object) = bucket.objects.get(from).cloned() else {
                return response("404 Not Found", "", b"");
            };
            bucket.objects.insert(key, object);
            response(
                "200 OK",
                "",
                b"<CopyObjectResult><ETag>\"x\"</ETag></CopyObjectResult>",
            )
        }
        "DELETE" => {
            bucket.objects.remove(&key);
            response("204 No Content", "", b"")
        }
        "POST" => {
            let text = String::from_utf8_lossy(body);
            let mut answer = "<DeleteResult>".to_owned();
            for part in text.split("<Key>").skip(1) {
                let key = part.split("</Key>").next().unwrap_or_default();
                bucket.objects.remove(key);
                write!(answer, "<Deleted><Key>{key}</Key></Deleted>").unwrap();
            }
            answer += "</DeleteResult>";
            response("200 OK", "", answer.as_bytes())
        }
        _ => response("405 Method Not Allowed", "", b""),
    }
}

fn list(bucket: &Bucket, query: &BTreeMap<String, String>) -> String {
    let prefix = query.get("prefix").map(String::as_str).unwrap_or_default();
    let after = query
        .get("continuation-token")
        .map(String::as_str)
        .unwrap_or_default();
    let mut keys = bucket
        .objects
        .iter()
        .filter(|(key, _)| key.starts_with(prefix) && key.as_str() > after);
    let mut out =
        "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
            .to_owned();
    let mut last = None;
    for (key, (bytes, day)) in keys.by_ref().take(PAGE_KEYS) {
        write!(
            out,
            "<Contents><Key>{key}</Key><LastModified>2023-11-{day:02}T00:00:00.000Z</LastModified><ETag>{}</ETag><Size>{}</Size></Contents>",
            etag(bytes).replace('"', "&quot;"),
            bytes.len(),
        )
        .unwrap();
        last = Some(key);
    }
    let is_cut = keys.next().is_some();
    write!(out, "<IsTruncated>{is_cut}</IsTruncated>").unwrap();
    if let (true, Some(last)) = (is_cut, last) {
        write!(out, "<NextContinuationToken>{last}</NextContinuationToken>").unwrap();
    }
    out + "</ListBucketResult>"
}

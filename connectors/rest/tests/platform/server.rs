//! A platform that misbehaves by script: a real HTTP server on a port of its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::world::World;

/// A request as it came.
#[derive(Debug, Clone, Default)]
pub struct Asked {
    pub method: String,
    /// Without the query.
    pub path: String,
    /// As on the wire.
    pub query: String,
    /// Query and form or JSON body together.
    pub params: BTreeMap<String, String>,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Answer {
    /// As a well-behaved platform would.
    Right,
    /// With this status, these headers and this body.
    Status(u16, Vec<(String, String)>, String),
    /// HTTP 200 with the platform's own code.
    Code(i64),
    /// HTTP 200 with this body.
    Body(String),
    /// The right answer, but the connection is reset after so many bytes of the body.
    ResetAfter(usize),
    /// The right answer, but the connection ends after so many bytes of the body.
    EndAfter(usize),
    /// A whole HTTP answer with the first part of the right body only.
    CutJson(usize),
    /// The right answer, but a byte every 20 ms.
    Drip,
    /// Nothing, until the client gives up.
    Silence,
    /// The connection is closed without an answer.
    Close,
    /// The right answer in GB18030.
    Gbk,
}

/// What happens at a request, in this order.
pub type Step = Box<dyn FnOnce(&mut World) + Send>;

#[derive(Default)]
struct Script {
    /// At the list request with this number, from 1.
    changes: BTreeMap<usize, Vec<Step>>,
    answers: BTreeMap<usize, Answer>,
}

/// Who may ask.
pub type Guard = Box<dyn Fn(&Asked) -> Result<(), Answer> + Send + Sync>;

pub struct State {
    pub world: World,
    script: Script,
    /// Every list request, as it came.
    pub asked: Vec<Asked>,
    /// How many token requests came.
    pub tokens: usize,
    /// How many list requests each token may carry.
    pub token_uses_max: usize,
    token_uses: usize,
    pub guard: Option<Guard>,
    /// Other paths, each with what it answers, once each in order.
    pub elsewhere: BTreeMap<String, VecDeque<Answer>>,
}

/// The server; ends with its value.
pub struct Server {
    pub url: String,
    pub state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(world: World) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            world,
            script: Script::default(),
            asked: Vec::new(),
            tokens: 0,
            token_uses_max: usize::MAX,
            token_uses: 0,
            guard: None,
            elsewhere: BTreeMap::new(),
        }));
        let shared = state.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = shared.clone();
                // A client that goes away ends its connection's task; that is no fault of the server.
                tokio::spawn(async move { serve(stream, state).await.unwrap_or_default() });
            }
        });
        Self { url, state, task }
    }

    pub fn with<T>(&self, what: impl FnOnce(&mut State) -> T) -> T {
        what(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    /// Answers the list request with this number otherwise.
    pub fn answer(&mut self, request: usize, answer: Answer) {
        self.script.answers.insert(request, answer);
    }

    /// Changes the platform before it answers the list request with this number.
    pub fn change(&mut self, request: usize, change: impl FnOnce(&mut World) + Send + 'static) {
        self.script
            .changes
            .entry(request)
            .or_default()
            .push(Box::new(change));
    }

    /// What the answer is, and how it is given.
    pub fn respond(&mut self, asked: Asked) -> (String, Vec<(String, String)>, Answer) {
        if asked.path.ends_with("/token") {
            self.tokens += 1;
            self.token_uses = 0;
            let body = format!(r#"{{"access_token":"T{}","expires_in":7200}}"#, self.tokens);
            let refused =
                !asked.body.contains("client_secret=s3cr3t") && !asked.headers.contains_key("authorization");
            let answer = if refused {
                Answer::Status(401, Vec::new(), r#"{"error":"invalid_client"}"#.to_owned())
            } else {
                Answer::Right
            };
            return (body, Vec::new(), answer);
        }
        if let Some(answers) = self.elsewhere.get_mut(&asked.path) {
            let answer = answers.pop_front().unwrap_or(Answer::Right);
            return (String::new(), Vec::new(), answer);
        }
        let number = self.asked.len() + 1;
        self.asked.push(asked.clone());
        for change in self.script.changes.remove(&number).unwrap_or_default() {
            change(&mut self.world);
        }
        if let Some(Err(refusal)) = self.guard.as_ref().map(|guard| guard(&asked)) {
            return (String::new(), Vec::new(), refusal);
        }
        if self.tokens > 0 {
            let expected = format!("Bearer T{}", self.tokens);
            self.token_uses += 1;
            if asked.headers.get("authorization") != Some(&expected) || self.token_uses > self.token_uses_max
            {
                let expired = r#"{"code":401,"msg":"token expired"}"#.to_owned();
                return (
                    String::new(),
                    Vec::new(),
                    Answer::Status(401, Vec::new(), expired),
                );
            }
        }
        let answer = self.script.answers.remove(&number).unwrap_or(Answer::Right);
        if !matches!(
            answer,
            Answer::Right
                | Answer::ResetAfter(_)
                | Answer::EndAfter(_)
                | Answer::CutJson(_)
                | Answer::Drip
                | Answer::Gbk
        ) {
            return (String::new(), Vec::new(), answer);
        }
        let listed = if asked.path.ends_with("/feed") {
            self.world.feed(&asked.params)
        } else {
            self.world.list(&asked.params)
        };
        let mut headers = Vec::new();
        if let Some(next) = &listed.next {
            headers.push(("Link".to_owned(), format!("</{next}>; rel=\"next\"")));
        }
        (listed.body(self.world.hides_empty), headers, answer)
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    while let Some(asked) = read_request(&mut stream).await? {
        let (body, headers, answer) = state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .respond(asked);
        let out = stream.get_mut();
        let ok = |body: &[u8]| head(200, &headers, body.len());
        let bytes = body.as_bytes();
        match answer {
            Answer::Right => write(out, &ok(bytes), bytes).await?,
            Answer::Status(status, headers, body) => {
                write(out, &head(status, &headers, body.len()), body.as_bytes()).await?;
            }
            Answer::Code(code) => {
                let body = format!(r#"{{"code":{code},"msg":"系统繁忙","data":null}}"#);
                write(out, &ok(body.as_bytes()), body.as_bytes()).await?;
            }
            Answer::Body(body) => write(out, &ok(body.as_bytes()), body.as_bytes()).await?,
            Answer::ResetAfter(count) => {
                write(out, &ok(bytes), &bytes[..count.min(bytes.len())]).await?;
                return out.set_zero_linger();
            }
            Answer::EndAfter(count) => {
                return write(out, &ok(bytes), &bytes[..count.min(bytes.len())]).await;
            }
            Answer::CutJson(count) => {
                let cut = &bytes[..count.min(bytes.len())];
                write(out, &ok(cut), cut).await?;
            }
            Answer::Drip => {
                out.write_all(ok(bytes).as_bytes()).await?;
                let mut tick = tokio::time::interval(Duration::from_millis(20));
                for byte in bytes {
                    tick.tick().await;
                    out.write_all(&[*byte]).await?;
                }
            }
            Answer::Silence => {
                let mut rest = Vec::new();
                out.read_to_end(&mut rest).await?;
                return Ok(());
            }
            Answer::Close => return Ok(()),
            Answer::Gbk => {
                let encoded = encoding_rs::GB18030.encode(&body).0;
                let kind = (
                    "Content-Type".to_owned(),
                    "application/json; charset=GBK".to_owned(),
                );
                write(out, &head(200, &[kind], encoded.len()), &encoded).await?;
            }
        }
    }
    Ok(())
}

fn head(status: u16, headers: &[(String, String)], length: usize) -> String {
    let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head + "\r\n"
}

async fn write(out: &mut TcpStream, head: &str, body: &[u8]) -> std::io::Result<()> {
    out.write_all(head.as_bytes()).await?;
    out.write_all(body).await?;
    out.flush().await
}

/// The next request; none when the client has gone.
pub async fn read_request(stream: &mut (impl AsyncBufReadExt + Unpin)) -> std::io::Result<Option<Asked>> {
    let mut asked = Asked::default();
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace();
    asked.method = words.next().unwrap_or_default().to_owned();
    let target = words.next().unwrap_or_default().to_owned();
    loop {
        line.clear();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => {
                asked
                    .headers
                    .insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            None => break,
        }
    }
    let length = asked
        .headers
        .get("content-length")
        .and_then(|l| l.parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    asked.body = String::from_utf8_lossy(&body).into_owned();
    let url = url::Url::parse(&format!("http://h{target}")).map_err(std::io::Error::other)?;
    asked.path = url.path().to_owned();
    asked.query = url.query().unwrap_or_default().to_owned();
    asked.params = url.query_pairs().into_owned().collect();
    if asked
        .headers
        .get("content-type")
        .is_some_and(|t| t.contains("form"))
    {
        asked
            .params
            .extend(url::form_urlencoded::parse(&body).into_owned());
    } else if let Ok(serde_json::Value::Object(members)) = serde_json::from_slice(&body) {
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        asked.params.extend(
            members
                .into_iter()
                .filter(|(_, v)| !v.is_null())
                .map(|(n, v)| (n, text(v))),
        );
    }
    Ok(Some(asked))
}

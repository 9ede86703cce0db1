//! One scenario: a platform, its script, what is done, and what must come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use rest::RestConnector;

use crate::host::{Hand, Host};
use crate::server::{Answer, Guard, Server, Step};
use crate::world::{Order, World};

/// How the platform's list is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum List {
    /// One answer, no pages.
    Single,
    /// `page` and `size`, with a total.
    Pages,
    /// `page` and `size` until an empty page.
    PagesUntilEmpty,
    /// `page` and `size`, with the number of pages.
    PagesCounted,
    Offset,
    Token,
    Link,
    NextUrl,
    /// Pages asked for by a JSON body.
    JsonBody,
    /// Pages asked for by a form.
    Form,
    /// Windows of 30 minutes, in pages.
    Windows,
    /// From the last update on, in pages.
    Cursor,
    /// From the last update on, page by page.
    Keyset,
    Feed,
}

impl List {
    /// Ten records a page.
    pub fn config(self) -> String {
        let query = |text: &str| format!("request = {{ path = '/orders', query = {{ {text} }} }}\n");
        let response = "[stream.response]\nrecords = 'data.list'\n";
        let total = "total = 'data.total'\n";
        let pages = query("page = '{page}', size = '{page_size}'");
        match self {
            Self::Single => query("") + response + total,
            Self::Pages => pages + response + total + "[stream.pagination]\nkind = 'page'\nsize = 10\n",
            Self::PagesUntilEmpty => pages + response + "[stream.pagination]\nkind = 'page'\nsize = 10\n",
            Self::PagesCounted => {
                pages + response + "[stream.pagination]\nkind = 'page'\nsize = 10\npages = '$.data.pages'\n"
            }
            Self::Offset => {
                query("offset = '{offset}', size = '{page_size}'")
                    + response
                    + total
                    + "[stream.pagination]\nkind = 'offset'\nsize = 10\n"
            }
            Self::Token => {
                query("token = '{token}', size = '{page_size}'")
                    + response
                    + total
                    + "[stream.pagination]\nkind = 'token'\nsize = 10\nnext = '$.data.nextToken'\n"
            }
            Self::Link => query("size = '{page_size}'") + response + "[stream.pagination]\nkind = 'link'\nsize = 10\n",
            Self::NextUrl => {
                query("size = '{page_size}'")
                    + response
                    + "[stream.pagination]\nkind = 'next_url'\nnext = 'data.nextUrl'\nsize = 10\n"
            }
            Self::JsonBody => {
                let body = r#"{"page": {page}, "size": {page_size}, "token": "{token}"}"#;
                format!("request = {{ method = 'POST', path = 'orders', body = '{body}' }}\n")
                    + response
                    + total
                    + "[stream.pagination]\nkind = 'page'\nsize = 10\n"
            }
            Self::Form => {
                "request = { method = 'POST', path = 'orders', form = { page = '{page}', size = '{page_size}' } }\n"
                    .to_owned()
                    + response
                    + total
                    + "[stream.pagination]\nkind = 'page'\nsize = 10\n"
            }
            Self::Windows => {
                query("from = '{from}', to = '{to}', page = '{page}', size = '{page_size}'")
                    + response
                    + total
                    + "[stream.pagination]\nkind = 'page'\nsize = 10\n"
                    + "[stream.incremental]\nkind = 'window'\nstart = '2024-06-01 08:00'\nlength = '30m'\nlook_back = '60m'\n\
                       format = 'epoch_ms'\nfield = 'updatedAt'\n"
            }
            Self::Cursor => {
                query("since = '{cursor}', page = '{page}', size = '{page_size}'")
                    + response
                    + total
                    + "[stream.pagination]\nkind = 'page'\nsize = 10\n"
                    + "[stream.incremental]\nkind = 'cursor'\nfield = 'updatedAt'\nformat = 'epoch_ms'\nlook_back = '60m'\n"
            }
            Self::Keyset => {
                query("since = '{cursor}', size = '{page_size}'")
                    + response
                    + total
                    + "[stream.pagination]\nkind = 'keyset'\nsize = 10\n"
                    + "[stream.incremental]\nkind = 'cursor'\nfield = 'updatedAt'\nformat = 'epoch_ms'\nlook_back = '60m'\n"
            }
            Self::Feed => {
                "request = { path = 'feed', query = { token = '{token}', size = '{page_size}' } }\n".to_owned()
                    + response
                    + "has_more = 'data.hasMore'\n"
                    + "[stream.pagination]\nkind = 'token'\nsize = 10\nnext = '$.data.nextToken'\n"
                    + "[stream.incremental]\nkind = 'feed'\n"
            }
        }
    }
}

/// What is done, in order.
pub enum Do {
    Sync,
    /// A sync whose host dies after so many messages.
    Crash(usize),
    /// The platform changes between syncs.
    Change(Step),
    /// So many minutes pass.
    Minutes(i64),
    /// What was asked for so far is forgotten.
    CountRequests,
}

/// What must come of it.
#[derive(Debug, Clone)]
pub enum Expect {
    /// The committed rows are what the platform holds at the end.
    Truth,
    /// The last sync fails with this reason; the committed rows are right as far as they go, and as many as said.
    Fails(&'static str, usize),
    /// The committed rows are what the platform holds, but for so many that are rejected with this reason.
    Rejected(usize, &'static str),
    /// The committed rows are what the platform holds and these deleted ones, which only the keys can show.
    TruthAnd(&'static [&'static str]),
}

pub struct Scenario {
    name: &'static str,
    list: List,
    world: World,
    top: String,
    limits: String,
    stream: String,
    edits: Vec<(&'static str, &'static str)>,
    answers: Vec<(usize, Answer)>,
    changes: Vec<(usize, Step)>,
    guard: Option<Guard>,
    token_uses_max: usize,
    steps: Vec<Do>,
    expect: Expect,
    told: Vec<&'static str>,
    said: Vec<&'static str>,
    requests: Option<usize>,
}

/// 25 orders, three pages of ten, one sync, and the truth at the end.
pub fn scenario(name: &'static str, list: List) -> Scenario {
    Scenario {
        name,
        list,
        world: World::new(25),
        top: String::new(),
        limits: String::new(),
        stream: String::new(),
        edits: Vec::new(),
        answers: Vec::new(),
        changes: Vec::new(),
        guard: None,
        token_uses_max: usize::MAX,
        steps: vec![Do::Sync],
        expect: Expect::Truth,
        told: Vec::new(),
        said: Vec::new(),
        requests: None,
    }
}

impl Scenario {
    pub fn world(mut self, change: impl FnOnce(&mut World)) -> Self {
        change(&mut self.world);
        self
    }

    /// More of the configuration's top level.
    pub fn top(mut self, text: &str) -> Self {
        self.top.push_str(text);
        self.top.push('\n');
        self
    }

    pub fn limits(mut self, text: &str) -> Self {
        self.limits.push_str(text);
        self.limits.push('\n');
        self
    }

    /// More of the stream's own keys.
    pub fn stream(mut self, text: &str) -> Self {
        self.stream.push_str(text);
        self.stream.push('\n');
        self
    }

    /// Replaces a part of the configuration.
    pub fn edit(mut self, from: &'static str, to: &'static str) -> Self {
        self.edits.push((from, to));
        self
    }

    pub fn answer(mut self, request: usize, answer: Answer) -> Self {
        self.answers.push((request, answer));
        self
    }

    pub fn status(self, request: usize, status: u16) -> Self {
        self.answer(
            request,
            Answer::Status(status, Vec::new(), r#"{"msg":"no"}"#.to_owned()),
        )
    }

    pub fn change(mut self, request: usize, change: impl FnOnce(&mut World) + Send + 'static) -> Self {
        self.changes.push((request, Box::new(change)));
        self
    }

    pub fn guard(mut self, guard: Guard) -> Self {
        self.guard = Some(guard);
        self
    }

    pub fn token_uses_max(mut self, uses: usize) -> Self {
        self.token_uses_max = uses;
        self
    }

    pub fn steps(mut self, steps: Vec<Do>) -> Self {
        self.steps = steps;
        self
    }

    pub fn expect(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }

    pub fn fails(self, reason: &'static str, committed: usize) -> Self {
        self.expect(Expect::Fails(reason, committed))
    }

    /// What the failure's message must hold.
    pub fn says(mut self, words: &'static str) -> Self {
        self.said.push(words);
        self
    }

    /// Notices that the last sync must tell.
    pub fn tells(mut self, code: &'static str) -> Self {
        self.told.push(code);
        self
    }

    /// How many list requests there must have been, since they were last counted.
    pub fn requests(mut self, count: usize) -> Self {
        self.requests = Some(count);
        self
    }

    fn config(&self, url: &str) -> String {
        let mut stream = String::from("[[stream]]\nname = 'orders'\ndataset = 'platform_orders'\n");
        // What belongs to the stream itself must stand before its tables.
        stream.push_str(&self.stream);
        if !self.stream.contains("ignore =") {
            stream.push_str("ignore = ['hospital.name', 'updatedAt']\n");
        }
        let text = format!(
            "base_url = '{url}/open/v1'\nallow_http = true\n{}\n[limits]\nrequests_per_minute = 1000000\nburst = 100000\n\
             retry_first = '1ms'\nretry_cap = '4ms'\n{}\n{stream}{}\n[stream.columns]\nplatform_order_id = 'orderNo'\n\
             hospital_id = 'hospital.code'\nquantity = 'qty'\namount = {{ from = 'amountFen', scale = 'fen' }}\n",
            self.top,
            self.limits,
            self.list.config(),
        );
        self.edits.iter().fold(text, |text, (from, to)| {
            assert!(
                text.contains(from),
                "{}: the configuration has no {from}",
                self.name
            );
            text.replace(from, to)
        })
    }

    /// Runs the scenario; what is wrong is said with its name.
    pub async fn run(self) -> Result<(), String> {
        let name = self.name;
        let server = Server::start(self.world.clone()).await;
        let dir = tempfile::tempdir().map_err(|e| e.to_string())?;
        std::fs::write(dir.path().join("secret"), "s3cr3t\n").map_err(|e| e.to_string())?;
        let config = self.config(&server.url);
        let clock = Hand::new();
        let connector =
            connector(&config, dir.path(), &clock).map_err(|e| format!("{name}: {e}\n{config}"))?;
        let mut host = Host::new(connector, clock);
        server.with(|state| {
            state.token_uses_max = self.token_uses_max;
            state.guard = self.guard;
            self.answers
                .into_iter()
                .for_each(|(request, answer)| state.answer(request, answer));
            self.changes
                .into_iter()
                .for_each(|(request, change)| state.change(request, change));
        });
        for step in self.steps {
            match step {
                Do::Sync => host.sync(None).await,
                Do::Crash(after) => host.sync(Some(after)).await,
                Do::Change(change) => server.with(|state| change(&mut state.world)),
                Do::Minutes(minutes) => host.clock.turn(TimeDelta::minutes(minutes)),
                Do::CountRequests => server.with(|state| state.asked.clear()),
            }
        }
        let truth = server.with(|state| state.world.truth());
        let asked = server.with(|state| state.asked.len());
        let orders = host.orders();
        let mut wrong = Vec::new();
        let differences = |expected: &BTreeMap<String, String>| -> Option<String> {
            let all: BTreeSet<&String> = expected.keys().chain(orders.keys()).collect();
            let differing = all
                .into_iter()
                .filter(|key| expected.get(*key) != orders.get(*key));
            let text: Vec<String> = differing
                .map(|key| format!("{key}: {:?} instead of {:?}", orders.get(key), expected.get(key)))
                .collect();
            (!text.is_empty()).then(|| text.join("; "))
        };
        let failure = host.failure.as_ref();
        match &self.expect {
            Expect::Fails(reason, committed) => {
                match failure {
                    Some(failure) if failure.reason == *reason => {
                        if failure.message.contains("s3cr3t") {
                            wrong.push(format!("the message holds a secret: {failure}"));
                        }
                    }
                    other => wrong.push(format!("expected the failure {reason}, got {other:?}")),
                }
                if orders.len() != *committed {
                    wrong.push(format!(
                        "{} rows are committed instead of {committed}",
                        orders.len()
                    ));
                }
                let strange: Vec<&String> = orders
                    .iter()
                    .filter(|(key, value)| truth.get(*key) != Some(value))
                    .map(|(k, _)| k)
                    .collect();
                if !strange.is_empty() {
                    wrong.push(format!("committed and not true: {strange:?}"));
                }
            }
            other => {
                if let Some(failure) = failure {
                    wrong.push(format!("failed with {}: {failure}", failure.reason));
                }
                let mut expected = truth.clone();
                if let Expect::Rejected(count, reason) = other {
                    let found = host
                        .rejected
                        .iter()
                        .filter(|r| r.reason.code() == *reason)
                        .count();
                    if (found, host.rejected.len()) != (*count, *count) {
                        wrong.push(format!("rejected: {:?}", host.rejected));
                    }
                    for rejected in &host.rejected {
                        let raw = String::from_utf8_lossy(&rejected.raw).into_owned();
                        let orders = server.with(|state| state.world.orders.clone());
                        let is_it =
                            |o: &Order| raw.contains(&o.no) || raw.contains(&o.updated_ms.to_string());
                        orders
                            .iter()
                            .filter(|o| is_it(o))
                            .for_each(|o| drop(expected.remove(&o.no)));
                    }
                } else if !host.rejected.is_empty() {
                    wrong.push(format!("rejected: {:?}", host.rejected));
                }
                if let Expect::TruthAnd(kept) = other {
                    for key in *kept {
                        expected.insert((*key).to_owned(), orders.get(*key).cloned().unwrap_or_default());
                    }
                }
                wrong.extend(differences(&expected));
            }
        }
        let message = failure.map(|f| f.message.as_str()).unwrap_or_default();
        for words in self.said.iter().filter(|words| !message.contains(**words)) {
            wrong.push(format!("the failure does not say {words:?}: {message}"));
        }
        for code in &self.told {
            if !host.told().contains(code) {
                wrong.push(format!("{code} is not told, but {:?}", host.told()));
            }
        }
        let unexpected: Vec<&str> = host
            .told()
            .into_iter()
            .filter(|code| !self.told.contains(code))
            .collect();
        if !unexpected.is_empty() {
            wrong.push(format!("told besides: {unexpected:?}"));
        }
        if self.requests.is_some_and(|count| count != asked) {
            wrong.push(format!(
                "{asked} requests instead of {}",
                self.requests.unwrap_or_default()
            ));
        }
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(format!("{name}: {}", wrong.join("\n    ")))
        }
    }
}

pub fn connector(config: &str, dir: &Path, clock: &Hand) -> Result<RestConnector, String> {
    let connector =
        RestConnector::from_toml(config, dir, Arc::new(clock.clone())).map_err(|e| e.to_string())?;
    Ok(connector.with_seed(1))
}

/// Runs all, side by side, and says everything that is wrong.
pub async fn check(scenarios: Vec<Scenario>) {
    let count = scenarios.len();
    let names: BTreeSet<&str> = scenarios.iter().map(|s| s.name).collect();
    assert_eq!(names.len(), count, "two scenarios share a name");
    let running: Vec<_> = scenarios.into_iter().map(|s| tokio::spawn(s.run())).collect();
    let mut wrong = Vec::new();
    for run in running {
        match run.await {
            Ok(Ok(())) => {}
            Ok(Err(text)) => wrong.push(text),
            Err(panic) => wrong.push(panic.to_string()),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {count} scenarios:\n  {}",
        wrong.len(),
        wrong.join("\n  ")
    );
}

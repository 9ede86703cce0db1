//! The configuration, checked: names looked up, templates and selectors parsed, so that a mistake is told before
//! anything is asked of the platform.

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use connector::coerce::date::Zone;
use connector::mapping::{ConstantRow, FieldMapping};
use domain::Dataset;
use url::Url;

use crate::config::{self, Auth, Config, Limits, Method, TotalIs, Verify};
use crate::error::RestError;
use crate::moment::TimeFormat;
use crate::select::Selector;
use crate::sign::Signer;
use crate::template::Template;

/// One platform, ready to be read.
#[derive(Debug)]
pub struct Platform {
    pub source: Option<String>,
    pub zone: Zone,
    pub quarantine_limit_bp: Option<u32>,
    pub base_url: Url,
    /// The folder that relative paths of files start from.
    pub base_dir: PathBuf,
    pub headers: Vec<(String, String)>,
    pub proxy: Option<String>,
    pub tls: config::Tls,
    pub auth: Auth,
    pub signer: Option<Signer>,
    pub token_url: Option<Url>,
    pub token_selectors: Option<(Selector, Selector)>,
    pub limits: Limits,
    pub envelope: Option<Envelope>,
    pub streams: Vec<Arc<StreamPlan>>,
    pub rows: Vec<ConstantRow>,
    /// The configuration as written; it holds no secrets.
    pub text: String,
}

/// The platform's own code in each answer.
#[derive(Debug)]
pub struct Envelope {
    pub code: Selector,
    pub message: Option<Selector>,
    pub success: HashSet<String>,
    pub transient: HashSet<String>,
    pub expired: HashSet<String>,
}

/// One list, ready to be read.
#[derive(Debug)]
pub struct StreamPlan {
    pub name: Arc<str>,
    pub dataset: Arc<Dataset>,
    pub endpoint: Arc<Endpoint>,
    pub fields: FieldMapping,
    pub optional: BTreeSet<String>,
    pub incremental: Increment,
    pub reread_after: Option<Duration>,
    pub keys: Option<KeysPlan>,
}

/// How the keys of a stream are listed.
#[derive(Debug)]
pub struct KeysPlan {
    pub endpoint: Arc<Endpoint>,
    pub fields: FieldMapping,
}

/// What is asked, and where things are in the answer.
#[derive(Debug)]
pub struct Endpoint {
    pub method: Method,
    pub path: Template,
    pub query: Vec<(String, Template)>,
    pub headers: Vec<(String, Template)>,
    pub body: BodyPlan,
    pub records: Selector,
    pub lines: Option<String>,
    pub total: Option<Selector>,
    pub total_is: TotalIs,
    pub has_more: Option<Selector>,
    pub empty_when_missing: bool,
    pub encoding: Option<&'static encoding_rs::Encoding>,
    pub pages: Paging,
}

/// What the request carries.
#[derive(Debug)]
pub enum BodyPlan {
    None,
    Json(Template),
    Form(Vec<(String, Template)>),
}

/// How a list is cut into pages.
#[derive(Debug)]
pub struct Paging {
    pub turn: Turn,
    pub size: Option<u64>,
    pub verify: Verify,
}

/// How one page leads to the next.
#[derive(Debug)]
pub enum Turn {
    None,
    Page { first: u64, pages: Option<Selector> },
    Offset,
    Token(Selector),
    Link,
    NextUrl(Selector),
    Keyset,
}

/// How only what is new is read.
#[derive(Debug)]
pub enum Increment {
    Whole,
    Window(WindowPlan),
    Cursor(CursorPlan),
    Feed { start: Option<String> },
}

#[derive(Debug)]
pub struct WindowPlan {
    pub start: DateTime<Utc>,
    pub length: Duration,
    pub look_back: Duration,
    pub safety_lag: Duration,
    pub overlap: Duration,
    pub format: TimeFormat,
    pub field: Option<String>,
    pub split_over: Option<u64>,
}

#[derive(Debug)]
pub struct CursorPlan {
    pub field: String,
    pub values: CursorValues,
    /// In the unit of the values.
    pub start: Option<i64>,
    /// In the unit of the values.
    pub look_back: i64,
    pub safety_lag: Duration,
}

/// What a cursor's values are: microseconds since 1970 or whole numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorValues {
    Number,
    Time(TimeFormat),
}

impl CursorValues {
    pub fn read(&self, text: &str, zone: Zone) -> Option<i64> {
        match self {
            Self::Number => text.trim().parse().ok(),
            Self::Time(format) => format.read(text, zone).map(|t| t.timestamp_micros()),
        }
    }

    /// How the values are written, as the configuration says it.
    pub fn name(&self) -> String {
        match self {
            Self::Number => "number".to_owned(),
            Self::Time(format) => format.to_string(),
        }
    }

    pub fn write(&self, value: i64, zone: Zone) -> String {
        match self {
            Self::Number => value.to_string(),
            Self::Time(format) => DateTime::from_timestamp_micros(value)
                .map_or_else(|| value.to_string(), |moment| format.write(moment, zone)),
        }
    }
}

/// Values of a request's placeholders.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vars {
    pub from: Option<String>,
    pub to: Option<String>,
    pub cursor: Option<String>,
    pub token: Option<String>,
    pub page: Option<u64>,
    pub page_size: Option<u64>,
    pub offset: Option<u64>,
}

impl Vars {
    fn value(&self, name: &str) -> Option<Cow<'_, str>> {
        let text = |t: &'_ Option<String>| t.clone().map(Cow::Owned);
        let number = |n: Option<u64>| n.map(|n| Cow::Owned(n.to_string()));
        match name {
            "from" => text(&self.from),
            "to" => text(&self.to),
            "cursor" => text(&self.cursor),
            "token" => text(&self.token),
            "page" => number(self.page),
            "page_size" => number(self.page_size),
            "offset" => number(self.offset),
            _ => None,
        }
    }
}

/// One request, before it is authorised.
#[derive(Debug, Clone)]
pub struct Call {
    pub method: Method,
    /// Without a query.
    pub url: Url,
    pub query: Vec<(String, String)>,
    pub headers: Vec<(String, String)>,
    pub body: Body,
    /// How messages and raw copies name it: `orders GET /orders?page=1`. Holds no secret.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    None,
    Json(String),
    Form(Vec<(String, String)>),
}

impl Endpoint {
    /// The request for these values.
    pub fn call(&self, platform: &Platform, stream: &str, vars: &Vars) -> Result<Call, RestError> {
        let value = |name: &str| vars.value(name);
        let filled = |pairs: &[(String, Template)]| -> Vec<(String, String)> {
            let filled = pairs
                .iter()
                .filter_map(|(name, t)| Some((name.clone(), t.render(value)?)));
            filled.collect()
        };
        let path = self.path.render(value).unwrap_or_default();
        let url = below(&platform.base_url, &path).map_err(RestError::config)?;
        let body = match &self.body {
            BodyPlan::None => Body::None,
            BodyPlan::Json(template) => Body::Json(template.render_json(value)),
            BodyPlan::Form(fields) => Body::Form(filled(fields)),
        };
        Ok(named(
            Call {
                method: self.method,
                url,
                query: filled(&self.query),
                headers: filled(&self.headers),
                body,
                name: String::new(),
            },
            stream,
        ))
    }

    /// The request for a URL that the platform gave as that of the next page.
    pub fn next_call(&self, url: &Url, stream: &str, vars: &Vars, secret_params: &[String]) -> Call {
        let value = |name: &str| vars.value(name);
        let query = url
            .query_pairs()
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .filter(|(name, _)| !secret_params.contains(name))
            .collect();
        let headers = self.headers.iter();
        let headers = headers
            .filter_map(|(name, t)| Some((name.clone(), t.render(value)?)))
            .collect();
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        named(
            Call {
                method: self.method,
                url: bare,
                query,
                headers,
                body: Body::None,
                name: String::new(),
            },
            stream,
        )
    }
}

/// Longest name of a request.
const NAME_CHARS_MAX: usize = 400;

fn named(mut call: Call, stream: &str) -> Call {
    let method = match call.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    let mut name = format!("{stream} {method} {}", call.url.path());
    for (at, (key, value)) in call.query.iter().enumerate() {
        name.push(if at == 0 { '?' } else { '&' });
        name.push_str(&format!("{key}={value}"));
    }
    match &call.body {
        Body::None => {}
        Body::Json(text) => name.push_str(&format!(" {text}")),
        Body::Form(fields) => {
            let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k}={v}")).collect();
            name.push_str(&format!(" {}", fields.join("&")));
        }
    }
    if let Some((cut, _)) = name.char_indices().nth(NAME_CHARS_MAX) {
        name.truncate(cut);
        name.push('…');
    }
    call.name = name;
    call
}

/// `path` below the base, whose own path is kept.
pub fn below(base: &Url, path: &str) -> Result<Url, String> {
    let mut url = base.clone();
    let joined = format!(
        "{}/{}",
        base.path().trim_end_matches('/'),
        path.trim_start_matches('/')
    );
    if path.contains(['?', '#']) {
        return Err(format!("path {path:?}: put what follows ? under query"));
    }
    url.set_path(if path.is_empty() { base.path() } else { &joined });
    Ok(url)
}

impl Platform {
    pub fn new(config: Config, text: String, base_dir: &Path) -> Result<Self, RestError> {
        crate::plan_build::build(config, text, base_dir).map_err(RestError::config)
    }
}

impl Endpoint {
    /// Placeholders that the request uses.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let body: Vec<&Template> = match &self.body {
            BodyPlan::None => Vec::new(),
            BodyPlan::Json(template) => vec![template],
            BodyPlan::Form(fields) => fields.iter().map(|(_, t)| t).collect(),
        };
        let pairs = self.query.iter().chain(&self.headers).map(|(_, t)| t);
        std::iter::once(&self.path)
            .chain(pairs)
            .chain(body)
            .flat_map(Template::names)
    }
}

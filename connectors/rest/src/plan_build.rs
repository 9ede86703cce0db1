//! From the configuration as written to a plan: every name is looked up, and what does not fit is named.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use connector::coerce::date::Zone;
use connector::mapping::written::{RawColumn, Scalar};
use connector::mapping::{self, FieldMapping};
use domain::Dataset;
use url::Url;

use crate::config::{
    self, Auth, Config, Incremental, Limits, Method, Pagination, Request, Response, Span, Verify,
};
use crate::moment::{self, TimeFormat};
use crate::plan::{
    BodyPlan, CursorPlan, CursorValues, Endpoint, Envelope, Increment, KeysPlan, Paging, Platform,
    StreamPlan, Turn, WindowPlan, below,
};
use crate::select::Selector;
use crate::sign::Signer;
use crate::template::Template;

/// Placeholders of requests.
const NAMES: &[&str] = &["from", "to", "cursor", "token", "page", "page_size", "offset"];

/// Checks a whole configuration; an error is a sentence that says where and what.
pub fn build(config: Config, text: String, base_dir: &Path) -> Result<Platform, String> {
    let zone = mapping::time_zone(config.time_zone.as_deref())?;
    let quarantine_limit_bp = config.quarantine_limit.as_deref().map(mapping::quarantine_limit);
    let base_url = base_url(&config.base_url, config.allow_http)?;
    check_tls(&config.tls)?;
    check_limits(&config.limits)?;
    let envelope = config.envelope.as_ref().map(envelope).transpose()?;
    if config.stream.is_empty() {
        return Err("there is no [[stream]]; name at least one list to read".to_owned());
    }
    let mut streams: Vec<Arc<StreamPlan>> = Vec::new();
    for raw in &config.stream {
        let plan = stream(raw, &config.nulls, zone)
            .map_err(|e| format!("stream {}: {e}", raw.name.as_ref().unwrap_or(&raw.dataset)))?;
        if streams.iter().any(|s| s.name == plan.name) {
            return Err(format!(
                "two streams are called {}; give each its own name",
                plan.name
            ));
        }
        streams.push(Arc::new(plan));
    }
    let rows = config
        .rows
        .into_iter()
        .map(mapping::constant_row)
        .collect::<Result<_, _>>()?;
    let (mut signer, mut token_url, mut token_selectors) = (None, None, None);
    match &config.auth {
        Auth::Signed(raw) => signer = Some(Signer::new(raw, zone).map_err(|e| format!("auth: {e}"))?),
        Auth::Oauth2(raw) => {
            token_url = Some(if raw.token_url.contains("://") {
                base_url_of_tokens(&raw.token_url, config.allow_http)?
            } else {
                below(&base_url, &raw.token_url)?
            });
            let selector = |text: &str| Selector::parse(text).map_err(|e| format!("auth: {e}"));
            token_selectors = Some((selector(&raw.token)?, selector(&raw.expires_in)?));
        }
        Auth::None | Auth::Header(_) | Auth::Query(_) | Auth::Basic(_) => {}
    }
    Ok(Platform {
        source: config.source,
        zone,
        quarantine_limit_bp: quarantine_limit_bp.transpose()?,
        base_url,
        base_dir: base_dir.to_owned(),
        headers: config.headers.into_iter().collect(),
        proxy: config.proxy,
        tls: config.tls,
        auth: config.auth,
        signer,
        token_url,
        token_selectors,
        limits: config.limits,
        envelope,
        streams,
        rows,
        text,
    })
}

fn base_url(text: &str, allow_http: bool) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|e| format!("base_url {text:?} is no URL: {e}"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err("base_url holds credentials or a query; put them under auth and query".to_owned());
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if allow_http => Ok(url),
        "http" => Err(format!(
            "base_url {text:?} is not encrypted; use https, or say allow_http = true if the platform really has no other"
        )),
        other => Err(format!("base_url has the scheme {other:?}; use https")),
    }
}

fn base_url_of_tokens(text: &str, allow_http: bool) -> Result<Url, String> {
    base_url(text, allow_http).map_err(|e| e.replace("base_url", "auth.token_url"))
}

fn check_tls(tls: &config::Tls) -> Result<(), String> {
    if tls.client_cert.is_some() != tls.client_key.is_some() {
        return Err("tls: give both client_cert and client_key, or neither".to_owned());
    }
    if tls.system_roots && tls.ca.is_none() {
        return Err("tls: system_roots is for use beside ca; without ca they are trusted anyway".to_owned());
    }
    Ok(())
}

fn check_limits(limits: &Limits) -> Result<(), String> {
    let positive = [
        ("requests_per_minute", u64::from(limits.requests_per_minute)),
        ("burst", u64::from(limits.burst)),
        ("tries", u64::from(limits.tries)),
        ("pages_max", limits.pages_max),
        ("body_bytes_max", limits.body_bytes_max),
    ];
    if let Some((name, _)) = positive.iter().find(|(_, value)| *value == 0) {
        return Err(format!("limits: {name} must be 1 at least"));
    }
    if limits.passes_max < 2 {
        return Err("limits: passes_max must be 2 at least, or pagination.verify = \"none\"".to_owned());
    }
    Ok(())
}

fn envelope(raw: &config::Envelope) -> Result<Envelope, String> {
    let selector = |text: &String| Selector::parse(text).map_err(|e| format!("envelope: {e}"));
    let set = |codes: &[Scalar]| codes.iter().map(|c| c.0.clone()).collect();
    if raw.success.is_empty() {
        return Err("envelope: success names no code".to_owned());
    }
    Ok(Envelope {
        code: selector(&raw.code)?,
        message: raw.message.as_ref().map(selector).transpose()?,
        success: set(&raw.success),
        transient: set(&raw.transient),
        expired: set(&raw.expired),
    })
}

fn stream(raw: &config::Stream, nulls: &[String], zone: Zone) -> Result<StreamPlan, String> {
    let dataset = mapping::known_dataset(&raw.dataset)?;
    let nulls: Vec<String> = raw.nulls.iter().chain(nulls).cloned().collect();
    let fields = FieldMapping::new(&dataset, &raw.columns, nulls.clone(), &raw.ignore, &[])?;
    if let Some(name) = raw.optional.iter().find(|name| dataset.column(name).is_none()) {
        return Err(format!("optional: {}", mapping::unknown_column(&dataset, name)));
    }
    if let Some(name) = raw.optional.iter().find(|name| dataset.key.contains(name)) {
        return Err(format!("optional: {name} is a key column and cannot be left out"));
    }
    let endpoint = endpoint(&raw.request, &raw.response, &raw.pagination)?;
    let incremental = increment(raw.incremental.as_ref(), zone)?;
    check_fit(&endpoint, &incremental, raw)?;
    let keys = raw
        .keys
        .as_ref()
        .map(|k| keys(k, raw, &dataset, &nulls))
        .transpose();
    Ok(StreamPlan {
        name: raw.name.as_deref().unwrap_or(&raw.dataset).into(),
        dataset: dataset.clone(),
        endpoint: Arc::new(endpoint),
        fields,
        optional: raw.optional.iter().cloned().collect(),
        incremental,
        reread_after: raw.reread_after.map(|s| s.0),
        keys: keys.map_err(|e| format!("keys: {e}"))?,
    })
}

/// Whether what is asked for and what is answered fit together.
fn check_fit(endpoint: &Endpoint, incremental: &Increment, raw: &config::Stream) -> Result<(), String> {
    let used: BTreeSet<&str> = endpoint.names().collect();
    let needs = |name: &str, why: &str| {
        if used.contains(name) {
            Ok(())
        } else {
            Err(format!("{why} needs {{{name}}} somewhere in the request"))
        }
    };
    match incremental {
        Increment::Window(_) => {
            needs("from", "incremental.kind = \"window\"")?;
            needs("to", "incremental.kind = \"window\"")?;
        }
        Increment::Cursor(_) => needs("cursor", "incremental.kind = \"cursor\"")?,
        Increment::Feed { .. } if !matches!(endpoint.pages.turn, Turn::Token(_)) => {
            return Err("incremental.kind = \"feed\" needs pagination.kind = \"token\"".to_owned());
        }
        Increment::Feed { .. } | Increment::Whole => {}
    }
    match endpoint.pages.turn {
        Turn::Page { .. } => needs("page", "pagination.kind = \"page\"")?,
        Turn::Offset => needs("offset", "pagination.kind = \"offset\"")?,
        Turn::Token(_) => needs("token", "pagination.kind = \"token\"")?,
        Turn::Keyset if !matches!(incremental, Increment::Cursor(_)) => {
            return Err("pagination.kind = \"keyset\" needs incremental.kind = \"cursor\"".to_owned());
        }
        Turn::Keyset | Turn::None | Turn::Link | Turn::NextUrl(_) => {}
    }
    if raw.reread_after.is_some() && !matches!(incremental, Increment::Whole) {
        return Err(
            "reread_after is for lists that are read whole; take out incremental or reread_after".to_owned(),
        );
    }
    Ok(())
}

fn keys(
    raw: &config::Keys,
    stream: &config::Stream,
    dataset: &Dataset,
    nulls: &[String],
) -> Result<KeysPlan, String> {
    let mut columns: BTreeMap<String, RawColumn> = stream.columns.clone();
    columns.retain(|name, _| dataset.key.contains(name));
    columns.extend(raw.columns.clone());
    if let Some(name) = columns.keys().find(|name| !dataset.key.contains(name)) {
        return Err(format!("{name} is no key column of {}", dataset.name));
    }
    Ok(KeysPlan {
        endpoint: Arc::new(endpoint(&raw.request, &raw.response, &raw.pagination)?),
        fields: FieldMapping::new(dataset, &columns, nulls.to_vec(), &[], &[])?,
    })
}

fn endpoint(request: &Request, response: &Response, pagination: &Pagination) -> Result<Endpoint, String> {
    let template = |text: &str| Template::parse(text, NAMES).map_err(|e| format!("request: {e}"));
    let selector = |text: &String| Selector::parse(text).map_err(|e| format!("response: {e}"));
    let scalars = |map: &BTreeMap<String, Scalar>| -> Result<Vec<_>, String> {
        map.iter()
            .map(|(name, value)| Ok((name.clone(), template(&value.0)?)))
            .collect()
    };
    let body = match (&request.body, request.form.is_empty()) {
        (None, true) => BodyPlan::None,
        (Some(text), true) => BodyPlan::Json(template(text)?),
        (None, false) => BodyPlan::Form(scalars(&request.form)?),
        (Some(_), false) => return Err("request: give body or form, not both".to_owned()),
    };
    if request.path.contains(['?', '#']) {
        return Err(format!(
            "request: path {:?}: put what follows ? under query",
            request.path
        ));
    }
    if request.method == Method::Get && !matches!(body, BodyPlan::None) {
        return Err("request: a GET has no body; say method = \"POST\"".to_owned());
    }
    let headers = request.headers.iter();
    let headers = headers.map(|(name, value)| Ok((name.clone(), template(value)?)));
    let encoding = match response.encoding.as_deref() {
        None => None,
        Some(label) => Some(
            encoding_rs::Encoding::for_label(label.as_bytes())
                .ok_or_else(|| format!("response: encoding {label:?} is not known"))?,
        ),
    };
    Ok(Endpoint {
        method: request.method,
        path: template(&request.path)?,
        query: scalars(&request.query)?,
        headers: headers.collect::<Result<_, String>>()?,
        body,
        records: selector(&response.records)?,
        lines: response.lines.clone(),
        total: response.total.as_ref().map(selector).transpose()?,
        total_is: response.total_is,
        has_more: response.has_more.as_ref().map(selector).transpose()?,
        empty_when_missing: response.empty_when_missing,
        encoding,
        pages: paging(pagination)?,
    })
}

fn paging(raw: &Pagination) -> Result<Paging, String> {
    let selector = |text: &String| Selector::parse(text).map_err(|e| format!("pagination: {e}"));
    let (turn, size, verify) = match raw {
        Pagination::None => (Turn::None, None, Verify::None),
        Pagination::Page(p) => {
            let pages = p.pages.as_ref().map(selector).transpose()?;
            (
                Turn::Page {
                    first: p.first,
                    pages,
                },
                Some(p.size),
                p.verify,
            )
        }
        Pagination::Offset(p) => (Turn::Offset, Some(p.size), p.verify),
        Pagination::Token(p) => (Turn::Token(selector(&p.next)?), Some(p.size), p.verify),
        Pagination::Link(p) => (Turn::Link, Some(p.size), p.verify),
        Pagination::NextUrl(p) => (Turn::NextUrl(selector(&p.next)?), Some(p.size), p.verify),
        Pagination::Keyset(p) => (Turn::Keyset, Some(p.size), Verify::None),
    };
    if size == Some(0) {
        return Err("pagination: size must be 1 at least".to_owned());
    }
    Ok(Paging { turn, size, verify })
}

fn increment(raw: Option<&Incremental>, zone: Zone) -> Result<Increment, String> {
    let wrong = |e: String| format!("incremental: {e}");
    Ok(match raw {
        None => Increment::Whole,
        Some(Incremental::Feed(feed)) => Increment::Feed {
            start: feed.start.clone(),
        },
        Some(Incremental::Window(w)) => {
            if w.length.0 < Duration::from_secs(1) {
                return Err(wrong("length must be 1s at least".to_owned()));
            }
            Increment::Window(WindowPlan {
                start: moment::configured(&w.start, zone).map_err(wrong)?,
                length: w.length.0,
                look_back: w.look_back.0,
                safety_lag: w.safety_lag.0,
                overlap: w.overlap.0,
                format: TimeFormat::parse(&w.format).map_err(wrong)?,
                field: w.field.clone(),
                split_over: w.split_over,
            })
        }
        Some(Incremental::Cursor(c)) => {
            let (values, look_back) = if c.format == "number" {
                let look_back = c.look_back.0.parse::<u32>().map_err(|_| {
                    wrong(format!(
                        "look_back {:?} is no number; for numbers give a number",
                        c.look_back.0
                    ))
                })?;
                (CursorValues::Number, i64::from(look_back))
            } else {
                let look_back = Span::parse(&c.look_back.0).ok_or_else(|| {
                    wrong(format!(
                        "look_back {:?} is no span such as \"10m\"",
                        c.look_back.0
                    ))
                })?;
                (
                    CursorValues::Time(TimeFormat::parse(&c.format).map_err(wrong)?),
                    look_back.micros(),
                )
            };
            let start = match &c.start {
                None => None,
                Some(start) => Some(values.read(&start.0, zone).ok_or_else(|| {
                    wrong(format!(
                        "start {:?} is not written in the format {:?}",
                        start.0, c.format
                    ))
                })?),
            };
            Increment::Cursor(CursorPlan {
                field: c.field.clone(),
                values,
                start,
                look_back,
                safety_lag: c.safety_lag.0,
            })
        }
    })
}

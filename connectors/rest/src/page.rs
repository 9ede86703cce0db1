//! One page: asked for, and where the next one is. Keeping it and making rows of it is left to another thread, so that
//! the next page can be on its way meanwhile.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use connector::{RawBatch, RawStore};
use encoding_rs::Encoding;
use url::Url;

use crate::error::RestError;
use crate::http::{Answer, Session, decode};
use crate::plan::{Call, Endpoint, Turn, Vars};
use crate::select::{Found, NoRecords};

/// Where a page is in its list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// From 0: how many pages came before.
    pub index: u64,
    /// How many records came before.
    pub offset: u64,
    pub token: Option<String>,
    pub url: Option<Url>,
}

/// A page as it came.
#[derive(Debug)]
pub struct Page {
    /// How it is called: the stream and what was asked for.
    pub name: Arc<str>,
    pub answer: Answer,
    pub text: String,
    /// Where in the text its records are.
    places: Vec<Range<usize>>,
    /// How many records the platform announces.
    pub total: Option<u64>,
    /// Whether it says that more follow.
    pub has_more: Option<bool>,
    /// The token that it names as the next, whether or not more follow.
    pub token: Option<String>,
    pub next: Option<Place>,
}

/// A page's raw copy, and how to read it again.
#[derive(Debug, Clone)]
pub struct Kept {
    pub raw: RawBatch,
    pub name: Arc<str>,
    encoding: &'static Encoding,
}

impl Kept {
    /// The text of the kept copy. Blocking.
    pub fn read(&self) -> Result<String, RestError> {
        let failed = |source| RestError::ReadAgain {
            name: self.name.to_string(),
            source,
        };
        let path: &PathBuf = &self.raw.path;
        let bytes = std::fs::read(path).map_err(failed)?;
        decode(&bytes, self.encoding).ok_or_else(|| {
            failed(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "it is no text any more",
            ))
        })
    }
}

impl Page {
    pub fn count(&self) -> u64 {
        self.places.len() as u64
    }

    /// The records as they are written.
    pub fn records(&self) -> Vec<&str> {
        self.places
            .iter()
            .map(|place| &self.text[place.clone()])
            .collect()
    }

    /// Keeps the page's bytes as they came. Blocking.
    pub fn keep(&self, store: &dyn RawStore) -> Result<Kept, RestError> {
        Ok(Kept {
            raw: keep(store, &self.answer, &self.name)?,
            name: self.name.clone(),
            encoding: self.answer.encoding,
        })
    }

    /// Asks for the page at `place`. One that has not the shape it should have is kept in `store`, for a look at it.
    pub async fn load(
        session: &Session,
        stream: &str,
        endpoint: &Arc<Endpoint>,
        store: &Arc<dyn RawStore>,
        vars: &Vars,
        place: Place,
    ) -> Result<Self, RestError> {
        let vars = at_place(endpoint, vars, &place);
        let call = match &place.url {
            None => endpoint.call(&session.platform, stream, &vars)?,
            Some(url) => endpoint.next_call(url, stream, &vars, &session.secret_params()),
        };
        let answer = session.fetch(&call, endpoint.encoding).await?;
        let base = session.platform.base_url.clone();
        let (endpoint, store) = (endpoint.clone(), store.clone());
        let work = move || look_into(&base, &endpoint, &*store, &call, answer, &place);
        let looked = tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| RestError::Stopped)?;
        looked.map_err(|error| session.outlined(error))
    }
}

/// Where in the text its parts are.
fn places_in(text: &str, parts: &[&str]) -> Vec<Range<usize>> {
    let start = |part: &str| part.as_ptr() as usize - text.as_ptr() as usize;
    parts.iter().map(|p| start(p)..start(p) + p.len()).collect()
}

fn at_place(endpoint: &Endpoint, vars: &Vars, place: &Place) -> Vars {
    let mut vars = Vars {
        page_size: endpoint.pages.size,
        ..vars.clone()
    };
    match &endpoint.pages.turn {
        Turn::Page { first, .. } => vars.page = Some(first + place.index),
        Turn::Offset => vars.offset = Some(place.offset),
        Turn::Token(_) => vars.token = place.token.clone().or(vars.token),
        Turn::None | Turn::Link | Turn::NextUrl(_) | Turn::Keyset => {}
    }
    vars
}

fn keep(store: &dyn RawStore, answer: &Answer, name: &str) -> Result<RawBatch, RestError> {
    store
        .put_bytes(&answer.bytes, name)
        .map_err(|source| RestError::Keep {
            name: name.to_owned(),
            source,
        })
}

fn look_into(
    base: &Url,
    endpoint: &Endpoint,
    store: &dyn RawStore,
    call: &Call,
    answer: Answer,
    place: &Place,
) -> Result<Page, RestError> {
    let text = answer.text().unwrap_or_default();
    match shape_of(base, endpoint, call, &answer, &text, place) {
        Ok(shape) => Ok(Page {
            name: call.name.as_str().into(),
            answer,
            places: shape.places,
            total: shape.total,
            has_more: shape.has_more,
            token: shape.token,
            next: shape.next,
            text,
        }),
        Err(mut error) => {
            keep(store, &answer, &call.name)?;
            if let RestError::Shape { outline, .. } = &mut error {
                *outline = text;
            }
            Err(error)
        }
    }
}

/// What a page says of itself.
struct Shape {
    places: Vec<Range<usize>>,
    total: Option<u64>,
    has_more: Option<bool>,
    token: Option<String>,
    next: Option<Place>,
}

fn shape_of(
    base: &Url,
    endpoint: &Endpoint,
    call: &Call,
    answer: &Answer,
    text: &str,
    place: &Place,
) -> Result<Shape, RestError> {
    let records = endpoint.records_of(text, &call.name)?;
    let total = endpoint.number(endpoint.total.as_ref(), "total", text, &call.name)?;
    let has_more = endpoint.flag(text, &call.name)?;
    let count = records.len() as u64;
    let (next, token) = next_place(base, endpoint, call, answer, text, place, count, total, has_more)?;
    Ok(Shape {
        places: places_in(text, &records),
        total,
        has_more,
        token,
        next,
    })
}

#[expect(
    clippy::too_many_arguments,
    reason = "everything that decides whether and where a list goes on"
)]
fn next_place(
    base: &Url,
    endpoint: &Endpoint,
    call: &Call,
    answer: &Answer,
    text: &str,
    place: &Place,
    records: u64,
    total: Option<u64>,
    has_more: Option<bool>,
) -> Result<(Option<Place>, Option<String>), RestError> {
    let next = Place {
        index: place.index + 1,
        offset: place.offset + records,
        token: None,
        url: None,
    };
    // What the platform says goes before what the page looks like: it may give smaller pages than it was asked for.
    let by_count = || match (has_more, total) {
        (Some(more), _) => more,
        (None, _) if records == 0 => false,
        (None, Some(total)) => next.offset < total,
        (None, None) => true,
    };
    let target = |target: &str| -> Result<Place, RestError> {
        let refused = |target: String| RestError::OtherHost {
            request: call.name.clone(),
            target,
        };
        let url = answer.url.join(target).map_err(|_| refused(target.to_owned()))?;
        if url.origin() != base.origin() {
            return Err(refused(url.host_str().unwrap_or("another scheme").to_owned()));
        }
        Ok(Place {
            url: Some(url),
            ..next.clone()
        })
    };
    Ok(match &endpoint.pages.turn {
        Turn::None | Turn::Keyset => (None, None),
        Turn::Offset => (by_count().then_some(next), None),
        Turn::Page { pages, .. } => {
            let pages = endpoint.number(pages.as_ref(), "pages (under pagination)", text, &call.name)?;
            let more = match pages {
                Some(pages) => next.index < pages,
                None => by_count(),
            };
            (more.then_some(next), None)
        }
        Turn::Token(selector) => {
            let token = selector.one(text).scalar().filter(|t| !t.is_empty());
            let next = token
                .clone()
                .filter(|_| has_more != Some(false))
                .map(|token| Place {
                    token: Some(token),
                    ..next.clone()
                });
            if has_more == Some(true) && next.is_none() {
                return Err(endpoint.lacks("next (under pagination)", selector.as_str(), &call.name));
            }
            (next, token)
        }
        Turn::Link => {
            let link = answer.next_link.as_deref().filter(|_| has_more != Some(false));
            (link.map(target).transpose()?, None)
        }
        Turn::NextUrl(selector) => {
            let url = selector
                .one(text)
                .scalar()
                .filter(|u| !u.is_empty() && has_more != Some(false));
            (url.as_deref().map(target).transpose()?, None)
        }
    })
}

impl Endpoint {
    /// The records of an answer. An answer without them is a fault, unless the configuration says otherwise.
    pub fn records_of<'a>(&self, text: &'a str, request: &str) -> Result<Vec<&'a str>, RestError> {
        match self.records.records(text) {
            Ok(records) => Ok(records.into_iter().map(|r| r.get()).collect()),
            Err(NoRecords::Missing) if self.empty_when_missing => Ok(Vec::new()),
            Err(NoRecords::Missing) => Err(RestError::Shape {
                request: request.to_owned(),
                selector: "records",
                what: format!(
                    "the answer has no list at {} (if that means no records, say empty_when_missing = true)",
                    self.records.as_str()
                ),
                outline: String::new(),
                is_bare: false,
            }),
            Err(NoRecords::NoList) => Err(RestError::Shape {
                request: request.to_owned(),
                selector: "records",
                what: format!("what stands at {} is no list", self.records.as_str()),
                outline: String::new(),
                is_bare: false,
            }),
        }
    }

    fn lacks(&self, selector: &'static str, path: &str, request: &str) -> RestError {
        RestError::Shape {
            request: request.to_owned(),
            selector,
            what: format!("there is nothing usable at {path}"),
            outline: String::new(),
            is_bare: false,
        }
    }

    fn number(
        &self,
        selector: Option<&crate::select::Selector>,
        name: &'static str,
        text: &str,
        request: &str,
    ) -> Result<Option<u64>, RestError> {
        let Some(selector) = selector else {
            return Ok(None);
        };
        match selector.one(text) {
            Found::Scalar(number) => match number.trim().parse() {
                Ok(number) => Ok(Some(number)),
                Err(_) => Err(self.lacks(name, selector.as_str(), request)),
            },
            Found::Nothing if self.empty_when_missing => Ok(None),
            Found::Nothing | Found::Other => Err(self.lacks(name, selector.as_str(), request)),
        }
    }

    fn flag(&self, text: &str, request: &str) -> Result<Option<bool>, RestError> {
        let Some(selector) = &self.has_more else {
            return Ok(None);
        };
        let found = selector.one(text).scalar();
        match found.as_deref().and_then(connector::coerce::flag::parse) {
            Some(flag) => Ok(Some(flag)),
            None if self.empty_when_missing && found.is_none() => Ok(Some(false)),
            None => Err(self.lacks("has_more", selector.as_str(), request)),
        }
    }
}

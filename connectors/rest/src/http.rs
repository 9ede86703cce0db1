//! Asking the platform: one request at a time, authorised, limited, tried again where that is safe.
//!
//! Every request is a reading, so each may be sent again. No message holds a secret: requests are named as they
//! were before they were authorised, and errors of the client are told without their URL.

use std::error::Error as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use connector::factory::secret::Secret;
use domain::clock::Clock;
use encoding_rs::{Encoding, UTF_8};
use rand::RngCore;
use rand_chacha::ChaCha20Rng;
use reqwest::header::{CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, StatusCode, redirect};
use serde_json::value::RawValue;
use url::Url;

use crate::auth::Credentials;
use crate::bucket::Bucket;
use crate::config::Method;
use crate::error::RestError;
use crate::headers::{charset, next_link};
use crate::members::outline_of;
use crate::plan::{Body, Call, Platform};
use crate::retry::{Passing, Trouble, parse_retry_after, wait_after};
use crate::select::Found;
use crate::sign::{body_text, percent};

/// Most redirects that are followed, on the same host.
const REDIRECTS_MAX: usize = 3;
/// How much of a refusal's text is told.
const SAID_CHARS_MAX: usize = 200;
/// How much of a refusal is read.
const REFUSAL_BYTES_MAX: u64 = 16 << 10;

/// What lives as long as the connector: shared by all syncs of the source.
#[derive(Debug)]
pub struct Shared {
    pub bucket: Bucket,
    pub clock: Arc<dyn Clock>,
    pub random: Mutex<ChaCha20Rng>,
    /// The OAuth 2.0 token, with its end.
    pub token: tokio::sync::Mutex<Option<Token>>,
}

#[derive(Debug, Clone)]
pub struct Token {
    pub secret: Secret,
    pub expires_at: Option<DateTime<Utc>>,
}

impl Shared {
    pub fn nonce(&self) -> String {
        let mut bytes = [0; 16];
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(&mut bytes);
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// A connection to the platform for one sync: secrets and certificates are read when it is made.
#[derive(Debug)]
pub struct Session {
    pub platform: Arc<Platform>,
    pub shared: Arc<Shared>,
    client: Client,
    credentials: Credentials,
}

/// An answer that is whole, valid JSON, and no refusal.
#[derive(Debug)]
pub struct Answer {
    /// As it came, unpacked.
    pub bytes: Vec<u8>,
    pub encoding: &'static Encoding,
    /// Where `Link: rel="next"` points.
    pub next_link: Option<String>,
    /// Where it came from, redirects followed.
    pub url: Url,
}

impl Answer {
    /// The text without a byte-order mark; none when the bytes do not belong to the encoding.
    pub fn text(&self) -> Option<String> {
        decode(&self.bytes, self.encoding)
    }
}

/// The text of kept bytes.
pub fn decode(bytes: &[u8], encoding: &'static Encoding) -> Option<String> {
    let (text, had_errors) = encoding.decode_with_bom_removal(bytes);
    (!had_errors).then(|| text.into_owned())
}

/// One request as it goes over the wire.
pub struct Wire<'a> {
    pub method: Method,
    pub url: Url,
    pub headers: Vec<(String, String)>,
    pub body: &'a Body,
    pub body_bytes_max: u64,
}

impl Session {
    pub fn new(platform: Arc<Platform>, shared: Arc<Shared>) -> Result<Self, RestError> {
        let base: &Path = &platform.base_dir;
        let limits = &platform.limits;
        let urls = std::iter::once(&platform.base_url).chain(&platform.token_url);
        let tls = if urls.into_iter().all(|url| url.scheme() == "http") && platform.tls.ca.is_none() {
            crate::tls::unused()?
        } else {
            crate::tls::client_config(&platform.tls, base)?
        };
        let mut builder = Client::builder()
            .user_agent(concat!("lianjing/", env!("CARGO_PKG_VERSION")))
            .http1_only()
            .redirect(redirect::Policy::custom(same_host))
            .referer(false)
            .connect_timeout(limits.connect_timeout.0)
            .read_timeout(limits.read_timeout.0)
            .timeout(limits.total_timeout.0)
            .no_proxy()
            .tls_backend_preconfigured(tls);
        if let Some(proxy) = &platform.proxy {
            builder = builder.proxy(reqwest::Proxy::all(proxy.as_str()).map_err(RestError::Client)?);
        }
        let client = builder.build().map_err(RestError::Client)?;
        let credentials = Credentials::resolve(&platform.auth, base)?;
        Ok(Self {
            platform,
            shared,
            client,
            credentials,
        })
    }

    /// Query parameters that carry secrets.
    pub fn secret_params(&self) -> Vec<String> {
        self.credentials.secret_params(self.platform.signer.as_ref())
    }

    /// Asks until there is an answer that is whole, or the tries are used up.
    pub async fn fetch(&self, call: &Call, encoding: Option<&'static Encoding>) -> Result<Answer, RestError> {
        let (mut tries, mut renewed) = (0, false);
        loop {
            tries += 1;
            self.shared.bucket.wait().await;
            let (token, result) = self.authorised(call, encoding).await;
            match result {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Expired { said }) => match token {
                    Some(token) if !renewed => {
                        tracing::info!(request = %call.name, "token.renewed");
                        renewed = true;
                        tries -= 1;
                        self.forget(&token).await;
                    }
                    _ => {
                        return Err(RestError::Unauthorized {
                            request: call.name.clone(),
                            said,
                        });
                    }
                },
                Err(Trouble::Passing {
                    kind,
                    said,
                    retry_after,
                }) => self.pause(&call.name, tries, kind, said, retry_after).await?,
            }
        }
    }

    /// Waits before the next try, or gives up.
    pub async fn pause(
        &self,
        request: &str,
        tries: u32,
        kind: Passing,
        said: String,
        retry_after: Option<Duration>,
    ) -> Result<(), RestError> {
        let wait = {
            let mut random = self.shared.random.lock().unwrap_or_else(PoisonError::into_inner);
            wait_after(tries, &self.platform.limits, retry_after, &mut *random)
        };
        match wait {
            Some(wait) => {
                let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
                tracing::warn!(request, tries, wait_ms, said, "request.retried");
                tokio::time::sleep(wait).await;
                Ok(())
            }
            None => {
                let longest = self.platform.limits.retry_after_max.0;
                Err(match retry_after.filter(|asked| *asked > longest) {
                    Some(asked) => RestError::AsksToWait {
                        request: request.to_owned(),
                        said,
                        asked,
                        longest,
                        is_rate: kind == Passing::RateLimited,
                    },
                    None => kind.error(request.to_owned(), said, tries, retry_after),
                })
            }
        }
    }

    /// One try. The token that was used comes back with the result.
    async fn authorised(
        &self,
        call: &Call,
        encoding: Option<&'static Encoding>,
    ) -> (Option<Secret>, Result<Answer, Trouble>) {
        let (token, added) = match self.authorise(call).await {
            Ok(authorised) => authorised,
            Err(error) => return (None, Err(Trouble::Final(error))),
        };
        let mut query = call.query.clone();
        for (name, value) in added.query {
            query.retain(|(n, _)| *n != name);
            query.push((name, value));
        }
        let mut url = call.url.clone();
        if !query.is_empty() {
            let pairs: Vec<String> = query
                .iter()
                .map(|(name, value)| format!("{}={}", percent(name), percent(value)))
                .collect();
            url.set_query(Some(&pairs.join("&")));
        }
        let mut headers = self.platform.headers.clone();
        headers.extend(call.headers.iter().cloned());
        headers.extend(added.headers);
        let wire = Wire {
            method: call.method,
            url,
            headers,
            body: &call.body,
            body_bytes_max: self.platform.limits.body_bytes_max,
        };
        let result = self.exchange(&wire, &call.name).await.and_then(|mut answer| {
            if let Some(encoding) = encoding {
                answer.encoding = encoding;
            }
            self.accepted(&call.name, answer)
        });
        (token, result)
    }

    /// What the request needs beside what is configured: headers and parameters, and the token among them.
    async fn authorise(&self, call: &Call) -> Result<(Option<Secret>, crate::sign::Added), RestError> {
        match &self.credentials {
            Credentials::Oauth2(client) => {
                let token = self.token(client).await?;
                let header = (
                    client.header.clone(),
                    format!("{}{}", client.prefix, token.reveal()),
                );
                let added = crate::sign::Added {
                    headers: vec![header],
                    query: Vec::new(),
                };
                Ok((Some(token), added))
            }
            other => {
                let now = self.shared.clock.now();
                Ok((
                    None,
                    other.added(self.platform.signer.as_ref(), call, now, &self.shared.nonce()),
                ))
            }
        }
    }

    async fn forget(&self, used: &Secret) {
        let mut token = self.shared.token.lock().await;
        if token.as_ref().is_some_and(|t| t.secret == *used) {
            *token = None;
        }
    }

    /// Sends one request and takes in the whole answer.
    pub async fn exchange(&self, wire: &Wire<'_>, name: &str) -> Result<Answer, Trouble> {
        let mut request = match wire.method {
            Method::Get => self.client.get(wire.url.clone()),
            Method::Post => self.client.post(wire.url.clone()),
        };
        match wire.body {
            Body::None => {}
            Body::Json(_) => {
                request = request
                    .header(CONTENT_TYPE, "application/json")
                    .body(body_text(wire.body));
            }
            Body::Form(_) => {
                let kind = "application/x-www-form-urlencoded";
                request = request.header(CONTENT_TYPE, kind).body(body_text(wire.body));
            }
        }
        for (header, value) in &wire.headers {
            request = request.header(header, value);
        }
        let response = request.send().await.map_err(|e| client_trouble(e, name))?;
        let (status, headers) = (response.status(), response.headers().clone());
        let url = response.url().clone();
        if status.is_redirection() {
            let target = headers
                .get(LOCATION)
                .and_then(|l| l.to_str().ok())
                .unwrap_or("nowhere");
            let target = url.join(target).map_or_else(
                |_| target.to_owned(),
                |u| u.host_str().unwrap_or("another host").to_owned(),
            );
            return Err(Trouble::Final(RestError::OtherHost {
                request: name.to_owned(),
                target,
            }));
        }
        if !status.is_success() {
            let bytes = read_body(response, REFUSAL_BYTES_MAX.min(wire.body_bytes_max)).await;
            let bytes = bytes.ok().flatten().unwrap_or_default();
            return Err(self.refusal(status, &headers, &bytes, name));
        }
        let bytes = read_body(response, wire.body_bytes_max)
            .await
            .map_err(|e| client_trouble(e, name))?
            .ok_or_else(|| {
                Trouble::Final(RestError::TooLarge {
                    request: name.to_owned(),
                    bytes_max: wire.body_bytes_max,
                })
            })?;
        Ok(Answer {
            bytes,
            encoding: charset(&headers).unwrap_or(UTF_8),
            next_link: next_link(&headers),
            url,
        })
    }

    /// What a status other than success means.
    fn refusal(&self, status: StatusCode, headers: &HeaderMap, bytes: &[u8], name: &str) -> Trouble {
        let retry_after = headers
            .get(RETRY_AFTER)
            .and_then(|v| v.to_str().ok())
            .and_then(|v| parse_retry_after(v, self.shared.clock.now()));
        let text = charset(headers).unwrap_or(UTF_8).decode(bytes).0.into_owned();
        let said = format!("HTTP {}{}", status.as_u16(), colon(&self.message(&text)));
        let request = name.to_owned();
        let passing = |kind| Trouble::Passing {
            kind,
            said: said.clone(),
            retry_after,
        };
        match status.as_u16() {
            429 => passing(Passing::RateLimited),
            408 | 425 => passing(Passing::Unavailable),
            code if code >= 500 => passing(Passing::Unavailable),
            401 => Trouble::Expired { said },
            403 => Trouble::Final(RestError::Forbidden { request, said }),
            404 => Trouble::Final(RestError::Lost { request }),
            410 => Trouble::Final(RestError::PositionGone { request, said }),
            _ => Trouble::Final(RestError::Refused { request, said }),
        }
    }

    /// Whether a success is one: whole JSON, and the platform's own code says so too.
    fn accepted(&self, name: &str, answer: Answer) -> Result<Answer, Trouble> {
        let Some(text) = answer.text() else {
            let said = format!("its bytes are not {}", answer.encoding.name());
            return Err(Trouble::passing(Passing::Unreadable, said));
        };
        if let Err(error) = serde_json::from_str::<&RawValue>(&text) {
            let start: String = text.trim_start().chars().take(40).collect();
            return Err(Trouble::passing(
                Passing::Unreadable,
                format!("{error}; it starts with {start:?}"),
            ));
        }
        let Some(envelope) = &self.platform.envelope else {
            return Ok(answer);
        };
        let code = match envelope.code.one(&text) {
            Found::Scalar(code) => code,
            Found::Nothing | Found::Other => {
                return Err(Trouble::Final(RestError::Shape {
                    request: name.to_owned(),
                    selector: "the envelope's code",
                    what: format!("the answer has no code at {}", envelope.code.as_str()),
                    outline: self.hidden(outline_of(&self.credentials.hide_in(text))),
                    is_bare: false,
                }));
            }
        };
        if envelope.success.contains(&code) {
            return Ok(answer);
        }
        let said = self.message(&text);
        if envelope.expired.contains(&code) {
            return Err(Trouble::Expired {
                said: format!("code {code}{}", colon(&said)),
            });
        }
        if envelope.transient.contains(&code) {
            let kind = if code == "429" {
                Passing::RateLimited
            } else {
                Passing::Unavailable
            };
            return Err(Trouble::passing(kind, format!("code {code}{}", colon(&said))));
        }
        Err(Trouble::Final(RestError::Platform {
            request: name.to_owned(),
            code,
            said,
        }))
    }

    /// What the platform says in its answer, for a person.
    fn message(&self, text: &str) -> String {
        let selector = self.platform.envelope.as_ref().and_then(|e| e.message.as_ref());
        let said = selector.and_then(|s| s.one(text).scalar());
        let said = said.unwrap_or_else(|| text.trim().to_owned());
        self.hidden(said)
    }

    /// As much of a text as is told, without secrets.
    fn hidden(&self, text: String) -> String {
        let text = self.credentials.hide_in(text);
        text.chars()
            .filter(|c| !c.is_control())
            .take(SAID_CHARS_MAX)
            .collect()
    }

    /// The error as it may be told: of the answer it holds only what it looks like is left.
    pub fn outlined(&self, mut error: RestError) -> RestError {
        if let RestError::Shape { outline, is_bare, .. } = &mut error {
            let answer = self.credentials.hide_in(std::mem::take(outline));
            *outline = self.hidden(outline_of(&answer));
            *is_bare = self.platform.envelope.is_none();
        }
        error
    }
}

fn colon(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!(": {text}")
    }
}

/// Follows redirects on the same host only: credentials go nowhere else.
fn same_host(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let first = attempt.previous().first();
    if first.is_some_and(|f| f.origin() == attempt.url().origin())
        && attempt.previous().len() <= REDIRECTS_MAX
    {
        attempt.follow()
    } else {
        attempt.stop()
    }
}

/// The body; none when it is larger than `bytes_max`.
async fn read_body(
    mut response: reqwest::Response,
    bytes_max: u64,
) -> Result<Option<Vec<u8>>, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if (bytes.len() + chunk.len()) as u64 > bytes_max {
            return Ok(None);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Some(bytes))
}

/// What an error of the client means. A certificate that is not trusted will not be next time either.
fn client_trouble(error: reqwest::Error, name: &str) -> Trouble {
    let error = error.without_url();
    let mut said = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(certificate @ (rustls::Error::InvalidCertificate(_) | rustls::Error::AlertReceived(_))) =
            tls_error(inner)
        {
            return Trouble::Final(RestError::Tls {
                path: format!("the connection for {name}"),
                what: format!("is refused: {certificate}; see tls.ca and tls.client_cert"),
            });
        }
        let text = inner.to_string();
        if !said.contains(&text) {
            said.push_str(": ");
            said.push_str(&text);
        }
        cause = inner.source();
    }
    if error.is_timeout() {
        Trouble::passing(Passing::Timeout, said)
    } else if error.is_builder() {
        Trouble::Final(RestError::Refused {
            request: name.to_owned(),
            said,
        })
    } else {
        Trouble::passing(Passing::Network, said)
    }
}

/// A TLS error, also where an I/O error carries it.
fn tls_error<'e>(error: &'e (dyn std::error::Error + 'static)) -> Option<&'e rustls::Error> {
    error
        .downcast_ref::<rustls::Error>()
        .or_else(|| tls_error(error.downcast_ref::<std::io::Error>()?.get_ref()?))
}

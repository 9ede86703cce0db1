//! Credentials: what a request carries, and tokens that are asked for, kept and renewed.

use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, TimeDelta, Utc};
use connector::factory::secret::Secret;

use crate::config::{Auth, ClientAuth, Method, Oauth2};
use crate::error::RestError;
use crate::http::{Session, Token, Wire};
use crate::plan::{Body, Call};
use crate::retry::Trouble;
use crate::sign::{Added, Signer, percent};

/// Largest answer of a token endpoint.
const TOKEN_BYTES_MAX: u64 = 256 << 10;

/// The credentials of one sync, secrets included.
#[derive(Debug)]
pub enum Credentials {
    None,
    Header { name: String, value: Secret },
    Query { name: String, value: Secret },
    Oauth2(Box<Client>),
    Signed(Secret),
}

/// An OAuth 2.0 client.
#[derive(Debug)]
pub struct Client {
    secret: Secret,
    raw: Oauth2,
    pub header: String,
    pub prefix: String,
}

impl Credentials {
    /// Fetches the secrets that `auth` names.
    pub fn resolve(auth: &Auth, base: &Path) -> Result<Self, RestError> {
        Ok(match auth {
            Auth::None => Self::None,
            Auth::Header(raw) => Self::Header {
                name: raw.name.clone(),
                value: Secret::new(format!("{}{}", raw.prefix, raw.value.resolve(base)?.reveal())),
            },
            Auth::Query(raw) => Self::Query {
                name: raw.name.clone(),
                value: raw.value.resolve(base)?,
            },
            Auth::Basic(raw) => {
                let pair = format!("{}:{}", raw.user, raw.password.resolve(base)?.reveal());
                Self::Header {
                    name: "Authorization".to_owned(),
                    value: Secret::new(format!("Basic {}", STANDARD.encode(pair))),
                }
            }
            Auth::Oauth2(raw) => Self::Oauth2(Box::new(Client {
                secret: raw.client_secret.resolve(base)?,
                header: raw.header.clone(),
                prefix: raw.prefix.clone(),
                raw: raw.clone(),
            })),
            Auth::Signed(raw) => Self::Signed(raw.secret.resolve(base)?),
        })
    }

    /// Query parameters that carry secrets, so that they are not shown where a platform echoes them.
    pub fn secret_params(&self, signer: Option<&Signer>) -> Vec<String> {
        let own = match self {
            Self::Query { name, .. } => Some(name.clone()),
            _ => None,
        };
        let signed = signer
            .into_iter()
            .flat_map(Signer::query_names)
            .map(str::to_owned);
        own.into_iter().chain(signed).collect()
    }

    /// The text without the secrets: some platforms repeat what they refuse.
    pub fn hide_in(&self, text: String) -> String {
        let secret = match self {
            Self::None => return text,
            Self::Header { value, .. } | Self::Query { value, .. } | Self::Signed(value) => value,
            Self::Oauth2(client) => &client.secret,
        };
        // A header's secret has its prefix before it.
        let bare = secret.reveal().rsplit(' ').next().unwrap_or_default();
        text.replace(secret.reveal(), "***").replace(bare, "***")
    }

    /// What the request carries beside what is configured. Tokens are not handled here.
    pub fn added(&self, signer: Option<&Signer>, call: &Call, now: DateTime<Utc>, nonce: &str) -> Added {
        match (self, signer) {
            (Self::Header { name, value }, _) => Added {
                headers: vec![(name.clone(), value.reveal().to_owned())],
                query: Vec::new(),
            },
            (Self::Query { name, value }, _) => Added {
                headers: Vec::new(),
                query: vec![(name.clone(), value.reveal().to_owned())],
            },
            (Self::Signed(secret), Some(signer)) => signer.sign(call, secret, now, nonce),
            (Self::None | Self::Oauth2(_) | Self::Signed(_), _) => Added::default(),
        }
    }
}

impl Session {
    /// The token in hand, or a new one.
    pub async fn token(&self, client: &Client) -> Result<Secret, RestError> {
        let mut held = self.shared.token.lock().await;
        let early = TimeDelta::from_std(client.raw.early.0).unwrap_or_default();
        let now = self.shared.clock.now();
        if let Some(token) = held
            .as_ref()
            .filter(|t| t.expires_at.is_none_or(|end| now + early < end))
        {
            return Ok(token.secret.clone());
        }
        let token = self.new_token(client).await?;
        let secret = token.secret.clone();
        *held = Some(token);
        Ok(secret)
    }

    async fn new_token(&self, client: &Client) -> Result<Token, RestError> {
        let name = "the token request";
        let (Some(url), Some((token, expires_in))) =
            (&self.platform.token_url, &self.platform.token_selectors)
        else {
            return Err(RestError::config("auth: there is no token_url"));
        };
        let mut members = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        members.extend(
            client
                .raw
                .scope
                .iter()
                .map(|scope| ("scope".to_owned(), scope.clone())),
        );
        members.extend(client.raw.extra.clone());
        let mut headers = vec![("Accept".to_owned(), "application/json".to_owned())];
        if client.raw.client_auth == ClientAuth::Basic {
            // RFC 6749, 2.3.1: both parts are form-encoded first.
            let pair = format!(
                "{}:{}",
                percent(&client.raw.client_id),
                percent(client.secret.reveal())
            );
            headers.push((
                "Authorization".to_owned(),
                format!("Basic {}", STANDARD.encode(pair)),
            ));
        } else {
            members.push(("client_id".to_owned(), client.raw.client_id.clone()));
            members.push(("client_secret".to_owned(), client.secret.reveal().to_owned()));
        }
        let body = match client.raw.client_auth {
            ClientAuth::Json => {
                let object: serde_json::Map<String, serde_json::Value> = members
                    .into_iter()
                    .map(|(name, value)| (name, value.into()))
                    .collect();
                Body::Json(serde_json::Value::Object(object).to_string())
            }
            ClientAuth::Form | ClientAuth::Basic => Body::Form(members),
        };
        let mut tries = 0;
        loop {
            tries += 1;
            self.shared.bucket.wait().await;
            let asked_at = self.shared.clock.now();
            let wire = Wire {
                method: Method::Post,
                url: url.clone(),
                headers: headers.clone(),
                body: &body,
                body_bytes_max: TOKEN_BYTES_MAX,
            };
            let refused = |said: String| RestError::Unauthorized {
                request: name.to_owned(),
                said,
            };
            let answer = match self.exchange(&wire, name).await {
                Ok(answer) => answer,
                Err(Trouble::Passing {
                    kind,
                    said,
                    retry_after,
                }) => {
                    self.pause(name, tries, kind, said, retry_after).await?;
                    continue;
                }
                Err(Trouble::Expired { said }) => return Err(refused(said)),
                Err(Trouble::Final(RestError::Refused { said, .. } | RestError::Forbidden { said, .. })) => {
                    return Err(refused(said));
                }
                Err(Trouble::Final(error)) => return Err(error),
            };
            let text = answer.text().unwrap_or_default();
            let Some(secret) = token.one(&text).scalar().filter(|t| !t.is_empty()) else {
                return Err(refused(format!(
                    "its answer holds no token at {}",
                    token.as_str()
                )));
            };
            let life = expires_in.one(&text).scalar().and_then(|s| s.parse::<u32>().ok());
            return Ok(Token {
                secret: Secret::new(secret),
                expires_at: life.map(|s| asked_at + TimeDelta::seconds(i64::from(s))),
            });
        }
    }
}

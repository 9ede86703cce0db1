//! Signed requests: what is signed is a template of the configuration, over values that are handed in.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use connector::coerce::date::Zone;
use connector::factory::secret::Secret;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use sm3::Sm3;

use crate::config::{Algorithm, Encoding, Method, Signed};
use crate::moment::TimeFormat;
use crate::plan::{Body, Call};
use crate::select::{Found, scalar};
use crate::template::Template;

const SIGNED_NAMES: &[&str] = &[
    "app_id",
    "timestamp",
    "nonce",
    "method",
    "path",
    "query",
    "params",
    "body",
    "body_digest",
    "secret",
];
const ADDED_NAMES: &[&str] = &["app_id", "timestamp", "nonce", "body_digest", "signature"];

/// Signs requests as one platform wants it.
#[derive(Debug)]
pub struct Signer {
    algorithm: Algorithm,
    encoding: Encoding,
    app_id: String,
    canonical: Template,
    timestamp: TimeFormat,
    percent_encode: bool,
    skip_empty: bool,
    headers: Vec<(String, Template)>,
    query: Vec<(String, Template)>,
    zone: Zone,
}

/// What one signature adds to a request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Added {
    pub headers: Vec<(String, String)>,
    pub query: Vec<(String, String)>,
}

impl Signer {
    pub fn new(raw: &Signed, zone: Zone) -> Result<Self, String> {
        let pairs = |map: &std::collections::BTreeMap<String, String>| -> Result<Vec<_>, String> {
            map.iter()
                .map(|(name, text)| Ok((name.clone(), Template::parse(text, ADDED_NAMES)?)))
                .collect()
        };
        let signer = Self {
            algorithm: raw.algorithm,
            encoding: raw.encoding,
            app_id: raw.app_id.clone(),
            canonical: Template::parse(&raw.canonical, SIGNED_NAMES)?,
            timestamp: TimeFormat::parse(&raw.timestamp)?,
            percent_encode: raw.percent_encode,
            skip_empty: raw.skip_empty,
            headers: pairs(&raw.headers)?,
            query: pairs(&raw.query)?,
            zone,
        };
        let carries = |(_, template): &&(String, Template)| template.names().any(|n| n == "signature");
        if signer.headers.iter().chain(&signer.query).find(carries).is_none() {
            return Err("neither headers nor query holds {signature}".to_owned());
        }
        let keyed = matches!(raw.algorithm, Algorithm::HmacSha256 | Algorithm::HmacSm3);
        if !keyed && !signer.canonical.names().any(|n| n == "secret") {
            return Err("a plain digest without {secret} in canonical signs nothing".to_owned());
        }
        Ok(signer)
    }

    /// Query parameters that the signature adds, by name.
    pub fn query_names(&self) -> impl Iterator<Item = &str> {
        self.query.iter().map(|(name, _)| name.as_str())
    }

    /// Signs `call`. `base` is the path that all paths are below: `{path}` is the whole path, as on the wire.
    pub fn sign(&self, call: &Call, secret: &Secret, now: DateTime<Utc>, nonce: &str) -> Added {
        let timestamp = self.timestamp.write(now, self.zone);
        let body = body_text(&call.body);
        let body_digest = self.write(&self.digest(body.as_bytes()));
        let fixed = |name: &str| -> Option<Cow<'_, str>> {
            Some(match name {
                "app_id" => Cow::Borrowed(self.app_id.as_str()),
                "timestamp" => Cow::Owned(timestamp.clone()),
                "nonce" => Cow::Owned(nonce.to_owned()),
                "body_digest" => Cow::Owned(body_digest.clone()),
                _ => return None,
            })
        };
        // Parameters with the signature itself have no value yet, so they are not signed.
        let render = |pairs: &[(String, Template)]| -> Vec<(String, String)> {
            pairs
                .iter()
                .filter_map(|(name, t)| Some((name.clone(), t.render(fixed)?)))
                .collect()
        };
        let mut query = render(&self.query);
        let mut signed_query = call.query.clone();
        signed_query.extend(query.iter().cloned());
        let mut params = signed_query.clone();
        params.extend(body_params(&call.body));
        let value = |name: &str| -> Option<Cow<'_, str>> {
            Some(match name {
                "method" => Cow::Borrowed(match call.method {
                    Method::Get => "GET",
                    Method::Post => "POST",
                }),
                "path" => Cow::Borrowed(call.url.path()),
                "query" => Cow::Owned(self.sorted(&signed_query)),
                "params" => Cow::Owned(self.sorted(&params)),
                "body" => Cow::Borrowed(body.as_str()),
                "secret" => Cow::Borrowed(secret.reveal()),
                other => fixed(other)?,
            })
        };
        let canonical = self.canonical.render(value).unwrap_or_default();
        let signature = self.write(&self.mac(secret, canonical.as_bytes()));
        let with_signature = |name: &str| match name {
            "signature" => Some(Cow::Owned(signature.clone())),
            other => fixed(other),
        };
        let signed = |pairs: &[(String, Template)]| -> Vec<(String, String)> {
            let signed = pairs.iter().filter(|(_, t)| t.names().any(|n| n == "signature"));
            signed
                .filter_map(|(name, t)| Some((name.clone(), t.render(with_signature)?)))
                .collect()
        };
        query.extend(signed(&self.query));
        let mut headers = render(&self.headers);
        headers.extend(signed(&self.headers));
        Added { headers, query }
    }

    /// `a=1&b=2`, in the order of the names' bytes.
    fn sorted(&self, pairs: &[(String, String)]) -> String {
        let mut pairs: Vec<&(String, String)> = pairs
            .iter()
            .filter(|(_, value)| !(self.skip_empty && value.is_empty()))
            .collect();
        pairs.sort();
        let written: Vec<String> = pairs
            .iter()
            .map(|(name, value)| {
                if self.percent_encode {
                    format!("{}={}", percent(name), percent(value))
                } else {
                    format!("{name}={value}")
                }
            })
            .collect();
        written.join("&")
    }

    fn mac(&self, secret: &Secret, bytes: &[u8]) -> Vec<u8> {
        let key = secret.reveal().as_bytes();
        match self.algorithm {
            Algorithm::HmacSha256 => {
                let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
                mac.update(bytes);
                mac.finalize().into_bytes().to_vec()
            }
            Algorithm::HmacSm3 => {
                let mut mac = Hmac::<Sm3>::new_from_slice(key).expect("HMAC takes keys of any length");
                mac.update(bytes);
                mac.finalize().into_bytes().to_vec()
            }
            Algorithm::Sha256 | Algorithm::Sm3 => self.digest(bytes),
        }
    }

    fn digest(&self, bytes: &[u8]) -> Vec<u8> {
        match self.algorithm {
            Algorithm::HmacSha256 | Algorithm::Sha256 => Sha256::digest(bytes).to_vec(),
            Algorithm::HmacSm3 | Algorithm::Sm3 => Sm3::digest(bytes).to_vec(),
        }
    }

    fn write(&self, bytes: &[u8]) -> String {
        match self.encoding {
            Encoding::Hex => bytes.iter().map(|b| format!("{b:02x}")).collect(),
            Encoding::HexUpper => bytes.iter().map(|b| format!("{b:02X}")).collect(),
            Encoding::Base64 => STANDARD.encode(bytes),
        }
    }
}

/// RFC 3986: all but letters, digits and `-._~`.
pub fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The body as it goes over the wire.
pub fn body_text(body: &Body) -> String {
    match body {
        Body::None => String::new(),
        Body::Json(text) => text.clone(),
        Body::Form(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{}={}", percent(name), percent(value)))
                .collect();
            fields.join("&")
        }
    }
}

fn body_params(body: &Body) -> Vec<(String, String)> {
    match body {
        Body::None => Vec::new(),
        Body::Form(fields) => fields.clone(),
        Body::Json(text) => {
            let members = serde_json::from_str::<connector::json::Members<'_>>(text);
            let members = members.map(|m| m.0).unwrap_or_default();
            members
                .into_iter()
                .filter_map(|(name, raw)| match scalar(raw.get()) {
                    Found::Scalar(value) => Some((name.into_owned(), value)),
                    Found::Nothing | Found::Other => None,
                })
                .collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn signer(text: &str) -> Signer {
        let raw: Signed = toml::from_str(&format!("secret = {{ env = 'X' }}\n{text}")).unwrap();
        Signer::new(&raw, Zone::CHINA).unwrap()
    }

    fn call(body: Body) -> Call {
        Call {
            method: if body == Body::None {
                Method::Get
            } else {
                Method::Post
            },
            url: Url::parse("https://h/open/v1/orders").unwrap(),
            query: vec![
                ("page".into(), "1".into()),
                ("from".into(), "2024-01-01 00:00:00".into()),
                ("x".into(), String::new()),
            ],
            headers: Vec::new(),
            body,
            name: String::new(),
        }
    }

    fn now() -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_704_681_000_250).unwrap()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// RFC 2104, written out, so that HMAC-SM3 is checked against more than the crate itself.
    fn hmac_by_definition(digest: impl Fn(&[u8]) -> Vec<u8>, key: &[u8], text: &[u8]) -> Vec<u8> {
        let mut block = [0u8; 64];
        block[..key.len()].copy_from_slice(key);
        let pad = |with: u8| block.iter().map(|b| b ^ with).collect::<Vec<u8>>();
        let inner = digest(&[pad(0x36), text.to_vec()].concat());
        digest(&[pad(0x5c), inner].concat())
    }

    #[test]
    fn digests_match_their_standards() {
        // GB/T 32905-2016, A.1; FIPS 180-4.
        let sm3 = signer("algorithm = 'sm3'\ncanonical = '{secret}'\nheaders = { s = '{signature}' }");
        assert_eq!(
            hex(&sm3.digest(b"abc")),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        );
        // RFC 4231, test case 2.
        let mac = signer("algorithm = 'hmac-sha256'\ncanonical = 'x'\nheaders = { s = '{signature}' }");
        assert_eq!(
            hex(&mac.mac(&Secret::new("Jefe"), b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let mac = signer("algorithm = 'hmac-sm3'\ncanonical = 'x'\nheaders = { s = '{signature}' }");
        assert_eq!(
            mac.mac(&Secret::new("Jefe"), b"what"),
            hmac_by_definition(|b| Sm3::digest(b).to_vec(), b"Jefe", b"what")
        );
    }

    #[test]
    fn what_is_signed_is_what_the_template_says() {
        let signer = signer(
            r#"algorithm = "sm3"
            app_id = "H0001"
            canonical = "{params}&key={secret}"
            encoding = "hex_upper"
            timestamp = "%Y%m%d%H%M%S"
            query = { appId = "{app_id}", timestamp = "{timestamp}", nonce = "{nonce}", sign = "{signature}" }"#,
        );
        let added = signer.sign(&call(Body::None), &Secret::new("k"), now(), "n1");
        let canonical = "appId=H0001&from=2024-01-01 00:00:00&nonce=n1&page=1&timestamp=20240108103000&key=k";
        let expected = hex(&Sm3::digest(canonical.as_bytes())).to_uppercase();
        let query: Vec<(&str, &str)> = added
            .query
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(
            query,
            [
                ("appId", "H0001"),
                ("nonce", "n1"),
                ("timestamp", "20240108103000"),
                ("sign", expected.as_str())
            ]
        );
    }

    #[test]
    fn the_body_is_signed_too() {
        let signer = signer(
            r#"algorithm = "hmac-sha256"
            canonical = "{method}\n{path}\n{query}\n{timestamp}\n{body_digest}"
            encoding = "base64"
            percent_encode = true
            skip_empty = false
            headers = { "X-Sign" = "v1={signature}", "X-Time" = "{timestamp}" }"#,
        );
        let body = Body::Json(r#"{"b":2,"a":"x"}"#.into());
        let added = signer.sign(&call(body), &Secret::new("k"), now(), "n1");
        let digest = STANDARD.encode(Sha256::digest(br#"{"b":2,"a":"x"}"#));
        let canonical = format!(
            "POST\n/open/v1/orders\nfrom=2024-01-01%2000%3A00%3A00&page=1&x=\n1704681000250\n{digest}"
        );
        let mac = hmac_by_definition(|b| Sha256::digest(b).to_vec(), b"k", canonical.as_bytes());
        assert!(
            added
                .headers
                .contains(&("X-Sign".to_owned(), format!("v1={}", STANDARD.encode(mac))))
        );
        assert!(
            added
                .headers
                .contains(&("X-Time".to_owned(), "1704681000250".to_owned()))
        );
    }

    #[test]
    fn members_of_a_json_body_are_parameters() {
        let body = Body::Json(r#"{"b":2,"a":"x","n":null,"l":[1]}"#.into());
        assert_eq!(
            body_params(&body),
            [("b".into(), "2".into()), ("a".into(), "x".into())]
        );
    }

    #[test]
    fn a_signature_that_signs_nothing_is_refused() {
        for (text, word) in [
            (
                "algorithm = 'sm3'\ncanonical = '{params}'\nheaders = { s = '{signature}' }",
                "{secret}",
            ),
            ("algorithm = 'hmac-sm3'\ncanonical = '{params}'", "{signature}"),
            (
                "algorithm = 'hmac-sm3'\ncanonical = '{signature}'\nheaders = { s = '{signature}' }",
                "none of",
            ),
        ] {
            let raw: Signed = toml::from_str(&format!("secret = {{ env = 'X' }}\n{text}")).unwrap();
            let message = Signer::new(&raw, Zone::CHINA).unwrap_err();
            assert!(message.contains(word), "{message}");
        }
    }
}

//! Credentials: carried, renewed in mid-sync, signed, and never shown.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use sm3::{Digest, Sm3};

use crate::scenario::{List, check, scenario};
use crate::server::{Answer, Asked, Guard};

fn refused() -> Answer {
    Answer::Status(
        401,
        Vec::new(),
        r#"{"msg":"who are you? s3cr3t is wrong"}"#.to_owned(),
    )
}

fn header(name: &'static str, expected: &'static str) -> Guard {
    Box::new(move |asked| match asked.headers.get(name).map(String::as_str) {
        Some(value) if value == expected => Ok(()),
        _ => Err(refused()),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// `appId=..&..&key=secret`, digested with SM3, as many platforms of provinces want it.
fn sm3_signed(asked: &Asked) -> Result<(), Answer> {
    let mut params: BTreeMap<&str, &str> = asked
        .params
        .iter()
        .map(|(n, v)| (n.as_str(), v.as_str()))
        .collect();
    let sign = params.remove("sign").unwrap_or_default();
    params.retain(|_, value| !value.is_empty());
    let pairs: Vec<String> = params.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let text = format!("{}&key=s3cr3t", pairs.join("&"));
    let complete =
        params.contains_key("nonce") && params.contains_key("timestamp") && params["appId"] == "H0001";
    if complete && sign == hex(&Sm3::digest(text.as_bytes())) {
        Ok(())
    } else {
        Err(refused())
    }
}

/// Method, path, query and the body's digest, with HMAC-SHA256 in a header.
fn hmac_signed(asked: &Asked) -> Result<(), Answer> {
    let value = |name: &str| asked.headers.get(name).cloned().unwrap_or_default();
    let digest = hex(&Sha256::digest(asked.body.as_bytes()));
    let text = format!(
        "{}\n{}\n{}\n{}\n{}\n{digest}",
        asked.method,
        asked.path,
        asked.query,
        value("x-time"),
        value("x-nonce")
    );
    let mut mac = Hmac::<Sha256>::new_from_slice(b"s3cr3t").unwrap();
    mac.update(text.as_bytes());
    if value("x-sign") == hex(&mac.finalize().into_bytes()) {
        Ok(())
    } else {
        Err(refused())
    }
}

/// A nonce that came before is refused.
fn nonces_are_new() -> Guard {
    let seen = std::sync::Mutex::new(std::collections::HashSet::new());
    Box::new(move |asked| {
        sm3_signed(asked)?;
        let nonce = asked.params["nonce"].clone();
        if seen.lock().unwrap().insert(nonce) {
            Ok(())
        } else {
            Err(refused())
        }
    })
}

const OAUTH: &str =
    "auth = { kind = 'oauth2', token_url = '/token', client_id = 'c', client_secret = { file = 'secret' } }";
const SM3: &str = r#"auth = { kind = "signed", algorithm = "sm3", secret = { file = "secret" }, app_id = "H0001", canonical = "{params}&key={secret}", query = { appId = "{app_id}", timestamp = "{timestamp}", nonce = "{nonce}", sign = "{signature}" } }"#;
const HMAC: &str = r#"auth = { kind = "signed", algorithm = "hmac-sha256", secret = { file = "secret" }, canonical = "{method}\n{path}\n{query}\n{timestamp}\n{nonce}\n{body_digest}", percent_encode = true, headers = { X-Sign = "{signature}", X-Time = "{timestamp}", X-Nonce = "{nonce}" } }"#;

#[tokio::test]
async fn requests_are_authorised() {
    check(vec![
        scenario("a secret in a header", List::Pages)
            .top("auth = { kind = 'header', name = 'Authorization', prefix = 'Bearer ', value = { file = 'secret' } }")
            .guard(header("authorization", "Bearer s3cr3t")),
        scenario("a secret in the query", List::NextUrl)
            .top("auth = { kind = 'query', name = 'appKey', value = { file = 'secret' } }")
            .guard(Box::new(|asked| {
                if asked.params.get("appKey").is_some_and(|k| k == "s3cr3t") { Ok(()) } else { Err(refused()) }
            })),
        scenario("user and password", List::Pages)
            .top("auth = { kind = 'basic', user = 'u', password = { file = 'secret' } }")
            .guard(header("authorization", "Basic dTpzM2NyM3Q=")),
        scenario("headers of the source", List::Pages).top("headers = { X-App = 'h' }").guard(header("x-app", "h")),
        scenario("a wrong secret is not shown", List::Pages)
            .top("auth = { kind = 'query', name = 'appKey', value = { file = 'secret' } }")
            .guard(Box::new(|_| Err(refused())))
            .fails("UNAUTHORIZED", 0)
            .requests(1),
        scenario("OAuth 2.0", List::Pages).top(OAUTH).requests(6),
        scenario("OAuth 2.0 with Basic", List::Pages)
            .top(OAUTH)
            .edit("client_id = 'c'", "client_id = 'c', client_auth = 'basic'"),
        scenario("a token that expires in mid-sync", List::Pages).top(OAUTH).token_uses_max(4).requests(7),
        scenario("a token that expires after each page", List::Token).top(OAUTH).token_uses_max(1).requests(5),
        scenario("a token that is never accepted", List::Pages)
            .top(OAUTH)
            .token_uses_max(0)
            .fails("UNAUTHORIZED", 0)
            .requests(2),
        scenario("an expired token that only the platform's own code tells", List::Pages)
            .top(OAUTH)
            .top("envelope = { code = '$.code', success = [0], expired = [40101] }")
            .answer(2, Answer::Code(40_101))
            .requests(7),
        scenario("signed with SM3 in the query", List::Pages).top(SM3).guard(Box::new(sm3_signed)),
        scenario("signed with SM3, a form", List::Form).top(SM3).guard(Box::new(sm3_signed)),
        scenario("signed with SM3, a JSON body", List::JsonBody).top(SM3).guard(Box::new(sm3_signed)),
        scenario("signed anew for each try", List::Pages).top(SM3).guard(nonces_are_new()).status(2, 503).status(3, 503),
        scenario("signed with HMAC-SHA256 in headers", List::Windows).top(HMAC).guard(Box::new(hmac_signed)),
        scenario("signed with HMAC-SHA256, a JSON body", List::JsonBody).top(HMAC).guard(Box::new(hmac_signed)),
        scenario("a signature that is wrong", List::Pages)
            .top(HMAC)
            .edit("{timestamp}\\n", "")
            .guard(Box::new(hmac_signed))
            .fails("UNAUTHORIZED", 0),
    ])
    .await;
}

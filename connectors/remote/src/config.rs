//! The `config` table of a source of kind `remote`.

use std::path::PathBuf;

use connector::factory::secret::{SecretRef, check_named};
use domain::Failure;
use domain::ports::Result;
use serde::Deserialize;
use serde_json::json;

/// Unknown keys are errors; what the vendor's connector wants stands in `settings`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `https://connector.example.org:50051`, or `http://` on this machine.
    pub url: String,
    #[serde(default)]
    pub tls: Tls,
    /// Sent with each call as `authorization: Bearer ..`.
    pub token: Option<SecretRef>,
    /// Handed to the vendor's connector as JSON.
    #[serde(default)]
    pub settings: toml::Table,
    /// Whether it keeps cursors.
    #[serde(default = "yes")]
    pub incremental: bool,
    /// Whether it lists keys.
    #[serde(default)]
    pub lists_keys: bool,
    /// Seconds that connecting may take.
    #[serde(default = "ten")]
    pub connect_seconds_max: u64,
    /// Seconds that Spec, Check and Discover may take.
    #[serde(default = "sixty")]
    pub call_seconds_max: u64,
    /// Seconds that a stream may be silent.
    #[serde(default = "three_hundred")]
    pub silence_seconds_max: u64,
}

/// Whom to trust, and as whom to appear.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM file with the certificates of a private authority; only these are trusted then.
    pub ca: Option<PathBuf>,
    /// PEM files with the client certificate and its chain, and its key; both or neither.
    pub client_cert: Option<PathBuf>,
    pub client_key: Option<PathBuf>,
    /// The name in the server's certificate, where it is not the host of `url`.
    pub server_name: Option<String>,
}

pub fn wrong(problem: String) -> Failure {
    Failure::invalid("REMOTE_CONFIGURATION", format!("config: {problem}"))
}

/// Whether the address is this machine's own, so that nothing travels over a network.
fn is_here(url: &str) -> bool {
    let rest = url.strip_prefix("http://").unwrap_or(url);
    ["127.0.0.1", "localhost", "[::1]"].iter().any(|host| {
        let after = rest.strip_prefix(host);
        after.is_some_and(|after| after.is_empty() || after.starts_with([':', '/']))
    })
}

fn yes() -> bool {
    true
}

fn ten() -> u64 {
    10
}

fn sixty() -> u64 {
    60
}

fn three_hundred() -> u64 {
    300
}

impl Config {
    pub fn parse(config: toml::Table) -> Result<Self> {
        check_named(&config, &["token"]).map_err(wrong)?;
        let config: Self = config.try_into().map_err(|e: toml::de::Error| {
            wrong(format!("{}; `url` says where the connector listens", e.message()))
        })?;
        for (key, seconds) in [
            ("connect_seconds_max", config.connect_seconds_max),
            ("call_seconds_max", config.call_seconds_max),
            ("silence_seconds_max", config.silence_seconds_max),
        ] {
            if seconds == 0 || seconds > 86_400 {
                return Err(wrong(format!("key `{key}` is {seconds}; it takes 1 to 86400")));
            }
        }
        let is_clear = config.url.starts_with("http://");
        if !is_clear && !config.url.starts_with("https://") {
            return Err(wrong(format!(
                "key `url` is {:?}; write https://, or http:// for a connector on this machine or behind a tunnel",
                config.url
            )));
        }
        if is_clear && config.tls != Tls::default() {
            return Err(wrong("`tls` needs a `url` that starts with https://".to_owned()));
        }
        if is_clear && config.token.is_some() && !is_here(&config.url) {
            return Err(wrong(format!(
                "`token` would travel in the clear to {:?}; write https://",
                config.url
            )));
        }
        if config.tls.client_cert.is_some() != config.tls.client_key.is_some() {
            return Err(wrong(
                "`tls` takes `client_cert` and `client_key` together".to_owned(),
            ));
        }
        Ok(config)
    }

    pub fn settings_json(&self) -> String {
        serde_json::to_string(&self.settings).unwrap_or_else(|_| "{}".to_owned())
    }
}

pub fn schema() -> serde_json::Value {
    let seconds = |default: u64, what: &str| json!({"type": "integer", "minimum": 1, "maximum": 86400, "default": default, "description": what});
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["url"],
        "additionalProperties": false,
        "properties": {
            "url": {"type": "string", "pattern": "^https?://", "description": "Where the vendor's connector listens: https://, or http:// on this machine. 厂商连接器地址"},
            "tls": {"$ref": "#/$defs/Tls"},
            "token": {"description": "Sent with each call as `authorization: Bearer ..`: `{ env = \"NAME\" }` or `{ file = \"PATH\" }`. Not over http:// to another machine. 访问令牌", "oneOf": [
                {"type": "object", "required": ["env"], "additionalProperties": false, "properties": {"env": {"type": "string"}}},
                {"type": "object", "required": ["file"], "additionalProperties": false, "properties": {"file": {"type": "string"}}}
            ]},
            "settings": {"type": "object", "description": "What the vendor's connector wants; handed to it as JSON. 厂商配置"},
            "incremental": {"type": "boolean", "default": true, "description": "It keeps cursors. 是否增量"},
            "lists_keys": {"type": "boolean", "default": false, "description": "It lists keys, so that deleted rows are found. 是否可核对主键"},
            "connect_seconds_max": seconds(10, "Longest wait for a connection, in seconds."),
            "call_seconds_max": seconds(60, "Longest Spec, Check or Discover, in seconds."),
            "silence_seconds_max": seconds(300, "Longest silence of a stream, in seconds.")
        },
        "$defs": {
            "Tls": {
                "type": "object",
                "description": "Transport security of https://: whom to trust, and as whom to appear. Files are relative to the file of sources. 传输安全",
                "additionalProperties": false,
                "properties": {
                    "ca": {"type": "string", "description": "PEM file with the certificates of a private authority; only these are trusted then. By default the system's authorities."},
                    "client_cert": {"type": "string", "description": "PEM file with the client certificate and its chain."},
                    "client_key": {"type": "string", "description": "PEM file with the client certificate's key, without a password."},
                    "server_name": {"type": "string", "description": "The name in the server's certificate, where it is not the host of `url`."}
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_keys_are_named() {
        let parse = |text: &str| Config::parse(text.parse().unwrap());
        let config = parse("url = \"http://127.0.0.1:1\"\n[settings]\nn = 1\n").unwrap();
        assert_eq!(config.settings_json(), "{\"n\":1}");
        assert!(config.incremental && !config.lists_keys);
        assert!(parse("url = \"http://localhost:1\"\ntoken = { env = \"T\" }").is_ok());
        for (text, told) in [
            ("", "url"),
            ("url = \"ftp://x\"", "`url`"),
            ("url = \"http://x\"\nsettngs = {}", "settngs"),
            (
                "url = \"https://x\"\ntoken = \"hunter2\"",
                "`token`: a secret is named, never written out: { env = \"NAME\" }",
            ),
            ("url = \"http://x\"\ncall_seconds_max = 0", "call_seconds_max"),
            (
                "url = \"http://10.0.0.5:1\"\ntoken = { env = \"T\" }",
                "in the clear",
            ),
            (
                "url = \"http://127.0.0.1.example.org:1\"\ntoken = { env = \"T\" }",
                "in the clear",
            ),
            ("url = \"http://127.0.0.1:1\"\n[tls]\nca = \"ca.pem\"", "https://"),
            (
                "url = \"https://x\"\n[tls]\nclient_cert = \"c.pem\"",
                "client_key",
            ),
        ] {
            let failure = parse(text).unwrap_err();
            assert!(failure.message.contains(told), "{}", failure.message);
            assert!(!failure.message.contains("hunter2"), "{}", failure.message);
        }
    }
}

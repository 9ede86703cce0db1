//! The `config` table of a source of kind `remote`.

use domain::Failure;
use domain::ports::Result;
use serde::Deserialize;
use serde_json::json;

/// Unknown keys are errors; what the vendor's connector wants stands in `settings`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `http://127.0.0.1:50051`.
    pub url: String,
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
        let wrong = |problem: String| Failure::invalid("REMOTE_CONFIGURATION", format!("config: {problem}"));
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
        if !config.url.starts_with("http://") {
            return Err(wrong(format!(
                "key `url` is {:?}; write http:// and run the connector on this machine or behind a tunnel",
                config.url
            )));
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
            "url": {"type": "string", "pattern": "^http://", "description": "Where the vendor's connector listens. 厂商连接器地址"},
            "settings": {"type": "object", "description": "What the vendor's connector wants; handed to it as JSON. 厂商配置"},
            "incremental": {"type": "boolean", "default": true, "description": "It keeps cursors. 是否增量"},
            "lists_keys": {"type": "boolean", "default": false, "description": "It lists keys, so that deleted rows are found. 是否可核对主键"},
            "connect_seconds_max": seconds(10, "Longest wait for a connection, in seconds."),
            "call_seconds_max": seconds(60, "Longest Spec, Check or Discover, in seconds."),
            "silence_seconds_max": seconds(300, "Longest silence of a stream, in seconds.")
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
        for (text, told) in [
            ("", "url"),
            ("url = \"ftp://x\"", "`url`"),
            ("url = \"http://x\"\nsettngs = {}", "settngs"),
            ("url = \"http://x\"\ncall_seconds_max = 0", "call_seconds_max"),
        ] {
            let failure = parse(text).unwrap_err();
            assert!(failure.message.contains(told), "{}", failure.message);
        }
    }
}

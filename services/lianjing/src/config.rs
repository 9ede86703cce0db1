//! The server's configuration file (TOML). The command line overrides it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::cli::Global;
use crate::outcome::{CliError, CliResult};

/// All keys are optional; unknown ones are errors.
///
/// ```toml
/// listen = "127.0.0.1:7070"
/// data = "/var/lib/lianjing"
/// store = "postgres://lianjing@localhost/lianjing"
/// rules = "/etc/lianjing/rules"
/// threads = 2
/// sources = "/etc/lianjing/sources.toml"
/// metrics = "127.0.0.1:9464"
/// ```
#[derive(Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: Option<SocketAddr>,
    pub data: Option<PathBuf>,
    pub store: Option<String>,
    pub rules: Option<PathBuf>,
    pub threads: Option<usize>,
    pub sources: Option<PathBuf>,
    pub metrics: Option<SocketAddr>,
}

impl Config {
    pub fn read(path: &Path) -> CliResult<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|e| CliError::usage(format!("cannot read {}: {e}", path.display())))?;
        Self::parse(&text).map_err(|e| CliError::usage(format!("{}: {e}", path.display())))
    }

    fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }

    /// Fills in what the command line left at its default.
    pub fn fill(self, global: &mut Global) {
        if let Some(data) = self.data.filter(|_| global.data == Path::new("lianjing-data")) {
            global.data = data;
        }
        if let Some(threads) = self.threads.filter(|_| global.threads == 0) {
            global.threads = threads;
        }
        global.store = global.store.take().or(self.store);
        global.rules = global.rules.take().or(self.rules);
        global.sources = global.sources.take().or(self.sources);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_and_addresses_without_a_port_are_errors() {
        let config = Config::parse("listen = \"127.0.0.1:7071\"\nthreads = 2\n").expect("valid");
        assert_eq!(
            (config.listen.map(|a| a.port()), config.threads),
            (Some(7071), Some(2))
        );
        assert!(
            Config::parse("lisen = \"127.0.0.1:7071\"")
                .expect_err("unknown")
                .to_string()
                .contains("lisen")
        );
        assert!(Config::parse("listen = \"127.0.0.1\"").is_err());
    }
}

//! The kind `files` for configured sources: a directory, and what its files mean.

use std::path::{Path, PathBuf};

use connector::{Connector, ConnectorFactory, Spec};
use domain::ports::Result;
use domain::{Bilingual, Failure};
use serde::Deserialize;
use serde_json::json;

use crate::FilesConnector;

/// Makes [`FilesConnector`]s of `config` tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct FilesFactory;

/// The `config` table of a source of kind `files`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    dir: PathBuf,
    #[serde(default)]
    mapping: Option<PathBuf>,
}

impl Config {
    fn parse(config: toml::Table) -> Result<Self> {
        config.try_into().map_err(|e: toml::de::Error| {
            Failure::invalid(
                "FILES_CONFIGURATION",
                format!(
                    "config: {}; a source of kind `files` takes `dir` and, if need be, `mapping`",
                    e.message()
                ),
            )
        })
    }

    fn open(&self, base: &Path, dir: &Path) -> Result<Box<dyn Connector>> {
        let mapping = self.mapping.as_ref().map(|m| base.join(m));
        Ok(Box::new(FilesConnector::new(dir, mapping.as_deref())?))
    }
}

impl ConnectorFactory for FilesFactory {
    fn spec(&self) -> Spec {
        Spec {
            kind: "files",
            title: Bilingual::new("文件目录", "A directory of files"),
            config_schema: json!({
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "required": ["dir"],
                "additionalProperties": false,
                "properties": {
                    "dir": {
                        "type": "string",
                        "description": "Directory of the files, relative to the file of sources. 数据文件目录"
                    },
                    "mapping": {
                        "type": "string",
                        "description": "Mapping file (TOML): what files and columns mean whose names do not say it. 映射文件"
                    }
                }
            }),
            lists_keys: true,
            ..Spec::default()
        }
    }

    fn open(&self, config: toml::Table, base: &Path) -> Result<Box<dyn Connector>> {
        let config = Config::parse(config)?;
        config.open(base, &base.join(&config.dir))
    }

    fn open_copies(
        &self,
        config: toml::Table,
        base: &Path,
        dir: &Path,
    ) -> Option<Result<Box<dyn Connector>>> {
        Some(Config::parse(config).and_then(|config| config.open(base, dir)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_table_is_told_by_its_key() {
        let open = |text: &str| FilesFactory.open(text.parse().unwrap(), Path::new("/nowhere"));
        assert!(open("dir = \"drop\"").is_ok());
        for (text, told) in [("dri = \"x\"", "dri"), ("", "dir"), ("dir = 1", "string")] {
            let failure = open(text).err().unwrap();
            assert_eq!(failure.kind, domain::FailureKind::Invalid);
            assert!(failure.message.contains(told), "{}", failure.message);
        }
    }
}

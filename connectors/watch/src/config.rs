//! The configuration of a watched source: one TOML table, strict about what it does not know.

use std::path::{Path, PathBuf};

use connector::factory::secret::{SecretRef, check_named};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::WatchError;

/// Keys of the configuration that name secrets.
const SECRETS: &[&str] = &["access_key_id", "secret_access_key"];

/// A watched source.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(tag = "kind")]
pub enum WatchConfig {
    #[serde(rename = "drop-folder")]
    Folder(FolderConfig),
    #[serde(rename = "s3")]
    Bucket(BucketConfig),
}

/// A folder into which files are dropped.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FolderConfig {
    /// Relative to the configuration file; read with its subfolders.
    pub path: PathBuf,
    /// The mapping file of the `files` connector; relative to the configuration file.
    pub mapping: Option<PathBuf>,
    /// A file is taken once its size and time have not changed for so long.
    #[serde(default = "stable_seconds")]
    pub stable_seconds: u32,
    /// Folder below `path` into which files are moved when they are done, at the sync after the one that read
    /// them. By default they stay and are known by size, time and digest.
    pub done: Option<PathBuf>,
}

/// A bucket of a service that speaks S3.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BucketConfig {
    /// Name of the bucket.
    pub bucket: String,
    /// Only objects below this; the rest of the key is the file's name.
    #[serde(default)]
    pub prefix: String,
    /// Address of the service, "https://minio.example.org:9000"; by default Amazon's.
    pub endpoint: Option<String>,
    /// Region that requests are signed for.
    #[serde(default = "region")]
    pub region: String,
    /// Without keys the bucket is read as anybody may. `{ env = "NAME" }` or `{ file = "path" }`, as the other key.
    pub access_key_id: Option<SecretRef>,
    /// `{ env = "NAME" }`, or `{ file = "path" }` with nothing else in it.
    pub secret_access_key: Option<SecretRef>,
    /// Allow an endpoint without TLS.
    #[serde(default)]
    pub allow_http: bool,
    /// `bucket` is part of the host's name, not of the path.
    #[serde(default)]
    pub virtual_hosted: bool,
    /// The mapping file of the `files` connector; relative to the configuration file.
    pub mapping: Option<PathBuf>,
    /// An object is taken once it has not changed for so long. Objects appear whole, so 0 will do.
    #[serde(default)]
    pub stable_seconds: u32,
    /// Prefix under which objects are moved when they are done (copied, then deleted), at the sync after the
    /// one that read them. By default they stay and are known by their tag, size and time.
    pub done: Option<String>,
}

fn stable_seconds() -> u32 {
    60
}

fn region() -> String {
    "us-east-1".to_owned()
}

impl WatchConfig {
    pub fn parse(text: &str) -> Result<Self, WatchError> {
        // Not the error's Display, which would show the line, perhaps one with a secret in it.
        let table: toml::Table =
            toml::from_str(text).map_err(|e| WatchError::Config(e.message().to_owned()))?;
        Self::from_value(table.into())
    }

    pub fn from_value(value: toml::Value) -> Result<Self, WatchError> {
        if let Some(table) = value.as_table() {
            check_named(table, SECRETS).map_err(WatchError::Config)?;
        }
        value
            .try_into()
            .map_err(|e: toml::de::Error| WatchError::Config(e.message().to_owned()))
    }

    pub fn mapping(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => folder.mapping.as_deref(),
            Self::Bucket(bucket) => bucket.mapping.as_deref(),
        }
    }

    pub fn stable_seconds(&self) -> u32 {
        match self {
            Self::Folder(folder) => folder.stable_seconds,
            Self::Bucket(bucket) => bucket.stable_seconds,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configurations_and_what_is_wrong_with_them() {
        let folder = WatchConfig::parse("kind = \"drop-folder\"\npath = \"in\"\n").unwrap();
        assert_eq!(folder.stable_seconds(), 60);
        let text = "kind = \"s3\"\nbucket = \"b\"\naccess_key_id = { env = \"KEY\" }\nsecret_access_key = { file = \"key\" }\n";
        let WatchConfig::Bucket(bucket) = WatchConfig::parse(text).unwrap() else {
            panic!("a bucket");
        };
        assert_eq!(
            bucket.access_key_id,
            Some(SecretRef::Env {
                env: "KEY".to_owned()
            })
        );
        for (text, want) in [
            ("kind = \"ftp\"\n", "unknown variant"),
            ("kind = \"s3\"\nbucket = \"b\"\nkey = 1\n", "unknown field"),
            ("kind = \"drop-folder\"\n", "missing field `path`"),
            (
                "kind = \"s3\"\nbucket = \"b\"\nsecret_access_key = \"hunter2\"\n",
                "`secret_access_key`: a secret is named, never written out",
            ),
        ] {
            let got = WatchConfig::parse(text).unwrap_err().to_string();
            assert!(got.contains(want), "{text}: {got}");
            assert!(!got.contains("hunter2"), "{text}: {got}");
        }
    }
}

//! Secrets: named in the configuration, fetched when needed, never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

/// Largest secret file.
const SECRET_BYTES_MAX: u64 = 64 << 10;
const NAMED: &str = "a secret is named, never written out: { env = \"NAME\" } or { file = \"path\" }";

/// Where a secret is; never the secret itself. Exactly one of `env` and `file`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "a secret is named, never written out: { env = \"NAME\" } or { file = \"path\" }"
)]
pub enum SecretRef {
    Env {
        /// Name of an environment variable.
        env: String,
    },
    File {
        /// Path of a file, from the configuration's folder; white space around its text is taken off.
        file: PathBuf,
    },
}

/// A secret. `Debug` hides it, and there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a secret cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}, named as a secret, {what}; set it before the sync")]
pub struct SecretError {
    pub place: String,
    pub what: &'static str,
}

/// Whether what stands at each of these keys of a configuration, `auth.value`, names a secret; a key that is not there
/// does no harm. Looked at before the configuration is taken apart, so that the key at fault can be told, and what
/// stands there is not.
pub fn check_named(config: &toml::Table, keys: &[&str]) -> Result<(), String> {
    let wrong = keys.iter().find(|key| {
        let mut names = key.split('.');
        let first = names.next().and_then(|name| config.get(name));
        let value = names.try_fold(first, |at, name| Some(at?.as_table()?.get(name)));
        value
            .flatten()
            .is_some_and(|value| SecretRef::deserialize(value.clone()).is_err())
    });
    wrong.map_or(Ok(()), |key| Err(format!("`{key}`: {NAMED}")))
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself: for what is sent to the source only.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl SecretRef {
    /// Fetches it now, so that a changed secret is used from the next sync on. `base` is the folder that relative
    /// paths start from.
    pub fn resolve(&self, base: &Path) -> Result<Secret, SecretError> {
        let (text, place) = match self {
            Self::Env { env } => {
                let place = format!("the environment variable {env}");
                let text = std::env::var(env).map_err(|_| SecretError {
                    place: place.clone(),
                    what: "is not set or is no text",
                })?;
                (text, place)
            }
            Self::File { file } => {
                let path = base.join(file);
                let place = format!("the file {}", path.display());
                let fault = |what| SecretError {
                    place: place.clone(),
                    what,
                };
                let size = std::fs::metadata(&path)
                    .map_err(|_| fault("cannot be read"))?
                    .len();
                if size > SECRET_BYTES_MAX {
                    return Err(fault("is too large for a secret"));
                }
                let text = std::fs::read_to_string(&path).map_err(|_| fault("cannot be read as text"))?;
                (text, place)
            }
        };
        match text.trim() {
            "" => Err(SecretError {
                place,
                what: "is empty",
            }),
            text => Ok(Secret::new(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_shown() {
        let secret = Secret::new("s3cr3t");
        assert_eq!(
            format!("{secret:?} {:?}", Some(&secret)),
            "Secret(***) Some(Secret(***))"
        );
        assert_eq!(secret.reveal(), "s3cr3t");
    }

    #[test]
    fn secrets_come_from_files_and_say_what_is_wrong() {
        let dir = std::env::temp_dir().join(format!("lianjing-secret-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("key"), " abc\n").unwrap();
        std::fs::write(dir.join("empty"), "\n").unwrap();
        let resolve = |name: &str| SecretRef::File { file: name.into() }.resolve(&dir);
        assert_eq!(resolve("key").unwrap().reveal(), "abc");
        assert_eq!(resolve("empty").unwrap_err().what, "is empty");
        assert_eq!(resolve("none").unwrap_err().what, "cannot be read");
        let unset = SecretRef::Env {
            env: "LIANJING_NO_SUCH_VARIABLE".into(),
        };
        let error = unset.resolve(&dir).unwrap_err().to_string();
        assert!(error.contains("LIANJING_NO_SUCH_VARIABLE"), "{error}");
        std::fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_secret_written_out_is_refused_with_its_key_and_not_shown() {
        for value in [
            "'hunter2'",
            "7",
            "['hunter2']",
            "{ env = 'A', file = 'hunter2' }",
            "{ text = 'hunter2' }",
            "{ hunter2 = 1 }",
        ] {
            let table: toml::Table = format!("[auth]\nvalue = {value}").parse().unwrap();
            let error = SecretRef::deserialize(table["auth"]["value"].clone()).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
            let error =
                check_named(&table, &["token", "auth.key", "auth.value.key", "auth.value"]).unwrap_err();
            assert_eq!(error, format!("`auth.value`: {NAMED}"));
        }
        let table: toml::Table = "token = { env = 'A' }\nauth = { value = { file = 'b' } }"
            .parse()
            .unwrap();
        check_named(&table, &["token", "auth.value", "auth.key"]).unwrap();
    }
}

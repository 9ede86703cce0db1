//! Secrets: named in the configuration, fetched when needed, never shown.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::RestError;

/// Largest secret file.
const SECRET_BYTES_MAX: u64 = 64 << 10;

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

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The secret itself: for headers, queries and signatures only.
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
    pub fn resolve(&self, base: &Path) -> Result<Secret, RestError> {
        let (text, place) = match self {
            Self::Env { env } => {
                let text = std::env::var(env).map_err(|_| RestError::Secret {
                    place: format!("the environment variable {env}"),
                    what: "is not set or is no text",
                })?;
                (text, format!("the environment variable {env}"))
            }
            Self::File { file } => {
                let path = base.join(file);
                let place = format!("the file {}", path.display());
                let fault = |what| RestError::Secret {
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
            "" => Err(RestError::Secret {
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
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("key"), " abc\n").unwrap();
        std::fs::write(dir.path().join("empty"), "\n").unwrap();
        let file = |name: &str| SecretRef::File { file: name.into() };
        assert_eq!(file("key").resolve(dir.path()).unwrap().reveal(), "abc");
        assert!(
            file("empty")
                .resolve(dir.path())
                .unwrap_err()
                .to_string()
                .contains("is empty")
        );
        assert!(
            file("none")
                .resolve(dir.path())
                .unwrap_err()
                .to_string()
                .contains("cannot be read")
        );
        let unset = SecretRef::Env {
            env: "LIANJING_NO_SUCH_VARIABLE".into(),
        };
        assert!(
            unset
                .resolve(dir.path())
                .unwrap_err()
                .to_string()
                .contains("LIANJING_NO_SUCH_VARIABLE")
        );
    }

    #[test]
    fn a_secret_written_out_is_refused() {
        for text in [
            "value = 'abc'",
            "value = { env = 'A', file = 'b' }",
            "value = { text = 'abc' }",
        ] {
            #[derive(Debug, Deserialize)]
            struct Holder {
                #[expect(dead_code, reason = "only whether it can be read matters")]
                value: SecretRef,
            }
            assert!(toml::from_str::<Holder>(text).is_err(), "{text}");
        }
    }
}

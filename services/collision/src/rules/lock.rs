//! `rules.lock`: rule id -> version and hash of its text, so that no text changes under an old version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::{CollisionError, Result};

/// One rule's pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    pub version: u32,
    /// SHA-256 (hex) of the rule's file.
    pub hash: String,
}

/// The whole file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lock(pub BTreeMap<String, Pin>);

const HEAD: &str = "# Pins each rule's version to its text. Written by `lianjing rules lock`.\n\n";

impl Lock {
    pub fn parse(place: &str, text: &str) -> Result<Self> {
        toml::from_str(text).map_err(|e| CollisionError::BadFile {
            place: place.to_owned(),
            problem: e.to_string().lines().next().unwrap_or_default().to_owned(),
        })
    }

    pub fn render(&self) -> String {
        let mut out = HEAD.to_owned();
        for (id, pin) in &self.0 {
            out.push_str(&format!(
                "[{id}]\nversion = {}\nhash = \"{}\"\n\n",
                pin.version, pin.hash
            ));
        }
        out
    }

    /// What is wrong with a rule of this version and hash, if anything.
    pub fn problem(&self, id: &str, version: u32, hash: &str) -> Option<String> {
        match self.0.get(id) {
            None => Some(format!("rule {id} is not in rules.lock; run `rules lock`")),
            Some(pin) if pin.version == version && pin.hash != hash => Some(format!(
                "the text of {id} changed but its version is still {version}; raise `version`, then run `rules lock`"
            )),
            Some(pin) if pin.version != version => Some(format!(
                "{id} has version {version}, rules.lock has {}; run `rules lock`",
                pin.version
            )),
            Some(_) => None,
        }
    }

    /// The lock that fits these (id, version, hash), or what forbids it: a version that went down, or changed
    /// text under the same version.
    pub fn updated<'a>(&self, rules: impl Iterator<Item = (&'a str, u32, &'a str)>) -> Result<Self> {
        let mut next = BTreeMap::new();
        let mut problems = Vec::new();
        for (id, version, hash) in rules {
            match self.0.get(id) {
                Some(pin) if pin.version == version && pin.hash != hash => {
                    problems.push(format!(
                        "the text of {id} changed but its version is still {version}; raise `version`"
                    ));
                }
                Some(pin) if pin.version > version => {
                    problems.push(format!(
                        "the version of {id} went down from {} to {version}",
                        pin.version
                    ));
                }
                _ => {}
            }
            next.insert(
                id.to_owned(),
                Pin {
                    version,
                    hash: hash.to_owned(),
                },
            );
        }
        if problems.is_empty() {
            Ok(Self(next))
        } else {
            Err(CollisionError::BadFiles(problems))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changed_text_needs_a_new_version() {
        let lock = Lock::default()
            .updated([("A-1", 1, "aa"), ("B-1", 3, "bb")].into_iter())
            .unwrap();
        assert_eq!(Lock::parse("rules.lock", &lock.render()).unwrap(), lock);
        assert_eq!(lock.problem("A-1", 1, "aa"), None);
        assert!(lock.problem("A-1", 1, "ab").unwrap().contains("raise `version`"));
        assert!(lock.problem("A-1", 2, "ab").unwrap().contains("rules lock"));
        assert!(
            lock.problem("C-1", 1, "cc")
                .unwrap()
                .contains("not in rules.lock")
        );
        assert!(lock.updated([("A-1", 1, "ab")].into_iter()).is_err());
        assert!(lock.updated([("B-1", 2, "bb")].into_iter()).is_err());
        assert!(lock.updated([("A-1", 2, "ab")].into_iter()).is_ok());
    }
}

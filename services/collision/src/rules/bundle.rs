//! All rules and views in force: the shipped ones, with a hospital's own over them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use domain::ports::Rule;
use domain::rule::{RuleSpec, RuleStatus};
use sha2::{Digest, Sha256};

use super::file::{self, ViewSpec};
use super::lock::Lock;
use crate::error::{CollisionError, Result};
use crate::sql::Query;

/// A rule, its query and its cases' text.
#[derive(Debug, Clone)]
pub struct LoadedRule {
    pub spec: Arc<RuleSpec>,
    pub text: Arc<str>,
    /// SHA-256 of the text, hex.
    pub hash: String,
    /// Path below `queries/` or the given folder.
    pub place: String,
    pub query: Query,
    /// (place, text) of its test file.
    pub cases: Option<(String, Arc<str>)>,
}

impl LoadedRule {
    /// As the port shows it.
    pub fn public(&self) -> Rule {
        Rule {
            spec: self.spec.clone(),
            text: self.text.clone(),
            hash: self.hash.clone(),
            place: self.place.clone(),
        }
    }
}

/// A view and its query.
#[derive(Debug, Clone)]
pub struct View {
    pub spec: ViewSpec,
    pub hash: String,
    pub place: String,
    pub query: Query,
}

/// Rules by id and views by name.
#[derive(Debug, Clone, Default)]
pub struct Bundle {
    pub rules: BTreeMap<String, LoadedRule>,
    pub views: BTreeMap<String, View>,
    pub lock: Lock,
    /// Whether the lock pins these rules (own rules of a hospital need no lock).
    pub locked_places: BTreeSet<String>,
}

impl Bundle {
    /// The rules that the binary carries, with those of `own` over them.
    pub fn load(own: Option<&Path>) -> Result<Self> {
        let mut bundle = Self::from_files(
            super::embedded::FILES
                .iter()
                .map(|(p, t)| (p.to_string(), (*t).into())),
        )?;
        if let Some(dir) = own {
            bundle.add(&read_folder(dir)?, false)?;
        }
        Ok(bundle)
    }

    /// The rules of a folder shaped like `queries/`, and nothing else.
    pub fn from_folder(dir: &Path) -> Result<Self> {
        Self::from_files(read_folder(dir)?)
    }

    /// Rules and views from (path, text) pairs.
    pub fn from_files(files: impl IntoIterator<Item = (String, Arc<str>)>) -> Result<Self> {
        let mut bundle = Self::default();
        bundle.add(&files.into_iter().collect::<Vec<_>>(), true)?;
        Ok(bundle)
    }

    fn add(&mut self, files: &[(String, Arc<str>)], locked: bool) -> Result<()> {
        // A hospital's own rules need no lock; where they have one it holds.
        let is_pinned = locked || files.iter().any(|(place, _)| place.ends_with(".lock"));
        let mut problems = Vec::new();
        let mut seen: BTreeMap<String, String> = BTreeMap::new();
        let mut once = |name: String, place: &str, problems: &mut Vec<String>| match seen.get(&name) {
            Some(other) => {
                problems.push(format!("{place}: {name} is already defined in {other}"));
                false
            }
            None => {
                seen.insert(name, place.to_owned());
                true
            }
        };
        for (place, text) in files {
            if place.ends_with(".lock") {
                match Lock::parse(place, text) {
                    Ok(lock) => self.lock.0.extend(lock.0),
                    Err(error) => problems.push(error.to_string()),
                }
            } else if place.ends_with(".sql") && is_view(place) {
                match file::parse_view(place, text) {
                    Ok((spec, query)) => {
                        if once(format!("view {}", spec.name), place, &mut problems) {
                            let view = View {
                                hash: file::sha256(text),
                                place: place.clone(),
                                query,
                                spec,
                            };
                            self.views.insert(view.spec.name.clone(), view);
                        }
                    }
                    Err(error) => problems.push(error.to_string()),
                }
            } else if place.ends_with(".sql") {
                match file::parse_rule(place, text) {
                    Ok((spec, query)) => {
                        if once(format!("rule {}", spec.id), place, &mut problems) {
                            let test = place.replace(".sql", ".test.yaml");
                            let cases = files.iter().find(|(p, _)| *p == test).cloned();
                            if is_pinned {
                                self.locked_places.insert(place.clone());
                            }
                            let rule = LoadedRule {
                                spec: Arc::new(spec),
                                text: text.clone(),
                                hash: file::sha256(text),
                                place: place.clone(),
                                query,
                                cases,
                            };
                            self.rules.insert(rule.spec.id.clone(), rule);
                        }
                    }
                    Err(error) => problems.push(error.to_string()),
                }
            } else if place.ends_with(".test.yaml") {
                let rule = place.replace(".test.yaml", ".sql");
                if !files.iter().any(|(p, _)| *p == rule) {
                    problems.push(format!("{place}: there is no {rule} to test"));
                }
            }
        }
        problems.extend(self.view_cycles());
        if problems.is_empty() {
            Ok(())
        } else {
            Err(CollisionError::BadFiles(problems))
        }
    }

    fn view_cycles(&self) -> Vec<String> {
        self.views
            .iter()
            .filter(|(name, view)| self.views_under(&view.query).contains(*name))
            .map(|(name, view)| {
                format!(
                    "{}: view {name} reads itself, directly or through others",
                    view.place
                )
            })
            .collect()
    }

    /// All views that a query reads, through views too.
    pub fn views_under(&self, query: &Query) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        let mut todo: Vec<&str> = query.tables.iter().map(String::as_str).collect();
        while let Some(name) = todo.pop() {
            if let Some((name, view)) = self.views.get_key_value(name)
                && found.insert(name.clone())
            {
                todo.extend(view.query.tables.iter().map(String::as_str));
            }
        }
        found
    }

    /// What a query reads through its views: (tables that are no views, functions).
    pub fn reads(&self, query: &Query) -> (BTreeSet<String>, BTreeSet<String>) {
        let mut tables = query.tables.clone();
        let mut functions = query.functions.clone();
        for name in self.views_under(query) {
            tables.extend(self.views[&name].query.tables.iter().cloned());
            functions.extend(self.views[&name].query.functions.iter().cloned());
        }
        tables.retain(|t| !self.views.contains_key(t));
        (tables, functions)
    }

    pub fn rule(&self, id: &str) -> Result<&LoadedRule> {
        self.rules
            .get(id)
            .ok_or_else(|| CollisionError::NoSuchRule(id.to_owned()))
    }

    /// The rules asked for in id order; all that are not deprecated when none is named.
    pub fn select(&self, ids: &[String]) -> Result<Vec<&LoadedRule>> {
        if ids.is_empty() {
            return Ok(self
                .rules
                .values()
                .filter(|r| r.spec.status != RuleStatus::Deprecated)
                .collect());
        }
        let wanted: BTreeSet<&String> = ids.iter().collect();
        wanted.into_iter().map(|id| self.rule(id)).collect()
    }

    /// SHA-256 (hex) over all rules and views, in name order.
    pub fn hash(&self) -> String {
        let mut digest = Sha256::new();
        let rules = self.rules.values().map(|r| ("rule", &r.spec.id, &r.hash));
        for (kind, name, hash) in rules.chain(self.views.iter().map(|(n, v)| ("view", n, &v.hash))) {
            digest.update(format!("{kind} {name} {hash}\n"));
        }
        digest.finalize().iter().map(|b| format!("{b:02x}")).collect()
    }
}

fn is_view(place: &str) -> bool {
    place.starts_with("views/") || place.contains("/views/")
}

/// All files of a folder below `dir` that may be rules, views, cases or a lock; paths relative to `dir`.
fn read_folder(dir: &Path) -> Result<Vec<(String, Arc<str>)>> {
    let mut files = Vec::new();
    let mut todo = vec![dir.to_path_buf()];
    while let Some(folder) = todo.pop() {
        let fail = |source| CollisionError::ReadFile {
            place: folder.display().to_string(),
            source,
        };
        for entry in std::fs::read_dir(&folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.is_dir() {
                todo.push(path);
                continue;
            }
            let place = path
                .strip_prefix(dir)
                .unwrap_or(&path)
                .to_string_lossy()
                .replace('\\', "/");
            if place.ends_with(".sql") || place.ends_with(".test.yaml") || place.ends_with(".lock") {
                let text = std::fs::read_to_string(&path).map_err(|source| CollisionError::ReadFile {
                    place: path.display().to_string(),
                    source,
                })?;
                files.push((place, text.into()));
            }
        }
    }
    files.sort();
    Ok(files)
}

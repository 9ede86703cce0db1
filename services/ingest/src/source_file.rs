//! `sources.toml`: which sources there are, of what kind, and when they are synced. Edited in place, so that comments
//! and order stay.

use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds, Year};
use domain::Failure;
use domain::ports::Result;
use domain::sources::SourceInfo;
use serde::Deserialize;
use toml_edit::{DocumentMut, Item, Table};

/// Largest file of sources or of one source's configuration, in bytes.
const FILE_BYTES_MAX: u64 = 4 << 20;
const NAME_CHARS_MAX: usize = 64;
pub const DEFAULT_ZONE: &str = "Asia/Shanghai";

/// The table of one source. Unknown keys are errors.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceTable {
    pub kind: String,
    /// What the kind wants; or `config_file`.
    #[serde(default)]
    pub config: Option<toml::Table>,
    /// A TOML file with what the kind wants, relative to the file of sources.
    #[serde(default)]
    pub config_file: Option<PathBuf>,
    /// Cron expression of the syncs.
    #[serde(default)]
    pub schedule: Option<String>,
    /// IANA name of the schedule's zone.
    #[serde(default)]
    pub zone: Option<String>,
    /// Percent with at most two places, as text: `"0.5"`.
    #[serde(default)]
    pub quarantine_limit: Option<String>,
    /// Longest time without a new row before the source counts as silent: `"36h"`, `"7d"`.
    #[serde(default)]
    pub silence: Option<String>,
    /// Rows after which an incremental sync commits at its next checkpoint.
    #[serde(default)]
    pub commit_rows: Option<u64>,
}

/// A source as its file says, ready to be opened.
#[derive(Debug, Clone)]
pub struct ConfiguredSource {
    pub info: SourceInfo,
    pub config: toml::Table,
    pub commit_rows: Option<u64>,
    /// The folder that relative paths of `config` start from.
    pub base: PathBuf,
}

/// The file; it need not be there.
#[derive(Debug, Clone)]
pub struct SourceFile {
    path: PathBuf,
}

fn wrong(place: &str, problem: impl std::fmt::Display) -> Failure {
    Failure::invalid("SOURCE_CONFIGURATION", format!("{place}: {problem}"))
}

impl SourceFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    fn text(&self) -> Result<String> {
        match std::fs::metadata(&self.path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(String::new()),
            Ok(m) if m.len() > FILE_BYTES_MAX => {
                return Err(wrong(
                    &self.path.display().to_string(),
                    format!("{} bytes, more than {FILE_BYTES_MAX}", m.len()),
                ));
            }
            _ => {}
        }
        std::fs::read_to_string(&self.path).map_err(|e| {
            wrong(
                &self.path.display().to_string(),
                format!("cannot be read: {e}; make it readable for this program"),
            )
        })
    }

    fn document(&self) -> Result<DocumentMut> {
        let text = self.text()?;
        text.parse()
            .map_err(|e| wrong(&self.path.display().to_string(), format!("is no TOML: {e}")))
    }

    /// The tables of the sources, as they are written.
    fn tables(&self) -> Result<Vec<(String, Item)>> {
        let document = self.document()?;
        if let Some((key, _)) = document.iter().find(|(key, _)| *key != "sources") {
            return Err(wrong(
                &self.path.display().to_string(),
                format!("unknown key `{key}`; sources stand in tables [sources.NAME]"),
            ));
        }
        let Some(sources) = document.get("sources") else {
            return Ok(Vec::new());
        };
        let Some(sources) = sources.as_table_like() else {
            return Err(wrong(
                &self.path.display().to_string(),
                "key `sources` is no table; write [sources.NAME]",
            ));
        };
        let tables = sources.iter().map(|(name, item)| (name.to_owned(), item.clone()));
        Ok(tables.collect())
    }

    /// All sources, in the order of their names. What is wrong with one is told with it, so that the others can go on.
    pub fn all(&self) -> Result<Vec<SourceInfo>> {
        let tables = self.tables()?.into_iter();
        let mut found: Vec<SourceInfo> = tables
            .map(|(name, item)| match self.read(&name, &item) {
                Ok(source) => source.info,
                Err(failure) => SourceInfo {
                    place: self.place(&name),
                    name,
                    problem: Some(failure.message),
                    ..SourceInfo::default()
                },
            })
            .collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    pub fn one(&self, name: &str) -> Result<ConfiguredSource> {
        let tables = self.tables()?;
        if let Some((name, item)) = tables.iter().find(|(known, _)| known == name) {
            return self.read(name, item);
        }
        let mut known: Vec<String> = tables.into_iter().map(|(name, _)| name).collect();
        known.sort();
        let known = match known.is_empty() {
            true => "there is none yet; `lianjing source add` makes one".to_owned(),
            false => format!("there are {}", known.join(", ")),
        };
        Err(Failure::not_found(
            "SOURCE_NOT_FOUND",
            format!("{} has no source {name:?}; {known}", self.path.display()),
        )
        .with("source", name))
    }

    fn place(&self, name: &str) -> String {
        format!("{}, [sources.{name}]", self.path.display())
    }

    fn read(&self, name: &str, item: &Item) -> Result<ConfiguredSource> {
        let mut text = DocumentMut::new();
        *text.as_table_mut() = as_table(item).ok_or_else(|| wrong(&self.place(name), "is no table"))?;
        self.configured(name, &text.to_string())
    }

    /// Reads the table of one source.
    pub fn configured(&self, name: &str, table: &str) -> Result<ConfiguredSource> {
        let place = self.place(name);
        let chars = name.chars().count();
        if chars == 0 || chars > NAME_CHARS_MAX || name.starts_with('_') {
            return Err(wrong(
                &place,
                format!(
                    "the name has {chars} characters; it takes 1 to {NAME_CHARS_MAX}, and does not begin with `_`"
                ),
            ));
        }
        let raw: SourceTable = toml::from_str(table).map_err(|e| wrong(&place, e.message()))?;
        let folder = self.path.parent().unwrap_or(Path::new(".")).to_owned();
        let (config, base) = match (raw.config, raw.config_file) {
            (Some(_), Some(_)) => {
                return Err(wrong(&place, "has both `config` and `config_file`; keep one"));
            }
            (Some(config), None) => (config, folder),
            (None, None) => (toml::Table::new(), folder),
            (None, Some(file)) => {
                let path = folder.join(&file);
                let read = || -> Result<toml::Table> {
                    let text = std::fs::read_to_string(&path).map_err(|e| {
                        wrong(
                            &place,
                            format!("`config_file` {} cannot be read: {e}", path.display()),
                        )
                    })?;
                    text.parse()
                        .map_err(|e: toml::de::Error| wrong(&path.display().to_string(), e.to_string()))
                };
                let base = path.parent().unwrap_or(Path::new(".")).to_owned();
                (read()?, base)
            }
        };
        let zone = raw.zone.unwrap_or_else(|| DEFAULT_ZONE.to_owned());
        zone.parse::<Tz>().map_err(|_| {
            wrong(
                &place,
                format!("key `zone` is {zone:?}; write an IANA name like \"Asia/Shanghai\""),
            )
        })?;
        if let Some(cron) = &raw.schedule {
            cron_parser().parse(cron).map_err(|e| {
                wrong(
                    &place,
                    format!("key `schedule` is {cron:?}: {e}; write five fields, e.g. \"30 2 * * *\" for half past two each night"),
                )
            })?;
        }
        let silence_seconds = raw
            .silence
            .as_deref()
            .map(|text| {
                duration_seconds(text).ok_or_else(|| {
                    wrong(
                        &place,
                        format!("key `silence` is {text:?}; write a number with m, h or d, e.g. \"36h\""),
                    )
                })
            })
            .transpose()?;
        let quarantine_limit_bp = raw
            .quarantine_limit
            .as_deref()
            .map(|text| {
                percent(text.trim_end_matches(['%', ' '])).ok_or_else(|| {
                    wrong(
                        &place,
                        format!("key `quarantine_limit` is {text:?}; write a percentage from \"0\" to \"100\" with at most two places"),
                    )
                })
            })
            .transpose()?;
        Ok(ConfiguredSource {
            info: SourceInfo {
                name: name.to_owned(),
                kind: raw.kind,
                schedule: raw.schedule.unwrap_or_default(),
                zone,
                quarantine_limit_bp,
                silence_seconds,
                place,
                problem: None,
            },
            config,
            commit_rows: raw.commit_rows,
            base,
        })
    }

    /// Writes the source's table into the file.
    pub fn put(&self, name: &str, table: &str, replace: bool) -> Result<()> {
        let mut document = self.document()?;
        let added: DocumentMut = table
            .parse()
            .map_err(|e| wrong(&format!("the new source {name}"), format!("is no TOML: {e}")))?;
        let mut sources = Table::new();
        sources.set_implicit(true);
        let sources = document
            .entry("sources")
            .or_insert(Item::Table(sources))
            .as_table_mut()
            .ok_or_else(|| {
                wrong(
                    &self.path.display().to_string(),
                    "key `sources` is no table; write [sources.NAME]",
                )
            })?;
        if sources.contains_key(name) && !replace {
            return Err(Failure::new(
                domain::FailureKind::Conflict,
                "SOURCE_EXISTS",
                format!(
                    "{} already has a source {name:?}; --replace puts another in its place",
                    self.path.display()
                ),
            ));
        }
        sources.insert(name, Item::Table(added.as_table().clone()));
        // Positions of the added tables are of their own text: new tables come last.
        self.write(&renumbered(&document.to_string())?)
    }

    /// Takes the source's table out of the file.
    pub fn take(&self, name: &str) -> Result<()> {
        let mut document = self.document()?;
        // One that is wrong can be taken out, too.
        if !self.tables()?.iter().any(|(known, _)| known == name) {
            self.one(name)?;
        }
        if let Some(sources) = document.get_mut("sources").and_then(Item::as_table_like_mut) {
            sources.remove(name);
        }
        self.write(&document.to_string())
    }

    /// In one step, so that a reader never sees half a file.
    fn write(&self, text: &str) -> Result<()> {
        let temporary = self.path.with_extension("toml.new");
        std::fs::write(&temporary, text)
            .and_then(|()| std::fs::rename(&temporary, &self.path))
            .map_err(|e| {
                Failure::new(
                    domain::FailureKind::Precondition,
                    "SOURCES_NOT_WRITABLE",
                    format!("{} cannot be written: {e}", self.path.display()),
                )
            })
    }
}

/// Five fields; no seconds, no years: as the scheduler reads them.
fn cron_parser() -> CronParser {
    CronParser::builder()
        .seconds(Seconds::Disallowed)
        .year(Year::Disallowed)
        .build()
}

fn as_table(item: &Item) -> Option<Table> {
    match item {
        Item::Table(table) => Some(table.clone()),
        Item::Value(value) => value.as_inline_table().map(|t| t.clone().into_table()),
        _ => None,
    }
}

/// The text parses again: what was put together is a whole document.
fn renumbered(text: &str) -> Result<String> {
    let document: DocumentMut = text
        .parse()
        .map_err(|e: toml_edit::TomlError| wrong("the new file of sources", e))?;
    Ok(document.to_string())
}

/// `90m`, `36h`, `7d`.
fn duration_seconds(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(seconds)
        .filter(|s| *s > 0)
}

/// Percent with up to two places, as ten-thousandths.
fn percent(text: &str) -> Option<u32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || fraction.len() > 2 || !digits(whole) || !digits(fraction) {
        return None;
    }
    let hundredths: u32 = format!("{fraction:0<2}").parse().ok()?;
    Some(whole.parse::<u32>().ok()? * 100 + hundredths).filter(|bp| *bp <= 10_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, SourceFile) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sources.toml");
        if !text.is_empty() {
            std::fs::write(&path, text).unwrap();
        }
        (dir, SourceFile::new(path))
    }

    const HIS: &str = "# the hospital's own\n[sources.his]\nkind = \"files\"\nschedule = \"0 2 * * *\" # at night\n\n[sources.his.config]\ndir = \"drop\"\n";

    #[test]
    fn sources_are_read_with_their_defaults() {
        let (dir, file) = file(HIS);
        let all = file.all().unwrap();
        assert_eq!(all.len(), 1);
        let his = &all[0];
        assert_eq!((his.name.as_str(), his.kind.as_str()), ("his", "files"));
        assert_eq!(
            (his.schedule.as_str(), his.zone.as_str()),
            ("0 2 * * *", "Asia/Shanghai")
        );
        let his = file.one("his").unwrap();
        assert_eq!(his.config["dir"].as_str(), Some("drop"));
        assert_eq!(his.base, dir.path());
    }

    #[test]
    fn adding_and_removing_keeps_comments_and_the_other_sources() {
        let (_dir, file) = file(HIS);
        let table =
            "kind = \"files\"\nquarantine_limit = \"0.5\"\n[config]\ndir = \"x\"\n[config.deep]\na = 1\n";
        file.put("lis", table, false).unwrap();
        let all = file.all().unwrap();
        assert_eq!(
            all.iter().map(|s| s.name.as_str()).collect::<Vec<_>>(),
            ["his", "lis"]
        );
        assert_eq!(all[1].quarantine_limit_bp, Some(50));
        let config = |name| file.one(name).unwrap().config;
        assert_eq!(config("lis")["deep"]["a"].as_integer(), Some(1));
        assert_eq!(config("his")["dir"].as_str(), Some("drop"));
        assert_eq!(file.put("lis", table, false).unwrap_err().reason, "SOURCE_EXISTS");
        file.put("lis", "kind = \"open\"\n", true).unwrap();
        assert_eq!(file.one("lis").unwrap().info.kind, "open");
        file.take("lis").unwrap();
        let text = std::fs::read_to_string(&file.path).unwrap();
        assert!(
            text.contains("# the hospital's own") && text.contains("# at night"),
            "{text}"
        );
        assert_eq!(file.one("lis").unwrap_err().reason, "SOURCE_NOT_FOUND");
    }

    #[test]
    fn what_is_wrong_is_named_with_file_and_key() {
        for (text, told) in [
            ("[source.a]\nkind = \"files\"\n", "`source`"),
            ("[sources.a\n", "TOML"),
        ] {
            let (_dir, file) = file(text);
            let error = file.all().unwrap_err();
            assert!(
                error.message.contains(told) && error.message.contains("sources.toml"),
                "{}",
                error.message
            );
        }
        assert!(file("").1.all().unwrap().is_empty());
    }

    #[test]
    fn one_wrong_table_leaves_the_other_sources_alone() {
        for (table, told) in [
            ("kind = 1\n", "sources.a"),
            ("kind = \"files\"\nshedule = \"x\"\n", "shedule"),
            ("kind = \"files\"\nzone = \"Mars\"\n", "zone"),
            ("kind = \"files\"\nschedule = \"0 25 * * *\"\n", "schedule"),
            ("kind = \"files\"\nschedule = \"0 2 * *\"\n", "schedule"),
            (
                "kind = \"files\"\nquarantine_limit = \"few\"\n",
                "quarantine_limit",
            ),
            (
                "kind = \"files\"\nconfig_file = \"nowhere.toml\"\n",
                "nowhere.toml",
            ),
        ] {
            let (_dir, file) = file(&format!("{HIS}[sources.a]\n{table}"));
            let all = file.all().unwrap();
            let problem = all[0].problem.clone().unwrap();
            assert!(
                problem.contains(told) && problem.contains("sources.toml"),
                "{problem}"
            );
            assert_eq!((all[1].name.as_str(), &all[1].problem), ("his", &None));
            assert!(file.one("his").is_ok());
            assert!(file.one("a").unwrap_err().message.contains(told));
            file.take("a").unwrap();
            assert_eq!(file.all().unwrap().len(), 1);
        }
    }
}

//! The configuration of an open-standards source: one TOML table, strict about what it does not know.

use std::collections::BTreeMap;
use std::path::PathBuf;

use connector::coerce::date::Zone;
use connector::coerce::decimal::{self, Notation};
use connector::decode::Encoding;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::error::OpenError;

/// Which standard the files are in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Open Contracting Data Standard 1.0 and 1.1.
    Ocds,
    /// Beneficial Ownership Data Standard 0.2 to 0.4.
    Bods,
    /// FollowTheMoney entities, one a line.
    Ftm,
    /// Debarment and credit lists: CSV, or FollowTheMoney entities with sanctions.
    Debarment,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Ocds => "ocds",
            Self::Bods => "bods",
            Self::Ftm => "ftm",
            Self::Debarment => "debarment",
        }
    }

    fn globs(self) -> &'static [&'static str] {
        match self {
            Self::Ocds | Self::Bods | Self::Ftm => &["*.json", "*.jsonl", "*.ndjson"],
            Self::Debarment => &["*.csv", "*.json", "*.jsonl", "*.ndjson"],
        }
    }
}

/// A source of open-standard files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenConfig {
    pub kind: Kind,
    /// A file, or a directory that is read with its subdirectories; relative to the configuration file.
    pub path: PathBuf,
    /// Which files of the directory are read. Without `/` a pattern matches the name in any folder. By
    /// default *.json, *.jsonl and *.ndjson, for `debarment` also *.csv.
    #[serde(default)]
    pub include: Vec<String>,
    /// Name that the rows carry as `_source`.
    pub source: Option<String>,
    /// Zone of times that have none: "Asia/Shanghai" (the default), "UTC", "+08:00".
    pub time_zone: Option<String>,
    /// Share of rejected rows above which a sync fails, e.g. "1%".
    pub quarantine_limit: Option<String>,
    /// utf-8, gb18030, latin-1, utf-16le or utf-16be. By default found by each file's start.
    pub encoding: Option<String>,
    /// Schemes whose identifiers are unified social credit codes. By default CN-USCC, CN-SAMR and CN-SAIC.
    pub uscc_schemes: Option<Vec<String>>,
    pub ocds: Option<OcdsConfig>,
    pub bods: Option<BodsConfig>,
    pub ftm: Option<FtmConfig>,
    pub debarment: Option<DebarmentConfig>,
}

/// What is particular to OCDS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct OcdsConfig {
    /// The one currency amounts are in (ISO 4217). A row with an amount in another one is rejected. By default
    /// CNY, and amounts in other currencies are left out and told.
    pub currency: Option<String>,
    /// What the source's procurementMethodDetails or procurementMethod stand for, before the built-in table:
    /// "licitación abreviada" = "inquiry".
    pub methods: BTreeMap<String, String>,
    /// What the source's bid statuses stand for: valid, disqualified, withdrawn, or "" for not known.
    pub bid_statuses: BTreeMap<String, String>,
    /// Make a contract of each active award that no contract refers to.
    pub contracts_from_awards: bool,
    /// Make bids of the suppliers of awards where a release has neither bids nor tenderers. The other bidders
    /// then look as if there had been none.
    pub bids_from_awards: bool,
    /// Take every release as the whole of its process, whatever its tag says.
    pub compiled: bool,
}

/// Which end of a range of shares is taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShareBound {
    /// What is certain to be held.
    #[default]
    Minimum,
    Maximum,
    /// Ranges give no share.
    None,
}

/// What is particular to BODS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BodsConfig {
    /// What is taken as the share where only a range is given.
    pub share_range: ShareBound,
    /// What the source's interest types stand for, before the built-in table: "trustee" = "agent".
    pub interests: BTreeMap<String, String>,
    /// Make suppliers of companies.
    pub companies_as_suppliers: bool,
}

/// What is particular to FollowTheMoney.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FtmConfig {
    /// What the roles of directorships, memberships and ownerships stand for, before the built-in table.
    pub roles: BTreeMap<String, String>,
    /// What the relationships of families and associates stand for, before the built-in table.
    pub relationships: BTreeMap<String, String>,
    /// The relation that associates have; by default they are passed over and told.
    pub associate: Option<String>,
    /// The record type of sanctions: penalty (the default), bribery_blacklist, credit_rating or court.
    pub record_type: Option<String>,
    /// Record types by the sanction's programme or by the entity's dataset, before `record_type`.
    pub record_types: BTreeMap<String, String>,
    /// Region of the records.
    pub region_code: Option<String>,
    /// Make suppliers of companies.
    pub companies_as_suppliers: bool,
}

/// What is particular to lists of debarments and credit records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DebarmentConfig {
    /// The record type of every record: penalty (the default), bribery_blacklist, credit_rating or court.
    pub record_type: Option<String>,
    /// Record types by the text of the list's own type column, or by programme or dataset.
    pub record_types: BTreeMap<String, String>,
    /// CSV: column of credit_records -> header in the list. Columns that are called like those of
    /// credit_records, or like their Chinese labels or the usual English ones, need no entry.
    pub columns: BTreeMap<String, String>,
    /// CSV: headers that are known and not wanted.
    pub ignore: Vec<String>,
    /// Region of the records, where the list has no such column.
    pub region_code: Option<String>,
    /// CSV: one character; by default the one of comma, tab, semicolon and bar that fits the header best.
    pub delimiter: Option<String>,
}

/// What all kinds share, checked.
#[derive(Debug, Clone)]
pub struct Common {
    pub zone: Zone,
    pub encoding: Option<Encoding>,
    pub quarantine_limit_bp: Option<u32>,
    pub patterns: Vec<glob::Pattern>,
    pub uscc_schemes: Vec<String>,
}

impl OpenConfig {
    pub fn parse(text: &str) -> Result<Self, OpenError> {
        toml::from_str(text).map_err(|e| OpenError::Config(e.to_string()))
    }

    /// Checks what the types alone do not say.
    pub fn check(&self) -> Result<Common, OpenError> {
        let wrong = |text: String| Err(OpenError::Config(text));
        let tables = [
            (Kind::Ocds, self.ocds.is_some()),
            (Kind::Bods, self.bods.is_some()),
            (Kind::Ftm, self.ftm.is_some()),
            (Kind::Debarment, self.debarment.is_some()),
        ];
        if let Some((other, _)) = tables.iter().find(|(kind, there)| *there && *kind != self.kind) {
            return wrong(format!(
                "there is a table [{}], and kind is {:?}",
                other.name(),
                self.kind.name()
            ));
        }
        let zone = match &self.time_zone {
            None => Zone::CHINA,
            Some(name) => match Zone::parse(name) {
                Some(zone) => zone,
                None => {
                    return wrong(format!(
                        "time_zone {name:?} is not known; use \"Asia/Shanghai\", \"UTC\" or \"+08:00\""
                    ));
                }
            },
        };
        let encoding = match &self.encoding {
            None => None,
            Some(name) => match Encoding::by_name(name) {
                Some(encoding) => Some(encoding),
                None => {
                    return wrong(format!(
                        "encoding {name:?} is not known; use utf-8, gb18030, latin-1, utf-16le or utf-16be"
                    ));
                }
            },
        };
        let mut patterns = Vec::new();
        let own = self.include.iter().map(String::as_str);
        let built_in = self
            .kind
            .globs()
            .iter()
            .copied()
            .filter(|_| self.include.is_empty());
        for text in own.chain(built_in) {
            match glob::Pattern::new(text) {
                Ok(pattern) => patterns.push(pattern),
                Err(error) => return wrong(format!("include {text:?}: {error}")),
            }
        }
        let schemes = self.uscc_schemes.clone();
        Ok(Common {
            zone,
            encoding,
            quarantine_limit_bp: self.quarantine_limit.as_deref().map(percentage).transpose()?,
            patterns,
            uscc_schemes: schemes
                .unwrap_or_else(|| ["CN-USCC", "CN-SAMR", "CN-SAIC"].map(str::to_owned).to_vec())
                .iter()
                .map(|s| s.to_ascii_uppercase())
                .collect(),
        })
    }
}

/// `1%` in ten-thousandths.
fn percentage(text: &str) -> Result<u32, OpenError> {
    let notation = Notation {
        percent: true,
        ..Notation::default()
    };
    decimal::parse(text.trim(), notation)
        .and_then(|number| decimal::to_scale(number, None, 5, 2))
        .ok()
        .and_then(|share| u32::try_from(share).ok())
        .filter(|bp| text.trim().ends_with('%') && *bp <= 10_000)
        .ok_or_else(|| {
            OpenError::Config(format!(
                "quarantine_limit {text:?} is no percentage such as \"1%\""
            ))
        })
}

/// Checks that what a table of the configuration maps to are codes of a column.
pub fn check_codes(
    table: &str,
    values: &BTreeMap<String, String>,
    dataset: &str,
    column: &str,
) -> Result<(), OpenError> {
    values
        .values()
        .try_for_each(|code| check_code(table, code, dataset, column))
}

pub fn check_code(place: &str, code: &str, dataset: &str, column: &str) -> Result<(), OpenError> {
    let known = domain::dataset(dataset).and_then(|d| d.column(column).cloned());
    let codes = known.map(|c| c.codes).unwrap_or_default();
    if codes.contains_key(code) {
        return Ok(());
    }
    let names: Vec<&str> = codes.keys().map(String::as_str).collect();
    Err(OpenError::Config(format!(
        "{place}: {code:?} is no {column} of {dataset}; there are {}",
        names.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(text: &str) -> String {
        OpenConfig::parse(text)
            .and_then(|c| c.check())
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default()
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, want) in [
            ("kind = \"ocds\"\npath = \".\"\n", ""),
            ("kind = \"ocds\"\npath = \".\"\n[ocds]\ncurrency = \"USD\"\n", ""),
            ("kind = \"ocd\"\npath = \".\"\n", "unknown variant"),
            ("kind = \"ocds\"\npath = \".\"\nfoo = 1\n", "unknown field `foo`"),
            (
                "kind = \"ocds\"\npath = \".\"\n[ocds]\ncurrencies = 1\n",
                "unknown field `currencies`",
            ),
            (
                "kind = \"ocds\"\npath = \".\"\n[bods]\n",
                "there is a table [bods]",
            ),
            (
                "kind = \"ocds\"\npath = \".\"\ntime_zone = \"Mars\"\n",
                "time_zone \"Mars\"",
            ),
            (
                "kind = \"ocds\"\npath = \".\"\nencoding = \"ebcdic\"\n",
                "encoding \"ebcdic\"",
            ),
            (
                "kind = \"ocds\"\npath = \".\"\nquarantine_limit = \"1\"\n",
                "no percentage",
            ),
            (
                "kind = \"ocds\"\npath = \".\"\ninclude = [\"***\"]\n",
                "include \"***\"",
            ),
            ("kind = \"ocds\"\n", "missing field `path`"),
        ] {
            let got = problem(text);
            assert!(
                if want.is_empty() {
                    got.is_empty()
                } else {
                    got.contains(want)
                },
                "{text}: {got}"
            );
        }
    }
}

//! The data model as data: which datasets there are, their columns, types, labels and keys.
//!
//! Read from `datasets.toml` beside the sources; connectors, the lake, rules and documentation all ask
//! here, so that a column exists in one place only.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, LazyLock};

use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use serde::Deserialize;

/// The type of a column, as written in the data model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ColumnType {
    Text,
    Date,
    /// UTC, microseconds, stored without a zone.
    Timestamp,
    /// decimal(18,2), CNY.
    Money,
    /// decimal(18,4), CNY per unit.
    Price,
    /// decimal(18,4).
    Quantity,
    /// decimal(7,4).
    Percent,
    Bool,
    Int,
}

impl ColumnType {
    fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "text" => Self::Text,
            "date" => Self::Date,
            "timestamp" => Self::Timestamp,
            "money" => Self::Money,
            "price" => Self::Price,
            "quantity" => Self::Quantity,
            "percent" => Self::Percent,
            "bool" => Self::Bool,
            "int" => Self::Int,
            _ => return None,
        })
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Date => "date",
            Self::Timestamp => "timestamp",
            Self::Money => "money",
            Self::Price => "price",
            Self::Quantity => "quantity",
            Self::Percent => "percent",
            Self::Bool => "bool",
            Self::Int => "int",
        }
    }

    /// The Arrow type it is stored as.
    pub fn arrow(self) -> DataType {
        match self {
            Self::Text => DataType::Utf8,
            Self::Date => DataType::Date32,
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, None),
            Self::Money => DataType::Decimal128(18, 2),
            Self::Price | Self::Quantity => DataType::Decimal128(18, 4),
            Self::Percent => DataType::Decimal128(7, 4),
            Self::Bool => DataType::Boolean,
            Self::Int => DataType::Int64,
        }
    }

    /// (precision, scale) of a decimal type.
    pub fn decimal(self) -> Option<(u8, i8)> {
        match self.arrow() {
            DataType::Decimal128(p, s) => Some((p, s)),
            _ => None,
        }
    }
}

/// One column of a dataset.
#[derive(Debug, Clone)]
pub struct Column {
    pub name: String,
    pub ty: ColumnType,
    /// Chinese labels; the first is the one to show, all are accepted as headers.
    pub labels: Vec<String>,
    /// Code -> other spellings. Empty when any text is allowed.
    pub codes: BTreeMap<String, Vec<String>>,
    /// Whether a text that is no code and no known spelling is an error (else it is kept as written).
    pub codes_are_closed: bool,
}

impl Column {
    pub fn label(&self) -> &str {
        &self.labels[0]
    }

    /// The code that `text` stands for: itself or a known spelling. `None` when there is no such code.
    pub fn code(&self, text: &str) -> Option<&str> {
        self.codes
            .iter()
            .find(|(code, spellings)| code.as_str() == text || spellings.iter().any(|s| s == text))
            .map(|(code, _)| code.as_str())
    }
}

/// What a mention speaks of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MentionKind {
    Company,
    Person,
    /// The named column holds `company` or `person`.
    ByColumn(String),
}

/// A place where a dataset speaks of an organisation or a person. Resolution gives each a party.
///
/// In the lake each slot has a column `_<slot>_ref` (int); in the rules' tables it has
/// `<slot>_party_id`, `<slot>_key` (the party's USCC or ID number when it has a valid one, else its name
/// key) and, where the dataset has them, the source's own columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MentionSlot {
    pub slot: String,
    pub kind: MentionKind,
    pub id: Option<String>,
    pub name: Option<String>,
    /// Column of the USCC or the ID number.
    pub code: Option<String>,
}

impl MentionSlot {
    pub fn ref_column(&self) -> String {
        format!("_{}_ref", self.slot)
    }
}

/// One dataset: a table of the lake.
#[derive(Debug, Clone)]
pub struct Dataset {
    pub name: String,
    pub title: String,
    pub columns: Vec<Column>,
    /// Names of the key columns, in order.
    pub key: Vec<String>,
    pub mentions: Vec<MentionSlot>,
}

impl Dataset {
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|c| c.name == name)
    }

    pub fn column_index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == name)
    }

    /// The column whose English name or one of whose labels is `header` (already trimmed and folded).
    pub fn column_by_header(&self, header: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|c| c.name == header || c.labels.iter().any(|l| l == header))
    }

    /// The Arrow schema of its own columns, in order, all nullable but the key.
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(
            self.columns
                .iter()
                .map(|c| Field::new(&c.name, c.ty.arrow(), !self.key.contains(&c.name)))
                .collect::<Vec<_>>(),
        ))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDataset {
    title: String,
    key: Vec<String>,
    #[serde(default)]
    mentions: Vec<String>,
    columns: Vec<String>,
    #[serde(default)]
    codes: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    #[serde(default)]
    synonyms: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

static CATALOGUE: LazyLock<Vec<Arc<Dataset>>> = LazyLock::new(|| {
    parse_catalogue(include_str!("../datasets.toml")).expect("the embedded data model is valid")
});

static BY_NAME: LazyLock<HashMap<&'static str, Arc<Dataset>>> =
    LazyLock::new(|| CATALOGUE.iter().map(|d| (d.name.as_str(), d.clone())).collect());

/// Every dataset that can be synced, in name order.
pub fn catalogue() -> &'static [Arc<Dataset>] {
    &CATALOGUE
}

/// Whether a column holds a number that stands for a person or an account: it is masked where people read it. Codes of
/// firms are public.
pub fn is_personal(column: &str) -> bool {
    ["id_number", "phone", "account"].iter().any(|kind| {
        column
            .strip_suffix(kind)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('_'))
    })
}

/// The dataset of that name.
pub fn dataset(name: &str) -> Option<Arc<Dataset>> {
    BY_NAME.get(name).cloned()
}

fn parse_catalogue(text: &str) -> Result<Vec<Arc<Dataset>>, String> {
    let raw: BTreeMap<String, RawDataset> = toml::from_str(text).map_err(|e| e.to_string())?;
    raw.into_iter()
        .map(|(name, raw)| parse_dataset(name, raw).map(Arc::new))
        .collect()
}

fn parse_dataset(name: String, mut raw: RawDataset) -> Result<Dataset, String> {
    let mut columns = Vec::new();
    for line in &raw.columns {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [column, ty, labels] = words[..] else {
            return Err(format!("{name}: a column line has three words: {line:?}"));
        };
        let ty = ColumnType::parse(ty).ok_or_else(|| format!("{name}.{column}: unknown type {ty}"))?;
        let closed = raw.codes.remove(column);
        let codes_are_closed = closed.is_some();
        let codes = closed.or_else(|| raw.synonyms.remove(column)).unwrap_or_default();
        let labels = labels.split('|').map(str::to_owned).collect();
        columns.push(Column {
            name: column.to_owned(),
            ty,
            labels,
            codes,
            codes_are_closed,
        });
    }
    let known = |column: &str| columns.iter().any(|c: &Column| c.name == column);
    if let Some(column) = raw.codes.keys().chain(raw.synonyms.keys()).next() {
        return Err(format!("{name}: codes for an unknown column {column}"));
    }
    if let Some(column) = raw.key.iter().find(|k| !known(k)) {
        return Err(format!("{name}: unknown key column {column}"));
    }
    let mentions = raw
        .mentions
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [slot, kind, id, mention_name, code] = words[..] else {
                return Err(format!("{name}: a mention line has five words: {line:?}"));
            };
            let column = |word: &str| match word {
                "-" => Ok(None),
                word if known(word) => Ok(Some(word.to_owned())),
                word => Err(format!("{name}: unknown column {word} in mention {slot}")),
            };
            let kind = match kind {
                "company" => MentionKind::Company,
                "person" => MentionKind::Person,
                other => MentionKind::ByColumn(column(other)?.ok_or(format!("{name}: bad kind in {slot}"))?),
            };
            Ok(MentionSlot {
                slot: slot.to_owned(),
                kind,
                id: column(id)?,
                name: column(mention_name)?,
                code: column(code)?,
            })
        })
        .collect::<Result<Vec<_>, String>>()?;
    Ok(Dataset {
        name,
        title: raw.title,
        columns,
        key: raw.key,
        mentions,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_persons_and_accounts_are_personal() {
        for column in [
            "id_number",
            "relative_id_number",
            "rep_phone",
            "phone",
            "bank_account",
        ] {
            assert!(is_personal(column), "{column}");
        }
        for column in ["uscc", "order_id", "ip_address", "accounts", "smartphone"] {
            assert!(!is_personal(column), "{column}");
        }
    }

    #[test]
    fn the_embedded_model_has_every_dataset_and_unambiguous_labels() {
        assert_eq!(catalogue().len(), 33);
        for d in catalogue() {
            let mut seen = HashMap::new();
            for c in &d.columns {
                for label in std::iter::once(&c.name).chain(&c.labels) {
                    if let Some(other) = seen.insert(label.clone(), c.name.clone()) {
                        assert_eq!(other, c.name, "{}: label {label} names two columns", d.name);
                    }
                }
            }
        }
    }

    #[test]
    fn a_code_is_found_by_itself_and_by_its_spellings() {
        let orders = dataset("purchase_orders").unwrap();
        let channel = orders.column("channel").unwrap();
        assert_eq!(channel.code("线上"), Some("platform"));
        assert_eq!(channel.code("platform"), Some("platform"));
        assert_eq!(channel.code("飞鸽"), None);
        assert!(channel.codes_are_closed);
    }

    #[test]
    fn errors_in_a_model_are_found() {
        for (text, want) in [
            (
                "[a]\ntitle='x'\nkey=['b']\ncolumns=['c text 丙']",
                "unknown key column b",
            ),
            (
                "[a]\ntitle='x'\nkey=['c']\ncolumns=['c float 丙']",
                "unknown type float",
            ),
            ("[a]\ntitle='x'\nkey=['c']\ncolumns=['c text']", "three words"),
        ] {
            let error = parse_catalogue(text).unwrap_err();
            assert!(error.contains(want), "{error}");
        }
    }
}

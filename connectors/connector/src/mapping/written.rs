//! Columns and constant rows as a mapping writes them, before their names are looked up.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};

/// A row that the source does not hold, stated by the mapping.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawRow {
    /// Dataset that the row belongs to.
    pub dataset: String,
    /// Dataset column -> its value; all key columns must be there.
    pub values: BTreeMap<String, Scalar>,
}

/// Where a dataset column's values come from: the path of a member (or the name of a column), or a table with
/// exactly one of `from`, `const`, `template`, `when`.
#[derive(Debug, Clone)]
pub enum RawColumn {
    From(String),
    Table(Box<RawColumnTable>),
}

#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RawColumnTable {
    /// The source's column, or the path of a member: `distributor.uscc`.
    pub from: Option<String>,
    /// The same value in every row.
    #[serde(rename = "const")]
    pub constant: Option<Scalar>,
    /// Texts and columns together: `{orderNo}-{lineNo}`; empty when all its columns are.
    pub template: Option<String>,
    /// For yes/no fields: one pair, whether that column has that text.
    pub when: Option<BTreeMap<String, String>>,
    /// Numbers are counted in `fen`, `万元`, or in the given number as text: `0.001`.
    pub scale: Option<String>,
    /// Dates are `epoch_ms`, `epoch_s` or `excel` serial days.
    pub format: Option<String>,
    /// Texts that mean "no value" in this column.
    pub nulls: Vec<String>,
    /// What the source writes -> the dataset's code; any other unknown text is then quarantined.
    pub codes: HashMap<String, String>,
}

/// A text, a whole number or a truth value, as text. Numbers with a fraction must be quoted, so that they
/// are exact.
#[derive(Debug, Clone)]
pub struct Scalar(pub String);

/// One visitor a type, for the shapes that TOML leaves open.
macro_rules! visited {
    ($type:ty, $expecting:literal, { $($body:tt)* }) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Shape;
                impl<'de> Visitor<'de> for Shape {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str($expecting)
                    }
                    $($body)*
                }
                deserializer.deserialize_any(Shape)
            }
        }
    };
}

visited!(
    RawColumn,
    "the name of a source column, or a table with from, const, template or when",
    {
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(RawColumn::From(text.to_owned()))
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            let table = RawColumnTable::deserialize(de::value::MapAccessDeserializer::new(map))?;
            Ok(RawColumn::Table(Box::new(table)))
        }
    }
);

visited!(
    Scalar,
    "a text, a whole number or a truth value (write a number with a fraction as text)",
    {
        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Ok(Scalar(text.to_owned()))
        }
        fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
            Ok(Scalar(value.to_string()))
        }
        fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
            Ok(Scalar(value.to_string()))
        }
        fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
            Ok(Scalar(value.to_string()))
        }
    }
);

impl JsonSchema for RawColumn {
    fn schema_name() -> Cow<'static, str> {
        "Column".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<RawColumnTable>();
        json_schema!({ "anyOf": [{ "type": "string" }, table] })
    }
}

impl JsonSchema for Scalar {
    fn schema_name() -> Cow<'static, str> {
        "Scalar".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer", "boolean"] })
    }
}

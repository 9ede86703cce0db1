//! The mapping file as it is written, before its names are looked up.

use std::collections::BTreeMap;

use connector::mapping::written::{RawColumn, RawRow};
use serde::Deserialize;
use serde::de::{self, Visitor};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawMapping {
    pub source: Option<String>,
    pub time_zone: Option<String>,
    pub quarantine_limit: Option<String>,
    #[serde(default)]
    pub nulls: Vec<String>,
    #[serde(default)]
    pub file: Vec<RawFile>,
    #[serde(default)]
    pub rows: Vec<RawRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawFile {
    pub glob: String,
    pub sheet: Option<OneOrMore>,
    pub dataset: Option<String>,
    pub skip: Option<String>,
    pub header_row: Option<HeaderRow>,
    #[serde(default)]
    pub not_data: Vec<String>,
    pub records: Option<String>,
    pub encoding: Option<String>,
    pub delimiter: Option<String>,
    #[serde(default)]
    pub nulls: Vec<String>,
    #[serde(default)]
    pub ignore: Vec<String>,
    #[serde(default)]
    pub columns: BTreeMap<String, RawColumn>,
}

#[derive(Clone)]
pub struct OneOrMore(pub Vec<String>);

#[derive(Clone, Copy)]
pub enum HeaderRow {
    Auto,
    Row(u64),
}

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

visited!(OneOrMore, "a name or a list of names", {
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(OneOrMore(vec![text.to_owned()]))
    }
    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some(name) = seq.next_element()? {
            names.push(name);
        }
        Ok(OneOrMore(names))
    }
});

visited!(HeaderRow, "\"auto\" or the number of the header's row, from 1", {
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        if text == "auto" {
            Ok(HeaderRow::Auto)
        } else {
            Err(E::invalid_value(de::Unexpected::Str(text), &self))
        }
    }
    fn visit_i64<E: de::Error>(self, row: i64) -> Result<Self::Value, E> {
        match u64::try_from(row) {
            Ok(row) if row > 0 => Ok(HeaderRow::Row(row)),
            _ => Err(E::invalid_value(de::Unexpected::Signed(row), &self)),
        }
    }
});

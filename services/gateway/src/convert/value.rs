//! Values and bilingual texts.

use std::collections::BTreeMap;

use domain::{Bilingual, Value};
use proto::v1 as pb;
use proto::v1::value::Kind;

pub fn value_to_proto(value: &Value) -> pb::Value {
    let kind = match value {
        Value::Null => None,
        Value::Bool(b) => Some(Kind::BoolValue(*b)),
        Value::Int(i) => Some(Kind::IntValue(*i)),
        Value::Text(s) => Some(Kind::TextValue(s.clone())),
        Value::List(items) => Some(Kind::ListValue(pb::ListValue {
            values: items.iter().map(value_to_proto).collect(),
        })),
        Value::Map(map) => Some(Kind::MapValue(pb::MapValue {
            entries: map_to_proto(map),
        })),
    };
    pb::Value { kind }
}

pub fn value_from_proto(value: pb::Value) -> Value {
    match value.kind {
        None => Value::Null,
        Some(Kind::BoolValue(b)) => Value::Bool(b),
        Some(Kind::IntValue(i)) => Value::Int(i),
        Some(Kind::TextValue(s)) => Value::Text(s),
        Some(Kind::ListValue(list)) => Value::List(list.values.into_iter().map(value_from_proto).collect()),
        Some(Kind::MapValue(map)) => Value::Map(map_from_proto(map.entries)),
    }
}

pub fn map_to_proto(map: &BTreeMap<String, Value>) -> BTreeMap<String, pb::Value> {
    map.iter().map(|(k, v)| (k.clone(), value_to_proto(v))).collect()
}

pub fn map_from_proto(map: BTreeMap<String, pb::Value>) -> BTreeMap<String, Value> {
    map.into_iter().map(|(k, v)| (k, value_from_proto(v))).collect()
}

pub fn bilingual_to_proto(text: &Bilingual) -> pb::Bilingual {
    pb::Bilingual {
        zh: text.zh.clone(),
        en: text.en.clone(),
    }
}

pub fn bilingual_from_proto(text: Option<pb::Bilingual>) -> Bilingual {
    text.map(|t| Bilingual::new(t.zh, t.en)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_survives_the_wire() {
        let map = BTreeMap::from([
            ("n".to_owned(), Value::Null),
            ("t".to_owned(), Value::text("1234.50")),
        ]);
        let value = Value::List(vec![
            Value::Null,
            Value::Bool(false),
            Value::Int(i64::MIN),
            Value::Int(9_007_199_254_740_993),
            Value::text(""),
            Value::Map(map),
            Value::List(Vec::new()),
        ]);
        assert_eq!(value_from_proto(value_to_proto(&value)), value);
    }
}

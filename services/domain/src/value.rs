//! A typed value outside the engine: what a hit, an evidence row or a query result carries.
//!
//! Decimals stay text in canonical form ("1234.50"), so that no money passes through a float.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One value. JSON form: null, string, integer, boolean, list, object; decimals, dates and timestamps
/// are strings ("1234.50", "2024-03-05", "2024-03-05T01:02:03.000000Z").
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    /// Text, decimal, date or timestamp in canonical form.
    Text(String),
    List(Vec<Value>),
    Map(BTreeMap<String, Value>),
}

impl Value {
    pub fn text(s: impl Into<String>) -> Self {
        Value::Text(s.into())
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::Text(s) => Some(s),
            _ => None,
        }
    }

    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Bytes for hashing: typed and length-prefixed, so that no two different values share them.
    pub fn write_canonical(&self, out: &mut Vec<u8>) {
        let (tag, body): (u8, Vec<u8>) = match self {
            Value::Null => (b'0', Vec::new()),
            Value::Bool(b) => (b'b', vec![u8::from(*b)]),
            Value::Int(i) => (b'i', i.to_string().into_bytes()),
            Value::Text(s) => (b't', s.as_bytes().to_vec()),
            Value::List(items) => {
                let mut body = Vec::new();
                items.iter().for_each(|v| v.write_canonical(&mut body));
                (b'l', body)
            }
            Value::Map(map) => {
                let mut body = Vec::new();
                for (k, v) in map {
                    Value::text(k.as_str()).write_canonical(&mut body);
                    v.write_canonical(&mut body);
                }
                (b'm', body)
            }
        };
        out.push(tag);
        out.extend_from_slice(&(body.len() as u64).to_be_bytes());
        out.extend_from_slice(&body);
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Value::Null => Ok(()),
            Value::Bool(b) => write!(f, "{b}"),
            Value::Int(i) => write!(f, "{i}"),
            Value::Text(s) => f.write_str(s),
            Value::List(items) => {
                for (n, v) in items.iter().enumerate() {
                    if n > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{v}")?;
                }
                Ok(())
            }
            Value::Map(map) => {
                for (n, (k, v)) in map.iter().enumerate() {
                    if n > 0 {
                        f.write_str(", ")?;
                    }
                    write!(f, "{k}={v}")?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_bytes_tell_types_and_lengths_apart() {
        let bytes = |v: Value| {
            let mut out = Vec::new();
            v.write_canonical(&mut out);
            out
        };
        assert_ne!(bytes(Value::Int(1)), bytes(Value::text("1")));
        assert_ne!(bytes(Value::Null), bytes(Value::text("")));
        let ab_c = Value::List(vec![Value::text("ab"), Value::text("c")]);
        let a_bc = Value::List(vec![Value::text("a"), Value::text("bc")]);
        assert_ne!(bytes(ab_c), bytes(a_bc));
    }
}

//! JSON as it really comes: scalars with the digits they are written with, objects that may be null or of
//! the wrong kind, members nobody knows. Nothing is copied that has no escape in it.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use connector::Reason;
use connector::coerce::{Cell, trim};
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// One value that is no list and no object.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Scalar<'a> {
    /// Absent, or null.
    #[default]
    Missing,
    Text(Cow<'a, str>),
    /// As written.
    Number(&'a str),
    Bool(bool),
    /// A list or an object, as written.
    Wrong(&'a str),
}

impl<'a> Scalar<'a> {
    /// From the JSON text of one value, which is known to be valid.
    pub fn of(json: &'a str) -> Self {
        match json.as_bytes().first() {
            None | Some(b'n') => Self::Missing,
            Some(b't') => Self::Bool(true),
            Some(b'f') => Self::Bool(false),
            Some(b'{' | b'[') => Self::Wrong(json),
            Some(b'"') if memchr::memchr(b'\\', json.as_bytes()).is_none() => {
                Self::Text(Cow::Borrowed(&json[1..json.len() - 1]))
            }
            // A lone surrogate is valid JSON and no text.
            Some(b'"') => {
                serde_json::from_str(json).map_or(Self::Wrong(json), |text| Self::Text(Cow::Owned(text)))
            }
            Some(_) => Self::Number(json),
        }
    }

    pub fn cell(&self) -> Cell<'_> {
        match self {
            Self::Missing => Cell::Empty,
            Self::Text(text) => Cell::Text(text),
            Self::Number(text) => Cell::Number(text),
            Self::Bool(value) => Cell::Bool(*value),
            Self::Wrong(text) => Cell::Broken(Reason::NotAScalar, text),
        }
    }

    /// An identifier or a name: trimmed, a number as it is written, nothing when empty or no scalar.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(trim(text)).filter(|t| !t.is_empty()),
            Self::Number(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_missing(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Text(text) => trim(text).is_empty(),
            _ => false,
        }
    }

    /// This one, or the other where this is missing.
    pub fn or<'s>(&'s self, other: &'s Self) -> &'s Self {
        if self.is_missing() { other } else { self }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::of(<&'de RawValue>::deserialize(deserializer)?.get()))
    }
}

/// The JSON text of a value, whatever it is; empty when the member is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Raw<'a>(pub &'a str);

impl<'de: 'a, 'a> Deserialize<'de> for Raw<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(<&'de RawValue>::deserialize(deserializer)?.get()))
    }
}

/// An object that should be there once.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum One<T> {
    /// Absent, null, or an empty list (which some writers make of an empty object).
    #[default]
    Missing,
    Is(T),
    /// Something that is no object.
    Wrong,
}

impl<T> One<T> {
    pub fn get(&self) -> Option<&T> {
        match self {
            Self::Is(value) => Some(value),
            _ => None,
        }
    }
}

/// A list of objects; nulls in it are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Many<T> {
    pub items: Vec<T>,
    /// It is no list, or something in it is no object.
    pub is_wrong: bool,
}

impl<T> Default for Many<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            is_wrong: false,
        }
    }
}

/// A list of scalars, or one alone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Scalars<'a>(pub Vec<Scalar<'a>>);

impl Scalars<'_> {
    pub fn has(&self, text: &str) -> bool {
        self.0.iter().any(|s| s.text() == Some(text))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalars<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?.get();
        if raw.starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(raw).map_err(de::Error::custom)?;
            Ok(Self(
                items.into_iter().map(|item| Scalar::of(item.get())).collect(),
            ))
        } else {
            Ok(Self(vec![Scalar::of(raw)]))
        }
    }
}

struct OneVisitor<T>(PhantomData<T>);

/// The kinds of value that are neither a list nor an object, all answered alike.
macro_rules! scalars_are {
    ($answer:expr) => {
        fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok($answer)
        }
        fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
            Ok($answer)
        }
        fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
            Ok($answer)
        }
        fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
            Ok($answer)
        }
        fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
            Ok($answer)
        }
    };
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for OneVisitor<T> {
    type Value = One<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(One::Is)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(One::Missing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut found = One::Missing;
        while seq.next_element::<IgnoredAny>()?.is_some() {
            found = One::Wrong;
        }
        Ok(found)
    }

    scalars_are!(One::Wrong);
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for One<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OneVisitor(PhantomData))
    }
}

struct ManyVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ManyVisitor<T> {
    type Value = Many<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut many = Many::default();
        while let Some(item) = seq.next_element::<One<T>>()? {
            match item {
                One::Missing => {}
                One::Is(item) => many.items.push(item),
                One::Wrong => many.is_wrong = true,
            }
        }
        Ok(many)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut many = Many::default();
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            many.is_wrong = true;
        }
        Ok(many)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Many::default())
    }

    scalars_are!(Many {
        items: Vec::new(),
        is_wrong: true
    });
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Many<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ManyVisitor(PhantomData))
    }
}

/// The name of a member.
pub struct Name<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Name<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameVisitor;
        impl<'de> Visitor<'de> for NameVisitor {
            type Value = Cow<'de, str>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }
            fn visit_borrowed_str<E: de::Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(name))
            }
            fn visit_str<E: de::Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(name.to_owned()))
            }
        }
        deserializer.deserialize_str(NameVisitor).map(Name)
    }
}

/// Where in a record one is, for telling it; made only of names known at build time.
#[derive(Debug, Clone, Copy)]
pub struct At<'p> {
    pub parent: Option<&'p At<'p>>,
    pub name: &'static str,
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}.")?;
        }
        f.write_str(self.name)
    }
}

/// What is odd about a record.
#[derive(Debug, Default)]
pub struct Oddities {
    /// Path of the first member that is of the wrong kind.
    pub wrong: Option<String>,
    /// Paths of members that are neither read nor listed as not read.
    pub unknown: Vec<String>,
}

/// Parts of a record that can say what is odd about them.
pub trait Inspect {
    fn inspect(&self, at: At<'_>, odd: &mut Oddities);
}

impl Inspect for Scalar<'_> {
    fn inspect(&self, _: At<'_>, _: &mut Oddities) {}
}

impl Inspect for Scalars<'_> {
    fn inspect(&self, _: At<'_>, _: &mut Oddities) {}
}

impl Inspect for Raw<'_> {
    fn inspect(&self, _: At<'_>, _: &mut Oddities) {}
}

impl<T: Inspect> Inspect for One<T> {
    fn inspect(&self, at: At<'_>, odd: &mut Oddities) {
        match self {
            Self::Missing => {}
            Self::Is(value) => value.inspect(at, odd),
            Self::Wrong => {
                odd.wrong.get_or_insert_with(|| at.to_string());
            }
        }
    }
}

impl<T: Inspect> Inspect for Many<T> {
    fn inspect(&self, at: At<'_>, odd: &mut Oddities) {
        if self.is_wrong {
            odd.wrong.get_or_insert_with(|| at.to_string());
        }
        self.items.iter().for_each(|item| item.inspect(at, odd));
    }
}

/// Declares an object: its members that are read, and those that are known and not read. Members beyond these
/// are kept by name for telling; one that stands twice is an error.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident { $($field:ident : $ty:ty = $json:literal,)* } ignoring [$($ignored:literal),* $(,)?]) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $name<'a> {
            $(pub $field: $ty,)*
            pub unknown: Vec<std::borrow::Cow<'a, str>>,
        }

        impl<'de: 'a, 'a> serde::Deserialize<'de> for $name<'a> {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Shape<'a>(std::marker::PhantomData<$name<'a>>);
                impl<'de: 'a, 'a> serde::de::Visitor<'de> for Shape<'a> {
                    type Value = $name<'a>;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                        let mut object = $name::default();
                        $(let mut $field = false;)*
                        while let Some($crate::json::Name(name)) = map.next_key()? {
                            match &*name {
                                $($json => {
                                    if std::mem::replace(&mut $field, true) {
                                        return Err(serde::de::Error::duplicate_field($json));
                                    }
                                    object.$field = map.next_value()?;
                                })*
                                $($ignored => { map.next_value::<serde::de::IgnoredAny>()?; })*
                                _ => {
                                    map.next_value::<serde::de::IgnoredAny>()?;
                                    object.unknown.push(name);
                                }
                            }
                        }
                        Ok(object)
                    }
                }
                deserializer.deserialize_map(Shape(std::marker::PhantomData))
            }
        }

        impl $crate::json::Inspect for $name<'_> {
            fn inspect(&self, at: $crate::json::At<'_>, odd: &mut $crate::json::Oddities) {
                for name in &self.unknown {
                    odd.unknown.push(format!("{at}.{name}"));
                }
                $($crate::json::Inspect::inspect(
                    &self.$field,
                    $crate::json::At { parent: Some(&at), name: $json },
                    odd,
                );)*
            }
        }
    };
}
pub(crate) use object;

#[cfg(test)]
mod tests {
    use super::*;

    object! {
        /// A test's object.
        Thing { id: Scalar<'a> = "id", inner: One<Part<'a>> = "inner", parts: Many<Part<'a>> = "parts", }
        ignoring ["note"]
    }
    object! {
        /// A part of it.
        Part { amount: Scalar<'a> = "amount", tags: Scalars<'a> = "tags", } ignoring []
    }

    fn read(text: &str) -> (Thing<'_>, Oddities) {
        let thing: Thing<'_> = serde_json::from_str(text).unwrap();
        let mut odd = Oddities::default();
        thing.inspect(
            At {
                parent: None,
                name: "thing",
            },
            &mut odd,
        );
        (thing, odd)
    }

    #[test]
    fn numbers_keep_their_digits_and_texts_are_unescaped() {
        let (thing, odd) = read(
            r#"{"id": 1234567890123456789012.10, "note": {"x": []}, "inner": {"amount": "a\"b", "tags": "x"}}"#,
        );
        assert_eq!(thing.id, Scalar::Number("1234567890123456789012.10"));
        let inner = thing.inner.get().unwrap();
        assert_eq!(inner.amount.text(), Some("a\"b"));
        assert!(inner.tags.has("x"));
        assert!(odd.wrong.is_none() && odd.unknown.is_empty());
    }

    #[test]
    fn nulls_empty_lists_and_wrong_kinds() {
        let (thing, odd) = read(r#"{"id": null, "inner": [], "parts": [null, {"amount": [1]}]}"#);
        assert_eq!((thing.id.clone(), thing.inner.get()), (Scalar::Missing, None));
        assert_eq!(thing.parts.items[0].amount, Scalar::Wrong("[1]"));
        assert!(odd.wrong.is_none());
        for (text, path) in [
            (r#"{"inner": [1]}"#, "thing.inner"),
            (r#"{"inner": "x"}"#, "thing.inner"),
            (r#"{"parts": {"0": {}}}"#, "thing.parts"),
            (r#"{"parts": [{}, 3]}"#, "thing.parts"),
        ] {
            assert_eq!(read(text).1.wrong.as_deref(), Some(path), "{text}");
        }
    }

    #[test]
    fn unknown_members_are_named_by_path_and_doubled_ones_refused() {
        let (_, odd) = read(r#"{"x": 1, "inner": {"y": {}}, "parts": [{"z": 2}]}"#);
        assert_eq!(odd.unknown, ["thing.x", "thing.inner.y", "thing.parts.z"]);
        assert!(serde_json::from_str::<Thing<'_>>(r#"{"id": 1, "id": 2}"#).is_err());
    }
}

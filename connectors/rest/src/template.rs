//! Texts with placeholders: `{page}` in a query, `{timestamp}` in what is signed.

use std::borrow::Cow;

/// A text with placeholders, checked when it is parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

impl Template {
    /// Braces around anything but a word of lower-case letters, digits and `_` are plain text, so that JSON can be written
    /// as it is. A word that is none of `names` is an error.
    pub fn parse(text: &str, names: &[&str]) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let after = &rest[open + 1..];
            let word = after.find('}').map(|close| &after[..close]).filter(|word| {
                !word.is_empty()
                    && word
                        .bytes()
                        .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
            });
            match word {
                None => {
                    plain.push_str(&rest[..=open]);
                    rest = after;
                }
                Some(word) if names.contains(&word) => {
                    plain.push_str(&rest[..open]);
                    if !plain.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut plain)));
                    }
                    pieces.push(Piece::Name(word.to_owned()));
                    rest = &after[word.len() + 1..];
                }
                Some(word) => {
                    return Err(format!(
                        "{{{word}}} in {text:?} is none of {}",
                        names
                            .iter()
                            .map(|n| format!("{{{n}}}"))
                            .collect::<Vec<_>>()
                            .join(", ")
                    ));
                }
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self(pieces))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The text with its values; none when a placeholder has none.
    pub fn render<'v>(&self, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> Option<String> {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Name(name) => out.push_str(&value(name)?),
            }
        }
        Some(out)
    }

    /// The text as JSON: values are escaped for a JSON string, and a quoted placeholder without a value is null.
    pub fn render_json<'v>(&self, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> String {
        let mut out = String::new();
        let mut skip_quote = false;
        for (at, piece) in self.0.iter().enumerate() {
            match piece {
                Piece::Text(text) => {
                    let text = if std::mem::take(&mut skip_quote) {
                        &text[1..]
                    } else {
                        text
                    };
                    out.push_str(text);
                }
                Piece::Name(name) => match value(name) {
                    Some(value) => {
                        let quoted = serde_json::Value::from(value.as_ref()).to_string();
                        out.push_str(&quoted[1..quoted.len() - 1]);
                    }
                    None => {
                        let quoted_after =
                            matches!(self.0.get(at + 1), Some(Piece::Text(t)) if t.starts_with('"'));
                        if out.ends_with('"') && quoted_after {
                            out.pop();
                            skip_quote = true;
                        }
                        out.push_str("null");
                    }
                },
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(name: &str) -> Option<Cow<'static, str>> {
        match name {
            "page" => Some("2".into()),
            "quote" => Some("a\"b".into()),
            _ => None,
        }
    }

    const NAMES: &[&str] = &["page", "quote", "token"];

    #[test]
    fn placeholders_are_filled() {
        for (text, expected) in [
            ("p{page}-{page}.", Some("p2-2.")),
            ("{token}", None),
            ("{}{ page }{Page}", Some("{}{ page }{Page}")),
            ("", Some("")),
            ("{", Some("{")),
        ] {
            let template = Template::parse(text, NAMES).unwrap();
            assert_eq!(template.render(value).as_deref(), expected, "{text}");
        }
        let message = Template::parse("{pages}", NAMES).unwrap_err();
        assert!(
            message.contains("{pages}") && message.contains("{token}"),
            "{message}"
        );
    }

    #[test]
    fn json_bodies_stay_json() {
        let template =
            Template::parse(r#"{"p":{page},"q":"{quote}","t":"{token}","u":{token}}"#, NAMES).unwrap();
        assert_eq!(
            template.render_json(value),
            r#"{"p":2,"q":"a\"b","t":null,"u":null}"#
        );
    }
}

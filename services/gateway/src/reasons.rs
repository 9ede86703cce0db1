//! What the reason of an error says in Chinese: messages are English, and most of those who read them are not.

use std::collections::BTreeMap;
use std::sync::LazyLock;

static SENTENCES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    toml::from_str(include_str!("../reasons.zh.toml")).expect("the embedded sentences are valid TOML")
});

/// The Chinese sentence of a reason; `None` when no error of this program has it.
pub fn in_chinese(reason: &str) -> Option<&'static str> {
    SENTENCES.get(reason).map(String::as_str)
}

#[cfg(test)]
mod tests;

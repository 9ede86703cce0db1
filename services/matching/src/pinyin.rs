//! How Han characters are read: default readings, all readings, surnames, and readings that sound alike.

use ::pinyin::{ToPinyin, ToPinyinMulti};

/// The default reading of a character without tone (`zhong`); `None` for what is not Han.
pub fn reading(c: char) -> Option<&'static str> {
    c.to_pinyin().map(|p| p.plain())
}

/// All readings of a character without tone, each once.
pub fn readings(c: char) -> Vec<&'static str> {
    let mut all: Vec<&str> = c
        .to_pinyin_multi()
        .map(|multi| multi.into_iter().map(|p| p.plain()).collect())
        .unwrap_or_default();
    all.extend(reading(c));
    all.sort_unstable();
    all.dedup();
    all
}

/// As [`readings`], some of them twice; allocates nothing.
pub(crate) fn each_reading(c: char) -> impl Iterator<Item = &'static str> {
    let others = c.to_pinyin_multi().into_iter().flatten().map(|p| p.plain());
    others.chain(reading(c))
}

/// Whether two characters share a reading (tones aside).
pub fn sounds_like(a: char, b: char) -> bool {
    some_readings(a, b, |x, y| x == y)
}

/// Whether two characters share a reading once the sounds that southern speakers merge are merged (zh/z,
/// ch/c, sh/s and the endings n/ng are not told apart).
pub fn nearly_sounds_like(a: char, b: char) -> bool {
    some_readings(a, b, |x, y| merged(x) == merged(y))
}

/// Whether some readings of the two are alike; allocates nothing.
fn some_readings(a: char, b: char, alike: impl Fn(&str, &str) -> bool) -> bool {
    let (Some(x), Some(y)) = (reading(a), reading(b)) else {
        return false;
    };
    if alike(x, y) {
        return true;
    }
    let all = |c: char, usual| {
        let others = c.to_pinyin_multi().into_iter().flatten().map(|p| p.plain());
        others.chain(std::iter::once(usual))
    };
    all(a, x).any(|x| all(b, y).any(|y| alike(x, y)))
}

/// First letter and the rest, without the sounds that are merged.
fn merged(reading: &str) -> (Option<char>, &str) {
    let mut letters = reading.chars();
    let first = letters.next();
    let rest = letters.as_str();
    let rest = match first {
        Some('z' | 'c' | 's') => rest.strip_prefix('h').unwrap_or(rest),
        _ => rest,
    };
    (
        first,
        if rest.ends_with("ng") {
            &rest[..rest.len() - 1]
        } else {
            rest
        },
    )
}

/// Default readings joined, letters and digits kept in lower case: `迈瑞A` gives `mairuia`.
pub fn joined(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for c in text.chars() {
        match reading(c) {
            Some(reading) => out.push_str(reading),
            None if c.is_alphanumeric() => out.extend(c.to_lowercase()),
            None => {}
        }
    }
    out
}

/// Whether letters without spaces (lower case) spell the text, each character by any of its readings.
pub fn spells(letters: &str, text: &str) -> bool {
    fn from(letters: &str, rest: &[char]) -> bool {
        let Some((first, rest)) = rest.split_first() else {
            return letters.is_empty();
        };
        readings(*first).iter().any(|reading| {
            let reading = reading.replace('ü', "v");
            let other = reading.replace('v', "u");
            letters
                .strip_prefix(reading.as_str())
                .is_some_and(|l| from(l, rest))
                || other != reading
                    && letters
                        .strip_prefix(other.as_str())
                        .is_some_and(|l| from(l, rest))
        })
    }
    let chars: Vec<char> = text.chars().collect();
    !chars.is_empty() && chars.len() <= 12 && from(letters, &chars)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_and_spelling() {
        assert_eq!(reading('中'), Some("zhong"));
        assert!(readings('单').contains(&"shan"));
        assert!(sounds_like('药', '要'));
        assert!(!sounds_like('药', '疗'));
        assert!(nearly_sounds_like('林', '凌'));
        assert!(spells("mairui", "迈瑞"));
        assert!(spells("chongqing", "重庆"));
        assert!(!spells("mindray", "迈瑞"));
        assert_eq!(joined("迈瑞A1"), "mairuia1");
    }
}

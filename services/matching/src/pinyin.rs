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

/// Whether two characters share a reading (tones aside).
pub fn sounds_like(a: char, b: char) -> bool {
    if let (Some(x), Some(y)) = (reading(a), reading(b)) {
        if x == y {
            return true;
        }
        let ys = readings(b);
        return readings(a).iter().any(|x| ys.contains(x));
    }
    false
}

/// Whether two characters share a reading once the sounds that southern speakers merge are merged
/// (zh/z, ch/c, sh/s, n/l, ng/n, f/h are not told apart).
pub fn nearly_sounds_like(a: char, b: char) -> bool {
    sounds_like(a, b) || {
        let ys: Vec<String> = readings(b).iter().map(|r| merged(r)).collect();
        readings(a).iter().any(|x| ys.contains(&merged(x)))
    }
}

fn merged(reading: &str) -> String {
    let mut text = reading.to_owned();
    for (from, to) in [("zh", "z"), ("ch", "c"), ("sh", "s")] {
        if let Some(rest) = text.strip_prefix(from) {
            text = format!("{to}{rest}");
        }
    }
    for end in ["ang", "eng", "ing"] {
        if text.ends_with(end) {
            text.pop();
        }
    }
    text
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

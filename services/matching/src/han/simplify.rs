//! Traditional to simplified characters, by phrases (OpenCC's dictionaries), at the speed of names.
//!
//! Two things stay as they are because names depend on them: 乾 (乾元 and 干元 are different firms), 徵 in a
//! name (徵 and 征), and 鍾, which becomes 锺, not 钟. Look-alike classes bring those together as candidates.

use std::borrow::Cow;
use std::sync::OnceLock;

use ferrous_opencc::OpenCC;
use ferrous_opencc::config::BuiltinConfig;

use super::is_han;

/// Converter and the set of characters that it changes, one bit each from U+3400 to U+9FFF.
struct Simplifier {
    converter: Option<OpenCC>,
    changed: Vec<u64>,
}

const FIRST: u32 = 0x3400;
const LAST: u32 = 0x9fff;

impl Simplifier {
    fn changes(&self, c: char) -> bool {
        let code = u32::from(c);
        if !(FIRST..=LAST).contains(&code) {
            return false;
        }
        let at = (code - FIRST) as usize;
        self.changed[at / 64] >> (at % 64) & 1 == 1
    }
}

fn simplifier() -> &'static Simplifier {
    static SIMPLIFIER: OnceLock<Simplifier> = OnceLock::new();
    SIMPLIFIER.get_or_init(|| {
        // The dictionaries are part of the program; a failure would mean a broken build, and then nothing is
        // converted.
        let converter = OpenCC::from_config(BuiltinConfig::T2s).ok();
        let mut changed = vec![0u64; (LAST - FIRST) as usize / 64 + 1];
        if let Some(converter) = &converter {
            for code in FIRST..=LAST {
                let Some(c) = char::from_u32(code) else { continue };
                let mut buffer = [0u8; 4];
                let text: &str = c.encode_utf8(&mut buffer);
                if converter.convert(text) != text {
                    let at = (code - FIRST) as usize;
                    changed[at / 64] |= 1 << (at % 64);
                }
            }
        }
        Simplifier { converter, changed }
    })
}

/// Whether a character has a simplified form of its own.
pub fn is_traditional(c: char) -> bool {
    simplifier().changes(c)
}

/// The text in simplified characters. Phrases are kept together (`乾坤` stays, `後臺` becomes `后台`); text
/// without traditional characters is returned as it is, without touching the converter.
pub fn simplify(text: &str) -> String {
    simplified(text).into_owned()
}

/// As [`simplify`], without copying a text that stays as it is.
pub(crate) fn simplified(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let simplifier = simplifier();
    let Some(converter) = &simplifier.converter else {
        return Cow::Borrowed(text);
    };
    if !text.chars().any(|c| simplifier.changes(c)) {
        return Cow::Borrowed(text);
    }
    let converted = converter.convert(text);
    if !text.chars().any(|c| kept(c).is_some()) || converted.chars().count() != text.chars().count() {
        return Cow::Owned(converted);
    }
    let simple = text
        .chars()
        .zip(converted.chars())
        .map(|(before, after)| kept(before).unwrap_or(after))
        .filter(|c| is_han(*c) || !c.is_control());
    Cow::Owned(simple.collect())
}

/// What a character becomes whose simplification would make one name of two.
fn kept(c: char) -> Option<char> {
    match c {
        '乾' | '徵' => Some(c),
        '鍾' | '锺' => Some('锺'),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_simplified_and_traps_kept() {
        for (text, want) in [
            ("北京協和醫療器械有限公司", "北京协和医疗器械有限公司"),
            ("歐陽鋒", "欧阳锋"),
            ("張偉", "张伟"),
            ("乾元醫藥", "乾元医药"),
            ("乾坤", "乾坤"),
            ("鍾書", "锺书"),
            ("臺灣後裏", "台湾后里"),
            ("北京协和", "北京协和"),
            ("ABC", "ABC"),
        ] {
            assert_eq!(simplify(text), want);
            assert_eq!(simplify(want), want);
        }
    }
}

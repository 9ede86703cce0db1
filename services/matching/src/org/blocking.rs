//! Keys that bring names together that may be one organisation's.

use super::OrgName;
use crate::hash;
use crate::pinyin;

/// What a blocking key is made of. Keys of different kinds never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum KeyKind {
    /// The strict key; also of former names, so that they meet the names themselves.
    Strict,
    /// The loose key; also of former names.
    Loose,
    /// The 字号.
    Core,
    /// How the 字号 is read (Latin names: their letters), tones aside.
    CoreSound,
    /// The 字号 with look-alike characters folded.
    CoreShape,
    /// Region, trades and the first character of the 字号: one edit in a short 字号.
    RegionTradeFirst,
    /// Region, trades and the last character of the 字号.
    RegionTradeLast,
    /// The 字号 (three characters or more) with one character left out: one edit in a longer one.
    CoreWithout,
    /// First two characters of the name: short forms and long ones.
    Opening,
    /// First and last character of a short form, or of a hospital, school or institute: `浙大一院`.
    Ends,
    /// The parent of a branch, or the name itself: branches meet their parents and each other.
    Parent,
}

/// Number of kinds.
pub(crate) const KEY_KINDS: usize = KeyKind::Parent as usize + 1;

impl KeyKind {
    /// The code in models and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Strict => "name_strict",
            Self::Loose => "name_loose",
            Self::Core => "name_core",
            Self::CoreSound => "name_core_sound",
            Self::CoreShape => "name_core_shape",
            Self::RegionTradeFirst => "name_region_trade_first",
            Self::RegionTradeLast => "name_region_trade_last",
            Self::CoreWithout => "name_core_without",
            Self::Opening => "name_opening",
            Self::Ends => "name_ends",
            Self::Parent => "name_parent",
        }
    }
}

impl OrgName {
    /// The keys to block by, strongest kind first; none for a text that is no name.
    pub fn blocking_keys(&self) -> impl Iterator<Item = (KeyKind, u64)> {
        let mut keys: Vec<(KeyKind, u64)> = Vec::with_capacity(16);
        let k = &self.keys;
        if k.strict != 0 {
            keys.push((KeyKind::Strict, k.strict));
            keys.extend(self.former.iter().map(|f| (KeyKind::Strict, f.strict)));
            keys.push((KeyKind::Loose, k.loose));
            keys.extend(self.former.iter().map(|f| (KeyKind::Loose, f.loose)));
            keys.push((KeyKind::Core, k.core));
            keys.push((KeyKind::CoreSound, k.sound));
            if k.brand != 0 {
                keys.push((KeyKind::Core, k.brand));
            }
            keys.push((KeyKind::CoreShape, k.shape));
            self.near_keys(&mut keys);
            let opening = hash::chars(self.key_strict.chars().take(2));
            keys.push((KeyKind::Opening, opening));
            let core_opening = hash::chars(self.core.chars().take(2));
            if core_opening != opening {
                keys.push((KeyKind::Opening, core_opening));
            }
            if !k.latin && !self.form.is_company() && (!k.short || k.name_chars <= 6) {
                let (mut front, mut back) = (self.key_strict.chars(), self.key_strict.chars());
                keys.push((
                    KeyKind::Ends,
                    hash::chars(front.next().into_iter().chain(back.next_back())),
                ));
            }
            keys.push((
                KeyKind::Parent,
                if k.parent == 0 { k.loose } else { k.parent_loose },
            ));
        }
        keys.retain(|(_, key)| *key != 0);
        keys.into_iter()
    }

    fn near_keys(&self, keys: &mut Vec<(KeyKind, u64)>) {
        let k = &self.keys;
        let region = self.region.map_or(0, |place| u64::from(place.province().code()));
        let trades = self.trades.key();
        let place = |c: u32| hash::join(&[region, trades, k.rest, u64::from(c)]);
        if !k.latin && k.core_chars <= 3 {
            keys.push((KeyKind::RegionTradeFirst, place(k.first)));
            keys.push((KeyKind::RegionTradeLast, place(k.last)));
        }
        if !k.latin && k.core_chars == 2 {
            keys.push((KeyKind::CoreWithout, k.core));
        }
        if (3..=12).contains(&k.core_chars) && (!k.latin || k.core_chars >= 6) {
            let mut seen = Vec::with_capacity(usize::from(k.core_chars) + 1);
            seen.push(k.core);
            for skip in 0..usize::from(k.core_chars) {
                let chars = self.core.chars().enumerate().filter(|(at, _)| *at != skip);
                seen.push(hash::chars(chars.map(|(_, c)| c)));
            }
            seen.sort_unstable();
            seen.dedup();
            keys.extend(seen.into_iter().map(|key| (KeyKind::CoreWithout, key)));
        }
        if !k.latin && self.core.chars().any(|c| c.is_ascii_alphabetic()) {
            // Latin letters inside a Chinese 字号 block with what they spell.
            let letters: String = pinyin::joined(&self.core);
            keys.push((KeyKind::CoreSound, hash::key(&letters)));
        }
    }
}

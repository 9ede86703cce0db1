//! Edit distance over short texts, bounded and bit-parallel: what most of the time of scoring goes into.

/// A text as the symbols that are compared: UTF-16 code units without spaces. A character outside the basic
/// plane counts as two.
pub fn symbols(text: &str) -> impl Iterator<Item = u16> + '_ {
    // A white space is one unit, and no half of a pair is one.
    let space = |unit: &u16| char::from_u32(u32::from(*unit)).is_some_and(char::is_whitespace);
    text.encode_utf16().filter(move |unit| !space(unit))
}

/// A bit for each class of symbol that occurs. One edit changes at most two bits, so that texts whose masks
/// differ in more than `2 k` bits are more than `k` edits apart.
pub fn mask(text: &[u16]) -> u64 {
    text.iter().fold(0, |mask, s| mask | 1 << (s % 61))
}

/// Longest text compared symbol by symbol; the rest of a longer one is not looked at.
const SYMBOLS_MAX: usize = 64;

/// The optimal string alignment distance (insertions, deletions, substitutions and swaps of neighbours, no
/// part edited twice), or `None` when it is more than `most`. Hyyrö, "A bit-vector algorithm for computing
/// Levenshtein and Damerau edit distances", 2003.
pub fn distance_at_most(a: &[u16], b: &[u16], most: u32) -> Option<u32> {
    let (a, b) = (&a[..a.len().min(SYMBOLS_MAX)], &b[..b.len().min(SYMBOLS_MAX)]);
    let (a, b) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if (b.len() - a.len()) as u32 > most {
        return None;
    }
    let prefix = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    let (a, b) = (&a[prefix..], &b[prefix..]);
    let suffix = a
        .iter()
        .rev()
        .zip(b.iter().rev())
        .take_while(|(x, y)| x == y)
        .count();
    let (a, b) = (&a[..a.len() - suffix], &b[..b.len() - suffix]);
    if a.is_empty() {
        return (b.len() as u32 <= most).then_some(b.len() as u32);
    }
    if most <= 1 {
        // One edit between texts that begin and end differently replaces or swaps all of them.
        let one =
            a.len() == 1 && b.len() == 1 || a.len() == 2 && b.len() == 2 && a[0] == b[1] && a[1] == b[0];
        return (one && most == 1).then_some(1);
    }
    let distance = if a.iter().chain(b).all(|s| *s < 128) {
        let mut table = [0u64; 128];
        for (at, s) in a.iter().enumerate() {
            table[*s as usize] |= 1 << at;
        }
        aligned(a.len(), b, most, |s| table[s as usize])
    } else {
        aligned(a.len(), b, most, |s| {
            a.iter()
                .enumerate()
                .fold(0, |bits, (at, x)| if *x == s { bits | 1 << at } else { bits })
        })
    };
    (distance <= most).then_some(distance)
}

fn aligned(length: usize, b: &[u16], most: u32, matches: impl Fn(u16) -> u64) -> u32 {
    let last = 1u64 << (length - 1);
    let mut up = u64::MAX;
    let mut down = 0u64;
    let mut diagonal = 0u64;
    let mut before = 0u64;
    let mut distance = length as u32;
    for (done, s) in b.iter().enumerate() {
        let here = matches(*s);
        let swap = ((!diagonal & here) << 1) & before;
        diagonal = (((here & up).wrapping_add(up)) ^ up) | here | down | swap;
        let horizontal_up = down | !(diagonal | up);
        let horizontal_down = diagonal & up;
        distance += u32::from(horizontal_up & last != 0);
        distance -= u32::from(horizontal_down & last != 0);
        let shifted_up = horizontal_up << 1 | 1;
        let shifted_down = horizontal_down << 1;
        up = shifted_down | !(diagonal | shifted_up);
        down = shifted_up & diagonal;
        before = here;
        // What is left can lower the distance by one a symbol.
        if distance > most + (b.len() - done - 1) as u32 {
            return u32::MAX;
        }
    }
    distance
}

/// Whether the shorter text, of at least `least` symbols, begins the longer one.
pub fn is_prefix(a: &[u16], b: &[u16], least: usize) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    short.len() >= least && long.starts_with(short)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn symbols(text: &str) -> Vec<u16> {
        super::symbols(text).collect()
    }

    /// The plain table, as the definition reads.
    fn plain(a: &[u16], b: &[u16]) -> u32 {
        let mut table = vec![vec![0u32; b.len() + 1]; a.len() + 1];
        for i in 0..=a.len() {
            for j in 0..=b.len() {
                table[i][j] = if i == 0 || j == 0 {
                    (i + j) as u32
                } else {
                    let cost = u32::from(a[i - 1] != b[j - 1]);
                    let mut best = (table[i - 1][j] + 1)
                        .min(table[i][j - 1] + 1)
                        .min(table[i - 1][j - 1] + cost);
                    if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                        best = best.min(table[i - 2][j - 2] + 1);
                    }
                    best
                };
            }
        }
        table[a.len()][b.len()]
    }

    #[test]
    fn known_distances() {
        for (a, b, want) in [
            ("michael", "micheal", 1),
            ("braid en", "braiden", 0),
            ("康瑞医药", "康端医药", 1),
            ("kitten", "sitting", 3),
            ("", "abc", 3),
        ] {
            assert_eq!(
                distance_at_most(&symbols(a), &symbols(b), 5),
                Some(want),
                "{a} {b}"
            );
        }
        assert_eq!(distance_at_most(&symbols("kitten"), &symbols("sitting"), 2), None);
    }

    proptest! {
        #[test]
        fn equals_the_plain_table(a in "[abc康瑞]{0,20}", b in "[abc康瑞]{0,20}", most in 0u32..12) {
            let (a, b) = (symbols(&a), symbols(&b));
            let want = plain(&a, &b);
            prop_assert_eq!(distance_at_most(&a, &b, most), (want <= most).then_some(want));
        }

        #[test]
        fn masks_never_hide_a_near_text(a in "[a-f]{0,12}", b in "[a-f]{0,12}") {
            let (a, b) = (symbols(&a), symbols(&b));
            prop_assert!((mask(&a) ^ mask(&b)).count_ones() <= 2 * plain(&a, &b));
        }
    }
}

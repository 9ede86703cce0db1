//! Codes that identify: parsed at the border, checked, then trusted.
//!
//! Every parser takes text as people write it: full width, lower case, spaces and hyphens inside.

mod contact;
mod id_number;
mod uscc;

use unicode_normalization::UnicodeNormalization;

pub use contact::{
    MacAddress, identifying_mac, is_bank_card, norm_account, norm_address, norm_email, norm_mac, norm_phone,
};
pub use id_number::{IdNumber, IdNumberError, looks_like_id_number};
pub use uscc::{Uscc, UsccError};

/// NFKC, upper case, without spaces, invisible characters and dashes. What identifiers are compared in.
fn fold(text: &str) -> String {
    if text.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()) {
        return text.to_owned();
    }
    if text.is_ascii() {
        // Composed already.
        return text
            .chars()
            .filter(|c| !is_filler(*c))
            .map(|c| c.to_ascii_uppercase())
            .collect();
    }
    text.nfkc()
        .filter(|c| !is_filler(*c))
        .flat_map(char::to_uppercase)
        .collect()
}

/// Characters that carry no meaning inside a code or a name: white space, invisible marks.
pub(crate) fn is_invisible(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{2800}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_filler(c: char) -> bool {
    is_invisible(c) || is_dash(c)
}

/// Hyphens and dashes of all lengths.
pub(crate) fn is_dash(c: char) -> bool {
    matches!(
        c,
        '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}'
    )
}

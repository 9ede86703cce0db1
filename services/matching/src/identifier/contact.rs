//! Phones, bank accounts, e-mail and MAC addresses in the form they are compared in.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::{fold, is_invisible};
use crate::radicals::unify as unify_radical;

/// A hardware address: 48 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress([u8; 6]);

/// First three bytes of addresses that virtual machines, tunnels and containers make up. Two bidders that
/// share one share a kind of software, not a machine.
const VIRTUAL: [[u8; 3]; 14] = [
    [0x00, 0x05, 0x69], // VMware
    [0x00, 0x0c, 0x29],
    [0x00, 0x1c, 0x14],
    [0x00, 0x50, 0x56],
    [0x00, 0x15, 0x5d], // Hyper-V
    [0x00, 0x03, 0xff], // Virtual PC
    [0x00, 0x16, 0x3e], // Xen, cloud hosts
    [0x00, 0x1c, 0x42], // Parallels
    [0x08, 0x00, 0x27], // VirtualBox
    [0x0a, 0x00, 0x27],
    [0x52, 0x54, 0x00], // QEMU
    [0x02, 0x42, 0xac], // Docker
    [0x02, 0x00, 0x4c], // Microsoft loopback adapter
    [0x20, 0x41, 0x53], // point-to-point adapters of Windows ("RAS" in ASCII)
];

impl MacAddress {
    /// Reads twelve hex digits with any separators (`00-1A-2B-3C-4D-5E`, `001a.2b3c.4d5e`, none).
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0u8; 6];
        let mut digits = 0;
        for c in fold(text).chars() {
            match c.to_digit(16) {
                Some(digit) if digits < 12 => {
                    bytes[digits / 2] = bytes[digits / 2] << 4 | digit as u8;
                    digits += 1;
                }
                None if matches!(c, ':' | '.' | '_' | ',' | '\'' | '"') => {}
                _ => return None,
            }
        }
        (digits == 12).then_some(Self(bytes))
    }

    /// Whether it can tell one machine from another: not all equal bytes (null, broadcast), not a group
    /// address, not of a known virtual adapter.
    pub fn identifies(&self) -> bool {
        let [first, ..] = self.0;
        let constant = self.0.iter().all(|b| *b == first);
        let counting =
            self.0 == [0x00, 0x11, 0x22, 0x33, 0x44, 0x55] || self.0 == [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc];
        let null_maker = self.0[..3] == [0, 0, 0];
        // TAP adapters of VPN clients begin with 00-FF.
        let made_up = self.0[..2] == [0x00, 0xff] || VIRTUAL.contains(&[self.0[0], self.0[1], self.0[2]]);
        !constant && !counting && !null_maker && first & 1 == 0 && !made_up
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for MacAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacAddress({self})")
    }
}

/// Twelve lower-case hex digits, or `None` when the text is no MAC address.
pub fn norm_mac(text: &str) -> Option<String> {
    MacAddress::parse(text).map(|mac| mac.to_string())
}

/// As [`norm_mac`], and `None` also for addresses that tell no machine apart.
pub fn identifying_mac(text: &str) -> Option<String> {
    MacAddress::parse(text)
        .filter(MacAddress::identifies)
        .map(|mac| mac.to_string())
}

/// The digits of the first telephone number in the text, without country code and extension; `None` when
/// there are fewer than eleven (a number without its area code tells no subscriber) or all are the same.
pub fn norm_phone(text: &str) -> Option<String> {
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return subscriber(text.to_owned(), false);
    }
    let text: String = text.nfkc().collect();
    text.split(['/', '、', ',', ';', '，', '；', '或', '|', '\n', '\r'])
        .find_map(phone)
}

fn phone(part: &str) -> Option<String> {
    let lower = part.to_lowercase();
    let end = ["转", "分机", "ext", "#", "x"]
        .iter()
        .filter_map(|mark| lower.find(mark))
        .min()
        .unwrap_or(lower.len());
    let digits: String = lower[..end].chars().filter(char::is_ascii_digit).collect();
    let international = lower.trim_start().starts_with(['+', '(']) && digits.starts_with("86");
    subscriber(digits, international)
}

/// The digits of a number without country code, when they are enough to tell a subscriber.
fn subscriber(mut digits: String, international: bool) -> Option<String> {
    if let Some(rest) = digits.strip_prefix("0086").or(digits.strip_prefix("86"))
        && (international || digits.starts_with("0086") || rest.len() == 11 && rest.starts_with('1'))
    {
        let mobile = rest.len() == 11 && rest.starts_with('1');
        digits = if mobile || rest.starts_with('0') {
            rest.to_owned()
        } else {
            format!("0{rest}")
        };
    }
    let varied = digits.bytes().any(|b| b != digits.as_bytes()[0]);
    ((11..=16).contains(&digits.len()) && varied && digits != "12345678901").then_some(digits)
}

/// A bank account as it is compared: its ASCII letters (upper case) and digits. `None` when there are fewer
/// than eight characters or four digits, or all digits are the same: too little to identify.
pub fn norm_account(text: &str) -> Option<String> {
    let account: String = fold(text).chars().filter(char::is_ascii_alphanumeric).collect();
    let digits: Vec<char> = account.chars().filter(char::is_ascii_digit).collect();
    let varied = digits.iter().any(|d| *d != digits[0]);
    (account.len() >= 8 && digits.len() >= 4 && varied).then_some(account)
}

/// Whether digits have the length and the Luhn check digit of a bank card. Accounts of companies have
/// neither, so this informs and never rejects.
pub fn is_bank_card(text: &str) -> bool {
    let digits = fold(text);
    if !(12..=19).contains(&digits.len()) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(at, b)| u32::from(b - b'0') << (at % 2))
        .map(|n| if n > 9 { n - 9 } else { n })
        .sum();
    sum.is_multiple_of(10)
}

/// An e-mail address in lower case; `None` when the text is none.
pub fn norm_email(text: &str) -> Option<String> {
    let email: String = text
        .nfkc()
        .filter(|c| !is_invisible(*c))
        .flat_map(char::to_lowercase)
        .collect();
    let (user, host) = email.split_once('@')?;
    let label = |l: &str| !l.is_empty() && l.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let user_holds = !user.is_empty()
        && user
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._%+-'".contains(c));
    (user_holds && host.contains('.') && host.split('.').all(label)).then_some(email)
}

/// An address as it is compared: NFKC, upper case, without spaces, punctuation and combining marks. `None`
/// when there are fewer than six characters or no digit: a town or a street is shared by too many.
pub fn norm_address(text: &str) -> Option<String> {
    let address: String = fold(text)
        .chars()
        .filter(|c| c.is_alphanumeric() && !is_combining_mark(*c))
        .map(unify_radical)
        .collect();
    let digit = |c: char| c.is_numeric() || "一二三四五六七八九十".contains(c);
    (address.chars().count() >= 6 && address.chars().any(digit)).then_some(address)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_machine_in_many_spellings() {
        for text in [
            "00-1A-2B-3C-4D-5E",
            "00:1a:2b:3c:4d:5e",
            "001A.2B3C.4D5E",
            "001a2b3c4d5e",
            " ００－１Ａ－２Ｂ－３Ｃ－４Ｄ－５Ｅ ",
        ] {
            assert_eq!(norm_mac(text).as_deref(), Some("001a2b3c4d5e"), "{text}");
            assert_eq!(identifying_mac(text), norm_mac(text));
        }
        for text in [
            "",
            "无",
            "00-1A-2B-3C-4D",
            "00-1A-2B-3C-4D-5E-6F",
            "192.168.1.10",
            "00-1G-2B-3C-4D-5E",
        ] {
            assert_eq!(norm_mac(text), None, "{text}");
        }
    }

    #[test]
    fn null_broadcast_group_and_virtual_addresses_identify_nothing() {
        for text in [
            "00-00-00-00-00-00",
            "FF-FF-FF-FF-FF-FF",
            "01-00-5E-00-00-FB",
            "00:50:56:C0:00:08",
            "02-42-AC-11-00-02",
        ] {
            assert!(norm_mac(text).is_some());
            assert_eq!(identifying_mac(text), None, "{text}");
        }
    }

    #[test]
    fn phones_lose_punctuation_country_code_and_extension() {
        for (text, want) in [
            ("0571-88000000", Some("057188000000")),
            ("(0571) 8800 0000", Some("057188000000")),
            ("+86 571 88000000", Some("057188000000")),
            ("0086-571-88000000", Some("057188000000")),
            ("0571-88000000转801", Some("057188000000")),
            ("138 1234 5678", Some("13812345678")),
            ("+86-13812345678", Some("13812345678")),
            ("8613812345678", Some("13812345678")),
            ("１３８１２３４５６７８", Some("13812345678")),
            ("88000000/13812345678", Some("13812345678")),
            ("88000000", None),
            ("00000000000", None),
            ("无", None),
            ("", None),
        ] {
            assert_eq!(norm_phone(text).as_deref(), want, "{text}");
        }
    }

    #[test]
    fn accounts_keep_what_identifies() {
        assert_eq!(
            norm_account("6222 0212-0000 1234").as_deref(),
            Some("6222021200001234")
        );
        assert_eq!(
            norm_account("６２２２０２１２００００１２３４").as_deref(),
            Some("6222021200001234")
        );
        assert_eq!(norm_account("acct_7f3a9c01").as_deref(), Some("ACCT7F3A9C01"));
        assert_eq!(norm_account("0000000000"), None);
        assert_eq!(norm_account("1234"), None);
        assert_eq!(norm_account("工商银行"), None);
        assert!(is_bank_card("4111 1111 1111 1111"));
        assert!(!is_bank_card("4111 1111 1111 1112"));
    }

    #[test]
    fn emails() {
        assert_eq!(
            norm_email(" Sales@Example.COM.cn ").as_deref(),
            Some("sales@example.com.cn")
        );
        assert_eq!(
            norm_email("sales＠example.com").as_deref(),
            Some("sales@example.com")
        );
        for text in ["sales", "a@b", "@b.cn", "a@b..cn", "a b@c.cn@d"] {
            assert_eq!(norm_email(text), None, "{text}");
        }
    }

    #[test]
    fn addresses_need_a_number_to_identify() {
        for text in ["浙江省某市某路１号 3-201室", "浙江省某市某路1号，3201室"] {
            assert_eq!(
                norm_address(text).as_deref(),
                Some("浙江省某市某路1号3201室"),
                "{text}"
            );
        }
        assert_eq!(norm_address("浙江省杭州市西湖区"), None);
        assert_eq!(norm_address("1号"), None);
    }

    proptest! {
        #[test]
        fn no_text_makes_them_panic_and_results_are_fixed_points(text in "\\PC{0,40}") {
            for norm in [norm_mac, identifying_mac, norm_phone, norm_account, norm_email, norm_address] {
                if let Some(once) = norm(&text) {
                    prop_assert_eq!(norm(&once), Some(once));
                }
            }
        }
    }
}

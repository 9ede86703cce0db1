//! Identifiers that are formally right and belong to nobody: their region codes begin with 990, which no
//! authority uses. Each kind is a bijection of a counter, so that no two ever coincide by chance.

/// The alphabet of GB 32100-2015 (no I, O, S, V, Z).
const CODE_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

fn code_value(byte: u8) -> u32 {
    CODE_ALPHABET.iter().position(|b| *b == byte).unwrap_or(0) as u32
}

/// Makes identifiers, each only once.
#[derive(Debug, Clone)]
pub(crate) struct Mint {
    organisations: u64,
    persons: u64,
    phones: u64,
    accounts: u64,
    machines: u64,
    offset: u64,
}

impl Mint {
    pub(crate) fn new(seed: u64) -> Self {
        let offset = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        Self {
            organisations: 0,
            persons: 0,
            phones: 0,
            accounts: 0,
            machines: 0,
            offset,
        }
    }

    /// Position `counter` of a walk through `0..modulus` that visits every number once; `stride` must be
    /// coprime to `modulus`.
    fn scatter(&self, counter: u64, stride: u64, modulus: u64) -> u64 {
        (u128::from(counter + self.offset) * u128::from(stride) % u128::from(modulus)) as u64
    }

    /// A unified social credit code: `prefix` is registering authority and kind, e.g. "91" for a company.
    pub(crate) fn uscc(&mut self, prefix: &str) -> String {
        self.organisations += 1;
        // Six characters of 31 after "MA": 31^6 values; the stride is a prime other than 31.
        let mut n = self.scatter(self.organisations, 15_485_863, 31_u64.pow(6));
        let mut body = [b'0'; 6];
        for slot in body.iter_mut().rev() {
            *slot = CODE_ALPHABET[(n % 31) as usize];
            n /= 31;
        }
        let region = 990_100 + self.organisations % 80;
        let mut code = format!("{prefix}{region}MA").into_bytes();
        code.extend_from_slice(&body);
        let organisation = organisation_check(&code[8..16]);
        code.push(organisation);
        let check = uscc_check(&code);
        code.push(check);
        code.iter().map(|b| char::from(*b)).collect()
    }

    /// A resident identity number of someone born between 1955 and 1994.
    pub(crate) fn id_number(&mut self) -> String {
        self.persons += 1;
        const DAYS: u64 = 14_600;
        let n = self.scatter(self.persons, 1_000_003, 80 * DAYS * 998);
        let area = 990_100 + n % 80;
        let birth = chrono::NaiveDate::from_ymd_opt(1955, 1, 1)
            .and_then(|d| d.checked_add_days(chrono::Days::new((n / 80) % DAYS)))
            .unwrap_or_default();
        let sequence = n / (80 * DAYS) + 1;
        let body = format!("{area}{}{sequence:03}", birth.format("%Y%m%d"));
        let check = id_check(body.as_bytes());
        format!("{body}{}", char::from(check))
    }

    /// A mobile number of 11 digits.
    pub(crate) fn mobile(&mut self) -> String {
        self.phones += 1;
        let n = self.scatter(self.phones, 32_452_843, 5_000_000_000);
        let second = b"35789"[(n / 1_000_000_000) as usize];
        format!("1{}{:09}", char::from(second), n % 1_000_000_000)
    }

    /// A company's bank account of 19 digits.
    pub(crate) fn account(&mut self) -> String {
        self.accounts += 1;
        format!(
            "33050{:014}",
            self.scatter(self.accounts, 49_979_687, 100_000_000_000_000)
        )
    }

    /// A network card's address with the vendor prefix of a physical card, as 12 upper-case hex digits.
    pub(crate) fn mac(&mut self) -> String {
        const VENDORS: [&str; 6] = ["3C5282", "F43909", "A4BB6D", "8CEC4B", "D8BBC1", "E454E8"];
        self.machines += 1;
        let n = self.scatter(self.machines, 86_028_121, 1 << 24);
        format!("{}{n:06X}", VENDORS[(self.machines % 6) as usize])
    }
}

/// Check character of GB 11714 over the eight characters of an organisation code.
fn organisation_check(body: &[u8]) -> u8 {
    const WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];
    let value = |b: u8| {
        if b.is_ascii_digit() {
            u32::from(b - b'0')
        } else {
            u32::from(b - b'A') + 10
        }
    };
    let sum: u32 = body.iter().zip(WEIGHTS).map(|(b, w)| value(*b) * w).sum();
    match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        n => b'0' + n as u8,
    }
}

/// Check character of GB 32100 over the first 17.
fn uscc_check(body: &[u8]) -> u8 {
    const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let sum: u32 = body.iter().zip(WEIGHTS).map(|(b, w)| code_value(*b) * w).sum();
    CODE_ALPHABET[((31 - sum % 31) % 31) as usize]
}

/// Check character of GB 11643 over the first 17.
fn id_check(body: &[u8]) -> u8 {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .iter()
        .zip(WEIGHTS)
        .map(|(b, w)| u32::from(b - b'0') * w)
        .sum();
    b"10X98765432"[(sum % 11) as usize]
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn check_characters_agree_with_published_examples() {
        assert_eq!(uscc_check(b"91330100MA2A1B2C3"), b'T');
        assert_eq!(uscc_check(b"91310115MA1H8R7C6"), b'7');
        assert_eq!(id_check(b"11010519491231002"), b'X');
        assert_eq!(organisation_check(b"D2143569"), b'X');
    }

    #[test]
    fn nothing_is_minted_twice() {
        let mut mint = Mint::new(7);
        let mut seen = HashSet::new();
        for _ in 0..50_000 {
            for text in [
                mint.uscc("91"),
                mint.id_number(),
                mint.mobile(),
                mint.account(),
                mint.mac(),
            ] {
                assert!(seen.insert(text.clone()), "{text} twice");
            }
        }
    }
}

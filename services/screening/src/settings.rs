//! The numbers that decide, with the law behind each; a deployer may change them.

use rust_decimal::Decimal;

/// How old a dataset may be: longest time between its last sync and the end of the day asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Staleness {
    pub dataset: &'static str,
    pub days_max: u32,
}

/// All parameters of the checks.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// A listing for bribery bans for so long (国卫法制发〔2013〕50号).
    pub ban_years: u32,
    /// Two listings within so long ban nationwide (the same).
    pub repeat_years: u32,
    /// Grave offences of the last years exclude a supplier (政府采购法 22).
    pub penalty_years: u32,
    /// Shares below this in a company limited by shares are anybody's, in percent.
    pub listed_share_percent: Decimal,
    /// An agreement that ends within so many days is told.
    pub agreement_warn_days: u32,
    /// A price may be above the listing by so much, in percent.
    pub price_margin_percent: Decimal,
    pub staleness: Vec<Staleness>,
    /// Names under one blocking key that are compared one by one. A key with more is passed over and the
    /// search called cut.
    pub names_per_key_max: usize,
    /// Names compared for one search in all; beyond it the search is called cut.
    pub names_compared_max: usize,
    /// Candidates shown.
    pub candidates_max: usize,
    /// Ties shown.
    pub ties_max: usize,
}

impl Default for Settings {
    fn default() -> Self {
        let staleness = [
            ("agreements", 45),
            ("credit_records", 45),
            ("declarations", 400),
            ("filings", 45),
            ("platform_listings", 45),
            ("relations", 90),
            ("staff", 90),
            ("tenders", 90),
        ];
        Self {
            ban_years: 2,
            repeat_years: 5,
            penalty_years: 3,
            listed_share_percent: Decimal::from(5),
            agreement_warn_days: 30,
            price_margin_percent: Decimal::ZERO,
            staleness: staleness
                .into_iter()
                .map(|(dataset, days_max)| Staleness { dataset, days_max })
                .collect(),
            names_per_key_max: 512,
            names_compared_max: 2_000,
            candidates_max: 10,
            ties_max: 10,
        }
    }
}

//! Shipped m and u probabilities by kind of field: what makes matching work without training.
//!
//! m is the share of pairs of one party that agree at a level, u that of pairs of two parties. They were set by
//! hand from the kinds of error that registers, invoices and hospital ledgers carry, then checked on labelled sets.

use super::level::Level;
use super::schema::FieldKind;

/// m and u of one level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    pub level: Level,
    pub m: f64,
    pub u: f64,
}

/// Priors of a kind's levels; the last of the list takes what is left of u.
pub fn priors(kind: FieldKind, swapped: bool) -> Vec<Prior> {
    use Level::{
        Close, Conflict, Different, Exact, Partial, Related, Similar, SwappedClose, SwappedExact, Variant,
    };
    let table: &[(Level, f64, f64)] = match kind {
        FieldKind::Uscc => &[
            (Exact, 0.95, 1e-8),
            (Close, 0.03, 1e-7),
            (Similar, 0.005, 1e-6),
            (Different, 0.0149, 0.02),
            (Conflict, 1e-4, 0.98),
        ],
        FieldKind::IdNumber => &[
            (Exact, 0.95, 1e-8),
            (Close, 0.03, 1e-6),
            (Similar, 0.005, 1e-5),
            (Different, 0.0149, 0.02),
            (Conflict, 1e-4, 0.98),
        ],
        FieldKind::Code | FieldKind::Account => &[
            (Exact, 0.85, 1e-6),
            (Close, 0.06, 2e-5),
            (Similar, 0.01, 1e-3),
            (Different, 0.08, 0.999),
        ],
        FieldKind::Phone => &[
            (Exact, 0.75, 1e-5),
            (Close, 0.03, 1e-4),
            (Partial, 0.02, 1e-5),
            (Different, 0.2, 0.999),
        ],
        FieldKind::Email => &[
            (Exact, 0.8, 1e-5),
            (Close, 0.04, 1e-4),
            (Partial, 0.03, 1e-3),
            (Different, 0.13, 0.999),
        ],
        FieldKind::HouseNumber => &[(Exact, 0.9, 0.02), (Close, 0.05, 0.1), (Different, 0.05, 0.88)],
        FieldKind::Postcode => &[(Exact, 0.85, 1e-3), (Close, 0.08, 5e-3), (Different, 0.07, 0.99)],
        FieldKind::Date => &[
            (Exact, 0.88, 1e-4),
            (Variant, 0.01, 1e-4),
            (Close, 0.06, 1e-3),
            (Similar, 0.02, 1e-2),
            (Related, 0.005, 2e-2),
            (Different, 0.025, 0.97),
        ],
        FieldKind::Category => &[(Exact, 0.95, 0.3), (Different, 0.05, 0.7)],
        FieldKind::OrgName => &[
            (Exact, 0.6, 1e-6),
            (Variant, 0.12, 1e-6),
            (Close, 0.1, 2e-4),
            (Partial, 0.12, 1e-5),
            (Similar, 0.03, 1e-3),
            (Related, 2e-5, 5e-3),
            (Different, 0.02, 0.99),
            (Conflict, 1e-5, 1e-3),
        ],
        FieldKind::PersonName => &[
            (Exact, 0.8, 1e-4),
            (Variant, 0.06, 1e-4),
            (Close, 0.06, 1e-3),
            (Partial, 0.02, 1e-3),
            (Similar, 0.02, 5e-3),
            (Related, 0.01, 5e-2),
            (Different, 0.03, 0.94),
        ],
        FieldKind::Address => &[
            (Exact, 0.5, 1e-5),
            (Variant, 0.15, 2e-5),
            (Close, 0.1, 1e-4),
            (Partial, 0.08, 2e-4),
            (Similar, 0.04, 1e-3),
            (Related, 0.03, 1e-2),
            (Different, 0.1, 0.99),
        ],
        FieldKind::Text => &[
            (Exact, 0.8, 1e-2),
            (Close, 0.08, 1e-2),
            (Partial, 0.02, 1e-2),
            (Similar, 0.03, 2e-2),
            (Different, 0.07, 0.95),
        ],
        FieldKind::Place => &[
            (Exact, 0.85, 2e-3),
            (Close, 0.07, 1e-3),
            (Partial, 0.005, 1e-3),
            (Similar, 0.015, 1e-2),
            (Different, 0.06, 0.985),
        ],
        FieldKind::GivenName => &[
            (Exact, 0.8, 5e-3),
            (Close, 0.08, 3e-3),
            (Partial, 0.01, 1e-3),
            (Similar, 0.015, 1e-2),
            (SwappedExact, 0.03, 5e-4),
            (SwappedClose, 0.005, 5e-4),
            (Different, 0.06, 0.98),
        ],
        FieldKind::Surname => &[
            (Exact, 0.8, 3e-3),
            (Close, 0.08, 2e-3),
            (Partial, 0.01, 1e-3),
            (Similar, 0.015, 1e-2),
            (SwappedExact, 0.03, 5e-4),
            (SwappedClose, 0.005, 5e-4),
            (Different, 0.06, 0.983),
        ],
        FieldKind::AddressLine => &[
            (Exact, 0.72, 1e-3),
            (Close, 0.1, 1e-3),
            (Partial, 0.01, 1e-3),
            (Similar, 0.04, 2e-2),
            (SwappedExact, 0.03, 2e-4),
            (SwappedClose, 0.01, 3e-4),
            (Different, 0.09, 0.975),
        ],
    };
    table
        .iter()
        .filter(|(level, ..)| swapped || !matches!(level, SwappedExact | SwappedClose))
        .map(|&(level, m, u)| Prior { level, m, u })
        .collect()
}

/// Whether agreement on a rare value of this kind says more than on a common one.
pub fn is_frequency_weighted(kind: FieldKind) -> bool {
    !matches!(
        kind,
        FieldKind::Category | FieldKind::Postcode | FieldKind::HouseNumber | FieldKind::Date
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_of_every_kind_has_a_prior_and_they_sum_to_one() {
        use FieldKind::*;
        for kind in [
            OrgName,
            PersonName,
            GivenName,
            Surname,
            Uscc,
            IdNumber,
            Code,
            Phone,
            Account,
            Email,
            Address,
            AddressLine,
            HouseNumber,
            Place,
            Postcode,
            Date,
            Category,
            Text,
        ] {
            for swapped in [false, true] {
                let priors = priors(kind, swapped);
                let levels: Vec<Level> = priors.iter().map(|p| p.level).collect();
                assert_eq!(levels, kind.levels(swapped), "{kind:?}");
                let m: f64 = priors.iter().map(|p| p.m).sum();
                let u: f64 = priors.iter().map(|p| p.u).sum();
                assert!((0.94..=1.01).contains(&m), "{kind:?} {m}");
                assert!((0.97..=1.02).contains(&u), "{kind:?} {u}");
            }
        }
    }
}

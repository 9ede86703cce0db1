//! All text that repeats in the long files, encoded once.

use encoding_rs::GB18030;

use crate::calendar::{SPAN_DAYS, day};
use crate::everyday::EVERYDAY_STAFF;
use crate::ink::{DATE_STYLES, company_spellings, write_date};
use crate::names::DEPARTMENTS;
use crate::province::Province;

pub(super) fn gb(text: &str) -> Vec<u8> {
    GB18030.encode(text).0.into_owned()
}

/// A supplier as it stands in the files: spellings of its name in both encodings.
pub(super) struct SupplierInk {
    pub(super) id: Vec<u8>,
    pub(super) uscc: Vec<u8>,
    pub(super) uscc_lower: Vec<u8>,
    pub(super) spellings_gb: Vec<Vec<u8>>,
    pub(super) spellings_utf8: Vec<Vec<u8>>,
}

pub(super) struct ProductInk {
    pub(super) id: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) code: Vec<u8>,
}

/// All text that repeats, encoded.
pub(super) struct Ink {
    pub(super) suppliers: Vec<SupplierInk>,
    pub(super) products: Vec<ProductInk>,
    pub(super) hospitals: Vec<Vec<u8>>,
    pub(super) staff: Vec<Vec<Vec<u8>>>,
    pub(super) departments: Vec<Vec<u8>>,
    pub(super) dates: Vec<[Vec<u8>; DATE_STYLES]>,
    pub(super) yuan: Vec<u8>,
    pub(super) channels: [Vec<u8>; 4],
}

impl Ink {
    pub(super) fn new(province: &Province) -> Self {
        let suppliers = province
            .suppliers
            .iter()
            .map(|s| {
                let spellings = company_spellings(&s.name);
                SupplierInk {
                    id: s.id.clone().into_bytes(),
                    uscc: s.uscc.clone().into_bytes(),
                    uscc_lower: s.uscc.to_ascii_lowercase().into_bytes(),
                    spellings_gb: spellings.iter().map(|n| gb(n)).collect(),
                    spellings_utf8: spellings.into_iter().map(String::into_bytes).collect(),
                }
            })
            .collect();
        let products = province
            .products
            .iter()
            .map(|p| ProductInk {
                id: p.id.clone().into_bytes(),
                name: gb(&p.name),
                code: p.national_code.clone().unwrap_or_default().into_bytes(),
            })
            .collect();
        let staff = province
            .hospitals
            .iter()
            .map(|h| {
                h.staff
                    .iter()
                    .take(EVERYDAY_STAFF)
                    .map(|p| p.staff_id.clone().into_bytes())
                    .collect()
            })
            .collect();
        let dates = (0..SPAN_DAYS)
            .map(|n| {
                std::array::from_fn(|style| {
                    let mut out = String::new();
                    write_date(&mut out, day(n), style);
                    gb(&out)
                })
            })
            .collect();
        Self {
            suppliers,
            products,
            hospitals: province
                .hospitals
                .iter()
                .map(|h| h.id.clone().into_bytes())
                .collect(),
            staff,
            departments: DEPARTMENTS.iter().map(|d| gb(d)).collect(),
            dates,
            yuan: gb("元"),
            channels: [gb("平台采购"), gb("备案采购"), gb("线下采购"), gb("应急采购")],
        }
    }
}

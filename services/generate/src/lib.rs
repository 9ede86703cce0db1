//! A synthetic province: hospitals, suppliers, papers, tenders and order lines as real systems export them,
//! with violations planted, lawful near misses beside them, and a truth file that says which is which.
//!
//! It exists to put the whole product to the test and to the clock, so it shares no code with the rules or
//! with the crates that read the files: what is written here must be understood from the outside. The same
//! options give the same bytes.

mod calendar;
mod cases;
mod error;
mod everyday;
mod identity;
mod ink;
mod names;
mod province;
mod register;
mod schema;
pub mod score;
mod shuffle;
mod stream;
mod tendering;
mod truth;

use std::path::PathBuf;

pub use error::Error;
pub use shuffle::shuffle;
pub use truth::{Allowed, Decoy, Planted, RowKey, Truth};

/// What to generate, and where.
#[derive(Debug, Clone)]
pub struct Options {
    /// A folder that is new or empty.
    pub dir: PathBuf,
    /// Purchase order lines in all, planted ones included.
    pub orders: u64,
    pub seed: u64,
    /// Whether violations and near misses are planted.
    pub plant: bool,
    /// The two long files are cut into parts of this many rows.
    pub rows_per_file: u64,
}

impl Options {
    /// A planted province in files of two million rows.
    pub fn new(dir: impl Into<PathBuf>, orders: u64, seed: u64) -> Self {
        Self {
            dir: dir.into(),
            orders,
            seed,
            plant: true,
            rows_per_file: 2_000_000,
        }
    }
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    pub hospitals: usize,
    pub suppliers: usize,
    pub order_lines: u64,
    pub platform_orders: u64,
    pub planted: usize,
    pub decoys: usize,
    /// Bytes of the purchase and platform order files.
    pub bytes: u64,
}

/// Writes a province: the files of its registers, `purchase_orders-part-NNNN.csv`,
/// `platform_orders-part-NNNN.csv` and `truth.json` (in `dir`, beside the files).
///
/// # Errors
/// When the folder is not empty, a file cannot be written, or `orders` is less than what is planted.
pub fn generate(options: &Options) -> Result<Summary, Error> {
    let dir = &options.dir;
    std::fs::create_dir_all(dir).map_err(|e| Error::write(dir, e))?;
    let mut entries = std::fs::read_dir(dir).map_err(|e| Error::write(dir, e))?;
    if entries.next().is_some() {
        return Err(Error::NotEmpty { path: dir.clone() });
    }
    let scale = everyday::Scale::of(options.orders);
    let mut province = province::Province::new(options.seed);
    let everyday = everyday::fill(&mut province, scale);
    if options.plant {
        cases::plant(&mut province, scale);
    }
    let planted = province.lines.len() as u64;
    if options.orders < planted {
        return Err(Error::TooFewLines {
            orders: options.orders,
            planted,
        });
    }
    for register in province.registers.values() {
        register.write(dir, options.seed)?;
    }
    let streamed = stream::write(dir, &province, &everyday, options.orders, options.rows_per_file)?;
    province.truth.as_of = calendar::day(calendar::SPAN_DAYS - 1).to_string();
    province.truth.seed = options.seed;
    province.truth.orders = options.orders;
    province.truth.write(&dir.join("truth.json"))?;
    Ok(Summary {
        hospitals: province.hospitals.len(),
        suppliers: province.suppliers.len(),
        order_lines: streamed.lines,
        platform_orders: streamed.platform_orders,
        planted: province.truth.planted.len(),
        decoys: province.truth.decoys.len(),
        bytes: streamed.bytes,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::ink::Cell;

    /// Every row that the truth names is in its register or among the lines, under exactly that key.
    #[test]
    fn the_truth_names_rows_that_exist() {
        let scale = everyday::Scale {
            copies: 4,
            ..everyday::Scale::of(200_000)
        };
        let mut province = province::Province::new(11);
        everyday::fill(&mut province, scale);
        cases::plant(&mut province, scale);
        let mut keys: HashSet<(String, String)> = HashSet::new();
        for (dataset, register) in &province.registers {
            for row in &register.rows {
                if let Cell::Text(key) = &row[0] {
                    let is_new = keys.insert(((*dataset).to_owned(), key.clone()));
                    assert!(
                        is_new || *dataset == "budget_items",
                        "{dataset} {key} stands twice"
                    );
                }
            }
        }
        let lines: HashSet<(&str, u64)> = province
            .lines
            .iter()
            .map(|l| (l.order_id.as_str(), u64::from(l.line_no)))
            .collect();
        assert_eq!(lines.len(), province.lines.len());
        assert!(province.lines.iter().all(|l| l.day < calendar::SPAN_DAYS));
        assert!(
            province
                .platform_orders
                .iter()
                .all(|p| p.day < calendar::SPAN_DAYS)
        );
        let truth = &province.truth;
        let planted = truth.planted.iter().flat_map(|p| &p.rows);
        let named = planted
            .chain(truth.decoys.iter().flat_map(|d| &d.rows))
            .chain(truth.allowed.iter().flat_map(|a| &a.rows));
        for row in named {
            if row.dataset == "purchase_orders" {
                let order = row.key["order_id"].as_str().unwrap_or_default();
                let line = row.key["line_no"].as_u64().unwrap_or_default();
                assert!(lines.contains(&(order, line)), "{row:?}");
            } else {
                let key = row
                    .key
                    .values()
                    .next()
                    .and_then(|v| v.as_str())
                    .unwrap_or_default();
                assert!(keys.contains(&(row.dataset.clone(), key.to_owned())), "{row:?}");
            }
        }
    }
}

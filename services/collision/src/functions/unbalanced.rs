//! `unbalanced(account, entry)`: the groups of accounts whose entries do not add up to zero. Two books of tens of
//! millions of lines are held against each other in one pass: a table of sums that is addressed directly stands in
//! for grouping by account, and only what is in the groups it names needs a closer look.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Int64Type};
use datafusion::common::utils::SingleRowListArrayBuilder;
use datafusion::error::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility};
use datafusion::scalar::ScalarValue;

/// Accounts share this many groups, told by their lowest bits.
const GROUPS: usize = 1 << 22;
/// Groups with entries up to which they are kept in a map; a table of all takes 32 MB.
const FEW: usize = 1 << 14;

/// Of (account: any number, such as a hash; entry: see `balance64`), the numbers of the groups (account modulo
/// 4,194,304) whose entries' wrapping sum is not zero, in order. A null entry is one that nothing can balance; a
/// null account has no group.
pub fn unbalanced() -> AggregateUDF {
    AggregateUDF::from(Unbalanced {
        signature: Signature::exact(vec![DataType::Int64, DataType::Int64], Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Unbalanced {
    signature: Signature,
}

fn numbers() -> DataType {
    DataType::List(Arc::new(Field::new_list_field(DataType::Int64, true)))
}

impl AggregateUDFImpl for Unbalanced {
    fn name(&self) -> &str {
        "unbalanced"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(numbers())
    }

    fn accumulator(&self, _: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(Sums::Few(HashMap::new())))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(
            format!("{}[sums]", args.name),
            numbers(),
            true,
        ))])
    }
}

/// The sum of each group.
#[derive(Debug)]
enum Sums {
    Few(HashMap<u32, i64>),
    Many(Box<[i64]>),
}

impl Sums {
    fn add(&mut self, account: i64, entry: i64) {
        let group = account as usize & (GROUPS - 1);
        match self {
            Self::Many(sums) => sums[group] = sums[group].wrapping_add(entry),
            Self::Few(sums) => {
                let sum = sums.entry(group as u32).or_default();
                *sum = sum.wrapping_add(entry);
                if sums.len() > FEW {
                    let mut many = vec![0; GROUPS].into_boxed_slice();
                    for (group, sum) in std::mem::take(sums) {
                        many[group as usize] = sum;
                    }
                    *self = Self::Many(many);
                }
            }
        }
    }

    /// (group, sum) of those that are not zero, in order of group.
    fn open(&self) -> Vec<(i64, i64)> {
        let mut open: Vec<(i64, i64)> = match self {
            Self::Few(sums) => sums
                .iter()
                .map(|(group, sum)| (i64::from(*group), *sum))
                .collect(),
            Self::Many(sums) => sums
                .iter()
                .enumerate()
                .map(|(group, sum)| (group as i64, *sum))
                .collect(),
        };
        open.retain(|(_, sum)| *sum != 0);
        open.sort_unstable();
        open
    }
}

fn list(numbers: impl IntoIterator<Item = i64>) -> ScalarValue {
    SingleRowListArrayBuilder::new(Arc::new(Int64Array::from_iter_values(numbers))).build_list_scalar()
}

impl Accumulator for Sums {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let (accounts, entries) = (
            values[0].as_primitive::<Int64Type>(),
            values[1].as_primitive::<Int64Type>(),
        );
        for (account, entry) in accounts.iter().zip(entries) {
            if let Some(account) = account {
                self.add(account, entry.unwrap_or(1));
            }
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(list(self.open().into_iter().map(|(group, _)| group)))
    }

    fn size(&self) -> usize {
        size_of_val(self)
            + match self {
                Self::Few(sums) => sums.capacity() * size_of::<(u32, i64)>(),
                Self::Many(sums) => size_of_val(&**sums),
            }
    }

    /// Groups and their sums by turns.
    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![list(
            self.open().into_iter().flat_map(|(group, sum)| [group, sum]),
        )])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        for state in states[0].as_list::<i32>().iter().flatten() {
            let numbers = state.as_primitive::<Int64Type>().values();
            for pair in numbers.chunks_exact(2) {
                self.add(pair[0], pair[1]);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn column(values: &[Option<i64>]) -> ArrayRef {
        Arc::new(Int64Array::from(values.to_vec()))
    }

    fn of(parts: &[Vec<(Option<i64>, Option<i64>)>]) -> Vec<i64> {
        let mut all = Sums::Few(HashMap::new());
        for part in parts {
            let mut sums = Sums::Few(HashMap::new());
            let (accounts, entries): (Vec<_>, Vec<_>) = part.iter().copied().unzip();
            sums.update_batch(&[column(&accounts), column(&entries)]).unwrap();
            let state = sums.state().unwrap()[0].to_array().unwrap();
            all.merge_batch(&[state]).unwrap();
        }
        let ScalarValue::List(groups) = all.evaluate().unwrap() else {
            panic!("a list")
        };
        groups.value(0).as_primitive::<Int64Type>().values().to_vec()
    }

    #[test]
    fn groups_that_do_not_cancel_out_are_told_whoever_saw_their_entries() {
        let max = i64::MAX;
        let parts = [
            vec![
                (Some(7), Some(max)),
                (Some(8), Some(3)),
                (Some(-1), Some(5)),
                (None, Some(1)),
            ],
            vec![
                (Some(7), Some(-max)),
                (Some(8), Some(-2)),
                (Some(9), None),
                (Some(-1), Some(-5)),
            ],
        ];
        assert_eq!(of(&parts), [8, 9]);
        assert_eq!(of(&[]), Vec::<i64>::new());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        /// The same groups, however the entries are shared out and whether they are few or many.
        #[test]
        fn a_table_tells_what_a_map_tells(
            seed in any::<i64>(),
            open in prop::collection::btree_set(0i64..50_000, 0..20),
            parts in 1usize..4,
        ) {
            let mut shares = vec![Vec::new(); parts];
            for account in 0..50_000i64 {
                let entry = (account ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64) | 1;
                let back = if open.contains(&account) { entry.wrapping_add(1) } else { entry };
                shares[account as usize % parts].push((Some(account), Some(entry)));
                shares[(account as usize + 1) % parts].push((Some(account), Some(back.wrapping_neg())));
            }
            prop_assert_eq!(of(&shares), open.into_iter().collect::<Vec<_>>());
        }
    }
}

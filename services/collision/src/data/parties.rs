//! From a mention's reference to its party, fast enough for columns of ten million rows.

use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, StringViewArray, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Int64Type};
use datafusion::error::Result;
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// Reference -> (party id, party key).
#[derive(Debug)]
pub struct PartyLookup {
    places: HashMap<i64, u32, NoHash>,
    ids: ArrayRef,
    keys: ArrayRef,
    /// Of the references that are not certain: how sure they are, in ten-thousandths.
    unsure: HashMap<i64, u16, NoHash>,
}

/// References are hashes already.
#[derive(Debug, Default, Clone, Copy)]
struct NoHash;

struct NoHasher(u64);

impl std::hash::BuildHasher for NoHash {
    type Hasher = NoHasher;

    fn build_hasher(&self) -> NoHasher {
        NoHasher(0)
    }
}

impl Hasher for NoHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for b in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*b);
        }
    }

    fn write_i64(&mut self, i: i64) {
        // One multiplication spreads small references (tests count from 1) over all bits.
        self.0 = (i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

impl PartyLookup {
    /// From (reference, party id, party key).
    pub fn new<'a>(refs: impl IntoIterator<Item = (i64, &'a str, &'a str)>) -> Self {
        let mut places = HashMap::with_hasher(NoHash);
        let mut parties: HashMap<&str, u32> = HashMap::new();
        let mut ids: Vec<&str> = Vec::new();
        let mut keys: Vec<&str> = Vec::new();
        for (reference, id, key) in refs {
            let place = *parties.entry(id).or_insert_with(|| {
                ids.push(id);
                keys.push(key);
                (ids.len() - 1) as u32
            });
            places.insert(reference, place);
        }
        Self {
            places,
            ids: Arc::new(StringViewArray::from_iter_values(ids)),
            keys: Arc::new(StringViewArray::from_iter_values(keys)),
            unsure: HashMap::with_hasher(NoHash),
        }
    }

    /// With how sure references are, in ten-thousandths: those that are certain need not be named.
    pub fn with_certainty(mut self, refs: impl IntoIterator<Item = (i64, u16)>) -> Self {
        let unsure = refs.into_iter().filter(|(_, bp)| *bp < matching::CERTAIN_BP);
        self.unsure.extend(unsure);
        self
    }

    /// How sure it is that a reference is its party's, over 0 to 1.
    pub fn certainty(&self, reference: i64) -> f64 {
        self.unsure_bp(reference)
            .map_or(1.0, |bp| f64::from(bp) / f64::from(matching::CERTAIN_BP))
    }

    /// Whether every reference is certain.
    pub fn all_certain(&self) -> bool {
        self.unsure.is_empty()
    }

    /// Whether each reference that an earlier lookup has, too, is the same party's, and as surely.
    pub fn agrees_with(&self, earlier: &Self) -> bool {
        self.places.keys().all(|r| {
            let Some(before) = earlier.party_id(*r) else {
                return true;
            };
            self.party_id(*r) == Some(before) && self.unsure.get(r) == earlier.unsure.get(r)
        })
    }

    /// The id of the party a reference leads to.
    pub fn party_id(&self, reference: i64) -> Option<&str> {
        self.places
            .get(&reference)
            .map(|place| self.ids.as_string_view().value(*place as usize))
    }

    /// The business key of the party a reference leads to.
    pub fn party_key(&self, reference: i64) -> Option<&str> {
        self.places
            .get(&reference)
            .map(|place| self.keys.as_string_view().value(*place as usize))
    }

    /// How sure a reference is, in ten-thousandths; `None` when it is certain.
    pub fn unsure_bp(&self, reference: i64) -> Option<u16> {
        self.unsure.get(&reference).copied()
    }

    /// Whether this text is the id of some party.
    pub fn is_party_id(&self, text: &str) -> bool {
        self.ids.as_string_view().iter().flatten().any(|id| id == text)
    }

    fn column(&self, references: &ArrayRef, of: &ArrayRef) -> Result<ArrayRef> {
        let places: UInt32Array = references
            .as_primitive::<Int64Type>()
            .iter()
            .map(|r| r.and_then(|r| self.places.get(&r).copied()))
            .collect();
        Ok(take(of.as_ref(), &places, None)?)
    }
}

/// The function behind `<slot>_party_id` (`keys` false) or `<slot>_key` (true).
pub fn lookup_function(lookup: Arc<PartyLookup>, keys: bool) -> ScalarUDF {
    ScalarUDF::from(LookupUdf {
        name: if keys { "party_key_of" } else { "party_id_of" },
        signature: Signature::exact(vec![DataType::Int64], Volatility::Immutable),
        lookup,
        keys,
    })
}

#[derive(Debug)]
struct LookupUdf {
    name: &'static str,
    signature: Signature,
    lookup: Arc<PartyLookup>,
    keys: bool,
}

impl PartialEq for LookupUdf {
    fn eq(&self, other: &Self) -> bool {
        self.keys == other.keys && Arc::ptr_eq(&self.lookup, &other.lookup)
    }
}

impl Eq for LookupUdf {}

impl Hash for LookupUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for LookupUdf {
    fn name(&self) -> &str {
        self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8View)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let of = if self.keys {
            &self.lookup.keys
        } else {
            &self.lookup.ids
        };
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        Ok(ColumnarValue::Array(self.lookup.column(&arrays[0], of)?))
    }
}

#[cfg(test)]
mod tests {
    use datafusion::arrow::array::{Array, Int64Array};

    use super::*;

    #[test]
    fn lookups_agree_when_what_both_know_is_the_same() {
        let of = |refs: &[(i64, &'static str)], unsure: &[(i64, u16)]| {
            PartyLookup::new(refs.iter().map(|(r, id)| (*r, *id, "k"))).with_certainty(unsure.iter().copied())
        };
        let before = of(&[(1, "a"), (2, "b")], &[(2, 9_000)]);
        assert!(of(&[(1, "a"), (3, "c")], &[(3, 1)]).agrees_with(&before));
        assert!(of(&[(2, "b")], &[(2, 9_000)]).agrees_with(&before));
        assert!(!of(&[(1, "b")], &[]).agrees_with(&before));
        assert!(!of(&[(2, "b")], &[]).agrees_with(&before), "surer than before");
    }

    #[test]
    fn references_become_parties_and_unknown_ones_null() {
        let lookup = PartyLookup::new([(7, "c1", "name:甲"), (9, "c2", "name:乙"), (8, "c1", "name:甲")]);
        let refs: ArrayRef = Arc::new(Int64Array::from(vec![Some(8), None, Some(9), Some(5)]));
        let ids = lookup.column(&refs, &lookup.ids).unwrap();
        let keys = lookup.column(&refs, &lookup.keys).unwrap();
        assert_eq!(
            ids.as_string_view().iter().collect::<Vec<_>>(),
            [Some("c1"), None, Some("c2"), None]
        );
        assert_eq!(keys.as_string_view().value(2), "name:乙");
        assert!(keys.is_null(3));
    }
}

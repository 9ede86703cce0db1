//! Which keys a dataset has, where each row lies and what its content hash is: 32 bytes a row, so that ten
//! million rows take about half a gigabyte.

use hashbrown::HashTable;

/// Where a row lies: a file (by its number in the sync) and its position in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub file: u32,
    pub pos: u32,
}

/// Top bit of `Entry::file`: this sync has seen the key.
const SEEN: u32 = 1 << 31;

/// Files a dataset may have, so that the top bit is free.
pub const FILES_MAX: usize = SEEN as usize;

#[derive(Clone, Copy)]
struct Entry {
    key_low: u64,
    key_high: u64,
    content: u64,
    file: u32,
    pos: u32,
}

const SHARD_BITS: u32 = 8;

/// Keys of one dataset. Sharded, so that growing never copies the whole.
pub struct KeyIndex {
    shards: Vec<HashTable<Entry>>,
}

/// What the index knew of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    pub place: Place,
    pub content: u64,
    /// Whether this sync had seen the key before.
    pub seen: bool,
}

impl KeyIndex {
    pub fn new() -> Self {
        Self {
            shards: (0..1 << SHARD_BITS).map(|_| HashTable::new()).collect(),
        }
    }

    fn split(key: u128) -> (usize, u64, u64) {
        let (low, high) = (key as u64, (key >> 64) as u64);
        ((high >> (64 - SHARD_BITS)) as usize, low, high)
    }

    /// Adds a row of an earlier sync. The keys of a dataset's live rows are distinct.
    pub fn insert(&mut self, key: u128, content: u64, place: Place) {
        let (shard, key_low, key_high) = Self::split(key);
        let entry = Entry {
            key_low,
            key_high,
            content,
            file: place.file,
            pos: place.pos,
        };
        self.shards[shard].insert_unique(key_low, entry, |e| e.key_low);
    }

    /// Marks the key as seen. When it is new, or its content differs, it is from now on known with `content`
    /// at `place`. Returns what was known before.
    pub fn upsert(&mut self, key: u128, content: u64, place: Place) -> Option<Known> {
        let (shard, key_low, key_high) = Self::split(key);
        let table = &mut self.shards[shard];
        let same = |e: &Entry| e.key_low == key_low && e.key_high == key_high;
        match table.find_mut(key_low, same) {
            None => {
                let entry = Entry {
                    key_low,
                    key_high,
                    content,
                    file: place.file | SEEN,
                    pos: place.pos,
                };
                table.insert_unique(key_low, entry, |e| e.key_low);
                None
            }
            Some(entry) => {
                let known = Known {
                    place: Place {
                        file: entry.file & !SEEN,
                        pos: entry.pos,
                    },
                    content: entry.content,
                    seen: entry.file & SEEN != 0,
                };
                if entry.content != content {
                    (entry.content, entry.file, entry.pos) = (content, place.file, place.pos);
                }
                entry.file |= SEEN;
                Some(known)
            }
        }
    }

    pub fn contains(&self, key: u128) -> bool {
        let (shard, key_low, key_high) = Self::split(key);
        let same = |e: &Entry| e.key_low == key_low && e.key_high == key_high;
        self.shards[shard].find(key_low, same).is_some()
    }

    /// Points a known key elsewhere.
    pub fn put_back(&mut self, key: u128, content: u64, place: Place) {
        let (shard, key_low, key_high) = Self::split(key);
        let same = |e: &Entry| e.key_low == key_low && e.key_high == key_high;
        if let Some(entry) = self.shards[shard].find_mut(key_low, same) {
            (entry.content, entry.file, entry.pos) = (content, place.file | SEEN, place.pos);
        }
    }

    #[cfg(test)]
    pub fn bytes(&self) -> usize {
        self.shards.iter().map(HashTable::allocation_size).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_new_then_unchanged_then_changed() {
        let mut index = KeyIndex::new();
        let at = |file, pos| Place { file, pos };
        let key = 7u128 << 64 | 9;
        index.insert(key, 1, at(0, 5));
        assert_eq!(
            index.upsert(key, 1, at(3, 0)),
            Some(Known {
                place: at(0, 5),
                content: 1,
                seen: false
            })
        );
        assert_eq!(
            index.upsert(key, 2, at(3, 0)),
            Some(Known {
                place: at(0, 5),
                content: 1,
                seen: true
            })
        );
        assert_eq!(
            index.upsert(key, 2, at(4, 0)),
            Some(Known {
                place: at(3, 0),
                content: 2,
                seen: true
            })
        );
        index.put_back(key, 1, at(0, 5));
        assert_eq!(
            index.upsert(key, 1, at(9, 9)),
            Some(Known {
                place: at(0, 5),
                content: 1,
                seen: true
            })
        );
        // The same low half is another key.
        assert_eq!(index.upsert(9, 1, at(1, 1)), None);
    }

    #[test]
    fn a_million_keys_take_at_most_sixty_four_bytes_each() {
        let mut index = KeyIndex::new();
        for n in 0..1_000_000u64 {
            let key = xxhash_rust::xxh3::xxh3_128(&n.to_le_bytes());
            assert_eq!(
                index.upsert(
                    key,
                    n,
                    Place {
                        file: 0,
                        pos: n as u32
                    }
                ),
                None
            );
        }
        assert!(index.bytes() <= 64_000_000 * 11 / 10, "{}", index.bytes());
    }
}

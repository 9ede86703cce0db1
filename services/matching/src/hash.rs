//! One hash for all keys: stable between runs, machines and versions of the compiler.

/// The 64-bit key of a text; zero only for the empty text, which means "no key".
pub(crate) fn key(text: &str) -> u64 {
    if text.is_empty() {
        return 0;
    }
    xxhash_rust::xxh3::xxh3_64(text.as_bytes()).max(1)
}

/// A key of several keys, in order.
pub(crate) fn join(parts: &[u64]) -> u64 {
    const PARTS_MAX: usize = 8;
    let mut bytes = [0u8; PARTS_MAX * 8];
    if parts.len() > PARTS_MAX {
        let bytes: Vec<u8> = parts.iter().flat_map(|part| part.to_le_bytes()).collect();
        return xxhash_rust::xxh3::xxh3_64(&bytes).max(1);
    }
    for (place, part) in bytes.chunks_exact_mut(8).zip(parts) {
        place.copy_from_slice(&part.to_le_bytes());
    }
    xxhash_rust::xxh3::xxh3_64(&bytes[..parts.len() * 8]).max(1)
}

/// The key of characters, without building their text on the heap when they are few.
pub(crate) fn chars(text: impl IntoIterator<Item = char>) -> u64 {
    let mut bytes = [0u8; 256];
    let mut length = 0;
    let mut overflow: Option<String> = None;
    for c in text {
        match &mut overflow {
            Some(text) => text.push(c),
            None if length + 4 > bytes.len() => {
                let mut text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                text.push(c);
                overflow = Some(text);
            }
            None => length += c.encode_utf8(&mut bytes[length..]).len(),
        }
    }
    match overflow {
        Some(text) => key(&text),
        None if length == 0 => 0,
        None => xxhash_rust::xxh3::xxh3_64(&bytes[..length]).max(1),
    }
}

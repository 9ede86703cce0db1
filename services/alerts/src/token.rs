//! Page and resume tokens: opaque, URL-safe, authenticated, and of no authority.
//!
//! A token is base64url of (kind and version byte, body, HMAC-SHA256 of both); the key is kept in the store.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::filter::Filter;
use crate::store::records::ListPlace;

const PAGE_V1: u8 = 0x11;
const RESUME_V1: u8 = 0x21;
const MAC_BYTES: usize = 32;
const HASH_BYTES: usize = 32;
/// Longest token read, in characters.
const TOKEN_CHARACTERS_MAX: usize = 2048;

/// Where a watcher has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    pub epoch: String,
    /// Everything up to it was delivered.
    pub revision: i64,
}

/// A token's filter, as its hash.
pub fn filter_hash(filter: &Filter) -> [u8; HASH_BYTES] {
    Sha256::digest(filter.text().as_bytes()).into()
}

fn mac(key: &[u8], signed: &[u8]) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(signed);
    mac
}

fn seal(key: &[u8], kind: u8, filter: &Filter, body: &[u8]) -> String {
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&filter_hash(filter));
    bytes.extend_from_slice(body);
    let tag = mac(key, &bytes).finalize().into_bytes();
    bytes.extend_from_slice(&tag);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The filter hash and the body, when the token is one of ours and of this kind.
fn unseal(key: &[u8], kind: u8, token: &str) -> Option<([u8; HASH_BYTES], Vec<u8>)> {
    if token.len() > TOKEN_CHARACTERS_MAX {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
    let (signed, tag) = bytes.split_at_checked(bytes.len().checked_sub(MAC_BYTES)?)?;
    mac(key, signed).verify_slice(tag).ok()?;
    let (first, rest) = signed.split_first()?;
    if *first != kind {
        return None;
    }
    let (hash, body) = rest.split_at_checked(HASH_BYTES)?;
    Some((hash.try_into().ok()?, body.to_vec()))
}

/// Token of the page after `place`.
pub fn page(key: &[u8], filter: &Filter, place: &ListPlace) -> String {
    let body = format!("{}\n{}\n{}", place.severity, place.rule_id, place.alert_id);
    seal(key, PAGE_V1, filter, body.as_bytes())
}

/// The place a page token stands for.
pub fn read_page(key: &[u8], filter: &Filter, token: &str) -> Result<ListPlace> {
    let (hash, body) = unseal(key, PAGE_V1, token).ok_or(Error::PageToken)?;
    if hash != filter_hash(filter) {
        return Err(Error::PageTokenMismatch);
    }
    let body = String::from_utf8(body).map_err(|_| Error::PageToken)?;
    let mut parts = body.splitn(3, '\n');
    let mut part = || parts.next().ok_or(Error::PageToken);
    Ok(ListPlace {
        severity: part()?.parse().map_err(|_| Error::PageToken)?,
        rule_id: part()?.to_owned(),
        alert_id: part()?.to_owned(),
    })
}

/// Token to resume a watch after `revision`.
pub fn resume(key: &[u8], filter: &Filter, epoch: &str, revision: i64) -> String {
    let mut body = revision.to_be_bytes().to_vec();
    body.extend_from_slice(epoch.as_bytes());
    seal(key, RESUME_V1, filter, &body)
}

/// Where a resume token stands.
pub fn read_resume(key: &[u8], filter: &Filter, token: &str) -> Result<Position> {
    let (hash, body) = unseal(key, RESUME_V1, token).ok_or(Error::ResumeToken)?;
    if hash != filter_hash(filter) {
        return Err(Error::ResumeFilterMismatch);
    }
    let (revision, epoch) = body.split_first_chunk::<8>().ok_or(Error::ResumeToken)?;
    Ok(Position {
        epoch: std::str::from_utf8(epoch)
            .map_err(|_| Error::ResumeToken)?
            .to_owned(),
        revision: i64::from_be_bytes(*revision),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a key of the store";

    fn filter(text: &str) -> Filter {
        Filter::parse(text).expect("a filter")
    }

    #[test]
    fn tokens_come_back_as_they_were() {
        let place = ListPlace {
            severity: 2,
            rule_id: "TEN-04".into(),
            alert_id: "A-1-1".into(),
        };
        let some = filter("state = OPEN");
        assert_eq!(read_page(KEY, &some, &page(KEY, &some, &place)).unwrap(), place);
        let token = resume(KEY, &some, "epoch", 7);
        assert!(
            token
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
            "{token}"
        );
        assert_eq!(
            read_resume(KEY, &some, &token).unwrap(),
            Position {
                epoch: "epoch".into(),
                revision: 7
            }
        );
    }

    #[test]
    fn a_token_of_another_filter_is_told_from_a_forged_one() {
        let token = resume(KEY, &filter("state = OPEN"), "epoch", 7);
        assert!(matches!(
            read_resume(KEY, &filter(""), &token),
            Err(Error::ResumeFilterMismatch)
        ));
        assert!(matches!(
            read_resume(b"other", &filter("state = OPEN"), &token),
            Err(Error::ResumeToken)
        ));
        assert!(matches!(
            read_page(KEY, &filter("state = OPEN"), &token),
            Err(Error::PageToken)
        ));
    }

    #[test]
    fn any_flipped_bit_or_cut_makes_a_token_invalid() {
        let any = filter("");
        let token = resume(KEY, &any, "epoch", 7);
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut forged = bytes.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            let forged = URL_SAFE_NO_PAD.encode(forged);
            assert!(
                matches!(read_resume(KEY, &any, &forged), Err(Error::ResumeToken)),
                "bit {bit}"
            );
        }
        for end in 0..token.len() {
            assert!(matches!(
                read_resume(KEY, &any, &token[..end]),
                Err(Error::ResumeToken)
            ));
        }
    }
}

//! Identifiers of organisations and persons: which of them are unified social credit codes or ID numbers.

/// Length of a unified social credit code (GB 32100) and of an ID number (GB 11643).
const CODE_CHARACTERS: usize = 18;

/// The unified social credit code among identifiers given as (scheme, id), else in the organisation's own id
/// when that is written `scheme-id`, as OCDS and BODS recommend. `schemes` are in upper case.
///
/// An identifier of a scheme that once held other numbers counts when it has the length of the code.
pub fn uscc<'a>(
    identifiers: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>,
    own_id: Option<&'a str>,
    schemes: &[String],
) -> Option<&'a str> {
    let is_uscc = |scheme: &str| schemes.iter().any(|s| s.eq_ignore_ascii_case(scheme));
    for (scheme, id) in identifiers {
        if let (Some(scheme), Some(id)) = (scheme, id)
            && is_uscc(scheme)
            && has_code_shape(strip(id, scheme))
        {
            return Some(strip(id, scheme));
        }
    }
    let own_id = own_id?;
    schemes.iter().find_map(|scheme| {
        let rest = strip(own_id, scheme);
        (rest.len() < own_id.len() && has_code_shape(rest)).then_some(rest)
    })
}

/// The ID number among a person's identifiers: of a Chinese scheme for identity cards.
pub fn id_number<'a>(
    identifiers: impl Iterator<Item = (Option<&'a str>, Option<&'a str>)>,
) -> Option<&'a str> {
    identifiers
        .filter_map(|(scheme, id)| Some((scheme?.to_ascii_uppercase(), id?)))
        .find(|(scheme, id)| {
            matches!(
                scheme.as_str(),
                "CHN-IDCARD" | "CN-IDCARD" | "CHN-ID" | "CN-ID" | "CN-RIC"
            ) && has_code_shape(id)
        })
        .map(|(_, id)| id)
}

/// `id` without the scheme some writers put before it.
fn strip<'a>(id: &'a str, scheme: &str) -> &'a str {
    let Some((head, tail)) = id.split_at_checked(scheme.len()) else {
        return id;
    };
    if head.eq_ignore_ascii_case(scheme) {
        tail.trim_start_matches(['-', ':', '/'])
    } else {
        id
    }
}

fn has_code_shape(text: &str) -> bool {
    text.len() == CODE_CHARACTERS && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_by_scheme_and_by_own_id() {
        let schemes = ["CN-USCC".to_owned(), "CN-SAIC".to_owned()];
        let code = "91330100MA2A1B2C3T";
        let find = |ids: &[(&'static str, &'static str)], own| {
            uscc(ids.iter().map(|(s, i)| (Some(*s), Some(*i))), own, &schemes)
        };
        assert_eq!(
            find(&[("XI-LEI", "5493001KJTIIGC8Y1R12"), ("cn-uscc", code)], None),
            Some(code)
        );
        assert_eq!(find(&[("CN-SAIC", "330100000012345")], None), None);
        assert_eq!(find(&[], Some("CN-USCC-91330100MA2A1B2C3T")), Some(code));
        assert_eq!(
            find(&[], Some(code)),
            None,
            "an id says nothing without its scheme"
        );
        assert_eq!(
            find(&[("CN-USCC", "CN-USCC-91330100MA2A1B2C3T")], None),
            Some(code)
        );
    }

    #[test]
    fn id_numbers_by_scheme() {
        let ids = [
            (Some("GBR-PASSPORT"), Some("1")),
            (Some("CHN-IDCARD"), Some("11010519491231002X")),
        ];
        assert_eq!(id_number(ids.into_iter()), Some("11010519491231002X"));
        assert_eq!(id_number(ids[..1].iter().copied()), None);
    }
}

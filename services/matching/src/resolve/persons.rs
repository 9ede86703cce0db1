//! Persons: ID number, then staff id, then the source's own id; never a name.

use hashbrown::HashMap;

use super::{Identity, One, content, example, is_register, own_id, place};
use crate::identifier::{IdNumber, IdNumberError, looks_like_id_number};
use crate::notices::{Notices, Trouble};
use crate::party::{Mention, PartyKind};

/// Gives each mention of a person its identity. Returns the staff ids of persons told by an ID number.
pub fn identify<'a>(
    mentions: &'a [Mention],
    notices: &mut Notices,
    identified: &mut [Option<Identity<'a>>],
) -> HashMap<Identity<'a>, &'a str> {
    let persons = || {
        mentions
            .iter()
            .enumerate()
            .filter(|(_, m)| m.kind == PartyKind::Person)
    };

    let mut numbers: HashMap<usize, IdNumber> = HashMap::new();
    let mut staff: HashMap<&'a str, One<Identity<'a>>> = HashMap::new();
    for (at, m) in persons() {
        let number = id_number(m, notices);
        if let Some(number) = number {
            numbers.insert(at, number);
        }
        if let Some(id) = own_id(m.id.as_ref()).filter(|_| is_register(m)) {
            One::add(
                &mut staff,
                id,
                number.map_or(Identity::Staff(id), Identity::IdNumber),
            );
        }
    }

    for (at, m) in persons() {
        let id = own_id(m.id.as_ref());
        let member = id.and_then(|id| staff.get(id)).copied();
        if member == Some(One::Many) {
            notices.tell(Trouble::AmbiguousId, place(m), example(m));
        }
        let member = member.and_then(One::only);
        identified[at] = if let Some(number) = numbers.get(&at) {
            let number = Identity::IdNumber(*number);
            if matches!(member, Some(Identity::IdNumber(_))) && member != Some(number) {
                notices.tell(Trouble::IdContradictsCode, place(m), example(m));
            }
            Some(number)
        } else if let Some(member) = member {
            Some(member)
        } else if let Some(id) =
            id.filter(|id| !is_register(m) && !staff.contains_key(id) && !looks_like_id_number(id))
        {
            Some(Identity::PersonId(id))
        } else if id.is_some() || content(m.name.as_ref()).is_some() || content(m.code.as_ref()).is_some() {
            Some(Identity::PersonRef(m.reference))
        } else {
            None
        };
    }

    let mut keys: HashMap<Identity<'a>, &'a str> = HashMap::new();
    for (id, one) in staff {
        if let One::Only(identity @ Identity::IdNumber(_)) = one {
            keys.entry(identity)
                .and_modify(|least| *least = id.min(*least))
                .or_insert(id);
        }
    }
    keys
}

/// The checked ID number of a mention, from its code or from an id that is one.
fn id_number(m: &Mention, notices: &mut Notices) -> Option<IdNumber> {
    let code = content(m.code.as_ref()).filter(|c| c.chars().any(|c| c.is_ascii_digit() || c >= '\u{ff10}'));
    let from_id = own_id(m.id.as_ref())
        .filter(|id| looks_like_id_number(id))
        .map(IdNumber::parse);
    let from_code = code.map(IdNumber::parse);
    for wrong in [from_code, from_id].into_iter().flatten().filter_map(Result::err) {
        let trouble = if wrong == IdNumberError::OldForm {
            Trouble::OldIdNumber
        } else {
            Trouble::BadIdNumber
        };
        notices.tell(trouble, place(m), example(m));
    }
    let number = from_code.and_then(Result::ok);
    let other = from_id.and_then(Result::ok);
    if let (Some(number), Some(other)) = (number, other)
        && number != other
    {
        notices.tell(Trouble::IdContradictsCode, place(m), example(m));
    }
    number.or(other)
}

//! Organisations: code, then name where it is as good as a code, then registered id, then name, then id.

use hashbrown::HashMap;

use super::former::FormerNames;
use super::{Identity, Names, One, content, example, is_register, own_id, place, speaks_of_hospital};
use crate::identifier::Uscc;
use crate::notices::{Notices, Trouble};
use crate::party::{Mention, PartyKind};

/// A mention of an organisation, read.
struct Read<'a> {
    at: usize,
    mention: &'a Mention,
    uscc: Option<Uscc>,
    name: Option<u32>,
    /// The source's own id.
    id: Option<&'a str>,
}

/// Suppliers and hospitals count their ids apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Register {
    Suppliers,
    Hospitals,
}

type Ids<'a> = HashMap<(Register, &'a str), One<Identity<'a>>>;

/// Tells who each mention of an organisation is by itself. Returns what the names tell of former ones.
pub fn identify<'a>(
    mentions: &'a [Mention],
    names: &mut Names<'a>,
    notices: &mut Notices,
    identified: &mut [Option<Identity<'a>>],
) -> FormerNames<'a> {
    let read: Vec<Read<'a>> = mentions
        .iter()
        .enumerate()
        .filter(|(_, m)| m.kind != PartyKind::Person)
        .map(|(at, m)| read(at, m, names, notices))
        .collect();

    let mut uscc_by_name: HashMap<u32, One<Uscc>> = HashMap::new();
    for r in &read {
        if let (Some(uscc), Some(name)) = (r.uscc, r.name) {
            One::add(&mut uscc_by_name, name, uscc);
        }
    }
    let former = FormerNames::of(names, &uscc_by_name);
    let by_name = |name: u32| {
        uscc_by_name
            .get(&name)
            .filter(|_| !former.is_taken(name))
            .and_then(|one| one.only())
            .map(Identity::Uscc)
    };

    // What the registers say of their ids.
    let mut registered: Ids<'a> = HashMap::new();
    for r in read.iter().filter(|r| is_register(r.mention)) {
        let Some(id) = r.id else { continue };
        let identity = r
            .uscc
            .map(Identity::Uscc)
            .or_else(|| r.name.map(|n| by_name(n).unwrap_or(Identity::Name(n))));
        if let Some(identity) = identity {
            One::add(&mut registered, (register_of(r.mention), id), identity);
        }
    }

    let mut by_id_alone: Vec<&Read<'a>> = Vec::new();
    let mut learned: Ids<'a> = HashMap::new();
    for r in &read {
        let by_id = r.id.and_then(|id| lookup(&registered, r.mention, id));
        let named = r.name.and_then(by_name);
        let identity = if let Some(uscc) = r.uscc {
            if let Some(One::Only(other @ Identity::Uscc(_))) = by_id
                && other != Identity::Uscc(uscc)
            {
                notices.tell(Trouble::IdContradictsCode, place(r.mention), example(r.mention));
            }
            Some(Identity::Uscc(uscc))
        } else if let Some(named) = named {
            if let Some(One::Only(other @ Identity::Uscc(_))) = by_id
                && other != named
            {
                notices.tell(Trouble::IdContradictsName, place(r.mention), example(r.mention));
            }
            Some(named)
        } else {
            if by_id == Some(One::Many) {
                notices.tell(Trouble::AmbiguousId, place(r.mention), example(r.mention));
            }
            let by_id = by_id.and_then(One::only);
            if let Some(name) = r.name
                && by_id.is_none()
                && uscc_by_name.contains_key(&name)
            {
                let trouble = match former.is_taken(name) {
                    true => Trouble::FormerNameTaken,
                    false => Trouble::AmbiguousName,
                };
                notices.tell(trouble, place(r.mention), &names.keys[name as usize]);
            }
            by_id.or(r.name.map(Identity::Name))
        };
        match (identity, r.id) {
            (Some(identity), Some(id)) => One::add(&mut learned, (register_of(r.mention), id), identity),
            (Some(_), None) => {}
            (None, Some(_)) => by_id_alone.push(r),
            (None, None) => {}
        }
        identified[r.at] = identity;
    }

    // An id that no register knows: whoever the other mentions with that id are, if they agree.
    for r in by_id_alone {
        let id = r.id.expect("only mentions with an id are kept for last");
        let same = learned
            .get(&(register_of(r.mention), id))
            .and_then(|one| one.only());
        identified[r.at] = Some(same.unwrap_or(Identity::Id(id)));
    }
    former
}

fn register_of(m: &Mention) -> Register {
    if speaks_of_hospital(m) {
        Register::Hospitals
    } else {
        Register::Suppliers
    }
}

/// An id in its own register, else (relations name both) in the other.
fn lookup<'a>(registered: &Ids<'a>, m: &Mention, id: &'a str) -> Option<One<Identity<'a>>> {
    let own = register_of(m);
    let other = if own == Register::Suppliers {
        Register::Hospitals
    } else {
        Register::Suppliers
    };
    registered
        .get(&(own, id))
        .or_else(|| registered.get(&(other, id)))
        .copied()
}

fn read<'a>(at: usize, m: &'a Mention, names: &mut Names<'a>, notices: &mut Notices) -> Read<'a> {
    let code =
        content(m.code.as_ref()).filter(|c| c.chars().any(|c| c.is_ascii_alphanumeric() || c >= '\u{ff10}'));
    let parsed = code.map(Uscc::parse);
    let mut bad = matches!(parsed, Some(Err(_)));
    let mut uscc = parsed.and_then(Result::ok);
    let mut id = own_id(m.id.as_ref());
    if let Some(text) = id {
        match Uscc::parse(text) {
            Ok(from_id) => {
                id = None;
                if uscc.is_some_and(|own| own != from_id) {
                    notices.tell(Trouble::IdContradictsCode, place(m), example(m));
                }
                uscc = uscc.or(Some(from_id));
            }
            // It was meant as a code: as an id it would be joined on all the same.
            Err(_) if !is_register(m) && looks_like_code(text) => {
                id = None;
                bad = true;
            }
            Err(_) => {}
        }
    }
    if bad {
        notices.tell(Trouble::BadUscc, place(m), example(m));
    }
    let name = content(m.name.as_ref()).and_then(|name| names.key(name));
    Read {
        at,
        mention: m,
        uscc,
        name,
        id,
    }
}

fn looks_like_code(text: &str) -> bool {
    text.chars().filter(char::is_ascii_alphanumeric).count() == 18 && text.chars().any(|c| c.is_ascii_digit())
}

//! Collects what resolution has to tell: one notice a kind and place, with a count and a few examples.

use std::collections::{BTreeMap, BTreeSet};

use domain::Bilingual;
use domain::ports::Notice;

/// What can be wrong with mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    BadUscc,
    BadIdNumber,
    OldIdNumber,
    AmbiguousName,
    AmbiguousId,
    IdContradictsCode,
    IdContradictsName,
    AmbiguousParent,
    NameJoined,
    NameResembles,
    FormerNameTaken,
}

impl Trouble {
    fn code(self) -> &'static str {
        match self {
            Self::BadUscc => "BAD_USCC",
            Self::BadIdNumber => "BAD_ID_NUMBER",
            Self::OldIdNumber => "OLD_ID_NUMBER",
            Self::AmbiguousName => "AMBIGUOUS_NAME",
            Self::AmbiguousId => "AMBIGUOUS_ID",
            Self::IdContradictsCode => "ID_CONTRADICTS_CODE",
            Self::IdContradictsName => "ID_CONTRADICTS_NAME",
            Self::AmbiguousParent => "AMBIGUOUS_PARENT",
            Self::NameJoined => "NAME_JOINED",
            Self::NameResembles => "NAME_RESEMBLES",
            Self::FormerNameTaken => "FORMER_NAME_TAKEN",
        }
    }

    fn message(self) -> (&'static str, &'static str) {
        match self {
            Self::BadUscc => (
                "统一社会信用代码校验不通过，按原样保留，不用于关联",
                "unified social credit codes whose check character does not hold are kept as written and not joined on",
            ),
            Self::BadIdNumber => (
                "身份证号校验不通过，按原样保留，不用于关联",
                "identity numbers that do not check are kept as written and not joined on",
            ),
            Self::OldIdNumber => (
                "15 位旧身份证号没有校验位，不用于关联",
                "identity numbers of the old 15-digit form have no check character and are not joined on",
            ),
            Self::AmbiguousName => (
                "同一名称对应多个有效的统一社会信用代码，只有名称的记录单独成为一个主体",
                "one name stands for several valid codes; mentions with the name alone are a party of their own",
            ),
            Self::AmbiguousId => (
                "同一编号在登记表中对应多个主体，未按编号关联",
                "one id stands for several parties in the register and was not joined on",
            ),
            Self::IdContradictsCode => (
                "记录自带的代码与其编号在登记表中的代码不一致，以自带代码为准",
                "a mention's own code differs from the one registered for its id; its own code was taken",
            ),
            Self::IdContradictsName => (
                "名称与编号指向不同的主体，以名称为准",
                "a mention's name and id lead to different parties; the name was taken",
            ),
            Self::NameJoined => (
                "只写了名称，写法与登记名称不同，按名称归入唯一相符的主体",
                "names without a code, written otherwise than registered, were taken for the only organisation they fit",
            ),
            Self::NameResembles => (
                "只写了名称，与已登记主体相近但不能确定，单独成为一个主体，请人工核对",
                "names without a code that resemble a registered organisation and cannot be told for sure are parties of their own; check them",
            ),
            Self::FormerNameTaken => (
                "名称是一个主体的曾用名，又是另一个主体的现名，只写该名称的记录单独成为一个主体，请按业务日期人工核对",
                "one organisation went by the name and another goes by it now; mentions with the name alone are a party of their own: check them by the day of the business",
            ),
            Self::AmbiguousParent => (
                "分支机构的上级名称对应多个主体，未建立关联",
                "the parent that a branch names could be several parties; no link was made",
            ),
        }
    }
}

/// How many examples a notice quotes.
const EXAMPLES_MAX: usize = 3;

#[derive(Debug, Default)]
struct Entry {
    count: u64,
    /// The first few in order of text, so that the order of mentions does not show.
    examples: BTreeSet<String>,
}

/// Notices by kind and place.
#[derive(Debug, Default)]
pub struct Notices(BTreeMap<(Trouble, String), Entry>);

impl Notices {
    /// Adds one occurrence. `example` says where it is (a row's key) or, for names of organisations, which.
    pub fn tell(&mut self, trouble: Trouble, place: String, example: &str) {
        let entry = self.0.entry((trouble, place)).or_default();
        entry.count += 1;
        let last = entry.examples.last().map(String::as_str);
        if !example.is_empty() && (entry.examples.len() < EXAMPLES_MAX || last.is_some_and(|l| example < l)) {
            entry.examples.insert(example.to_owned());
            if entry.examples.len() > EXAMPLES_MAX {
                entry.examples.pop_last();
            }
        }
    }

    pub fn finish(self) -> Vec<Notice> {
        self.0
            .into_iter()
            .map(|((trouble, place), entry)| {
                let (zh, en) = trouble.message();
                let examples: Vec<String> = entry.examples.into_iter().collect();
                let message = if examples.is_empty() {
                    Bilingual::new(zh, en)
                } else {
                    Bilingual::new(
                        format!("{zh}（例如 {}）", examples.join("、")),
                        format!("{en} (e.g. {})", examples.join(", ")),
                    )
                };
                Notice {
                    code: trouble.code().to_owned(),
                    place,
                    message,
                    count: entry.count,
                }
            })
            .collect()
    }
}

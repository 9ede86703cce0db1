//! What two records of persons need beside their names to be joined: a name never tells who a person is.

use hashbrown::HashMap;

use super::level::{Level, Pattern};
use super::model::Model;
use super::records::RecordNo;
use super::schema::{FieldKind, Schema};

/// Why a pair over the threshold joins nothing by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Persons: no number and no second field agrees.
    Person,
    /// The short name of one may be that of several firms.
    ShortName,
}

impl Hold {
    /// For people, in Chinese and English.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Person => (
                "未合并：除姓名外须有证件号或另一项一致",
                "not joined: beside the name an ID number or a second field must agree",
            ),
            Self::ShortName => (
                "未合并：简称可指多家企业",
                "not joined: the short name may be that of several firms",
            ),
        }
    }
}

/// Pairs over the threshold that join nothing by themselves.
#[derive(Debug, Clone, Default)]
pub struct Held(HashMap<(RecordNo, RecordNo), Hold>);

impl Held {
    /// Why the pair of records is held back; `None` when it is not.
    pub fn why(&self, a: RecordNo, b: RecordNo) -> Option<Hold> {
        self.0.get(&(a.min(b), a.max(b))).copied()
    }

    /// Notes a pair; the first reason stays.
    pub(crate) fn add(&mut self, a: RecordNo, b: RecordNo, why: Hold) {
        self.0.entry((a.min(b), a.max(b))).or_insert(why);
    }
}

/// What a comparison can say of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The person's own name.
    Name,
    /// 居民身份证号.
    Number,
    /// A person's own: a phone, a day of birth, an e-mail address, an account, a staff number.
    Own,
    /// What a person shares with those around: an address, an employer.
    Shared,
    /// Too common to say who: sex, city, postcode.
    Silent,
}

/// The rule for the comparisons of a model.
#[derive(Debug, Clone)]
pub(crate) struct Persons {
    /// By place in the model; empty when the records are not of persons by whole names.
    roles: Vec<Role>,
}

impl Persons {
    /// Records are of persons when a whole name is their own: the field `person_name`, or `name` that holds persons. Records
    /// with given name and surname in fields of their own are left to their score.
    pub fn new(model: &Model, schema: &Schema) -> Self {
        let own_name = |name: &str, kind: FieldKind| {
            kind == FieldKind::PersonName
                && (matches!(name, "person_name" | "name")
                    || name != "legal_representative" && schema.of_kind(FieldKind::OrgName).is_none())
        };
        let roles: Vec<Role> = model
            .comparisons
            .iter()
            .map(|c| match c.kind {
                kind if own_name(&c.output_column_name, kind) => Role::Name,
                FieldKind::IdNumber => Role::Number,
                FieldKind::Phone
                | FieldKind::Date
                | FieldKind::Email
                | FieldKind::Account
                | FieldKind::Code => Role::Own,
                FieldKind::OrgName
                | FieldKind::Uscc
                | FieldKind::Address
                | FieldKind::AddressLine
                | FieldKind::Text => Role::Shared,
                _ => Role::Silent,
            })
            .collect();
        let persons = roles.contains(&Role::Name);
        Self {
            roles: if persons { roles } else { Vec::new() },
        }
    }

    /// Whether what agrees is enough for two records to be joined: an ID number; the name and a second field; without the
    /// name two that are the person's own.
    pub fn may_join(&self, pattern: Pattern) -> bool {
        if self.roles.is_empty() {
            return true;
        }
        let (mut name, mut own, mut shared) = (false, 0, 0);
        for (place, role) in self.roles.iter().enumerate() {
            let level = pattern.get(place);
            let agrees = matches!(
                level,
                Level::Exact | Level::Variant | Level::Close | Level::Partial
            );
            match role {
                Role::Number if agrees => return true,
                Role::Name => name |= agrees || level == Level::Similar,
                Role::Own if agrees => own += 1,
                Role::Shared if agrees => shared += 1,
                _ => {}
            }
        }
        own >= 2 || name && own + shared >= 1
    }
}

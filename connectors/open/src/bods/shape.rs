//! What is read of a BODS statement.

use crate::json::{Many, One, Raw, Scalar, Scalars, object};

object! {
    /// A statement; of 0.2 and 0.3 the details stand beside these members.
    Statement {
        id: Scalar<'a> = "statementId",
        old_id: Scalar<'a> = "statementID",
        date: Scalar<'a> = "statementDate",
        record_id: Scalar<'a> = "recordId",
        status: Scalar<'a> = "recordStatus",
        kind: Scalar<'a> = "recordType",
        old_kind: Scalar<'a> = "statementType",
        replaces: Scalars<'a> = "replacesStatements",
        details: Raw<'a> = "recordDetails",
    } ignoring []
}

object! {
    /// What a statement says of an entity, a person or a relationship.
    Details {
        name: Scalar<'a> = "name",
        names: Many<PersonName<'a>> = "names",
        identifiers: Many<Identifier<'a>> = "identifiers",
        founded: Scalar<'a> = "foundingDate",
        subject: Raw<'a> = "subject",
        interested_party: Raw<'a> = "interestedParty",
        interests: Many<Interest<'a>> = "interests",
    } ignoring []
}

object! {
    /// A name of a person.
    PersonName {
        full: Scalar<'a> = "fullName",
        family: Scalar<'a> = "familyName",
        given: Scalar<'a> = "givenName",
    } ignoring []
}

object! {
    /// An identifier.
    Identifier { scheme: Scalar<'a> = "scheme", id: Scalar<'a> = "id", } ignoring []
}

object! {
    /// One interest of a relationship.
    Interest {
        kind: Scalar<'a> = "type",
        directness: Scalar<'a> = "directOrIndirect",
        old_directness: Scalar<'a> = "interestLevel",
        share: One<Share<'a>> = "share",
        start: Scalar<'a> = "startDate",
        end: Scalar<'a> = "endDate",
    } ignoring []
}

object! {
    /// A share in percent.
    Share {
        exact: Scalar<'a> = "exact",
        minimum: Scalar<'a> = "minimum",
        maximum: Scalar<'a> = "maximum",
        exclusive_minimum: Scalar<'a> = "exclusiveMinimum",
        exclusive_maximum: Scalar<'a> = "exclusiveMaximum",
    } ignoring []
}

object! {
    /// A party in 0.2 and 0.3, or why there is none.
    Described {
        entity: Scalar<'a> = "describedByEntityStatement",
        person: Scalar<'a> = "describedByPersonStatement",
    } ignoring []
}

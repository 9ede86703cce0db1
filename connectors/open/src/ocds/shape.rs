//! OCDS objects: the members that are read, and those of versions 1.0 and 1.1 and of usual extensions that
//! are known and not read. <https://standard.open-contracting.org/1.1/en/schema/reference/>

use crate::json::{Many, One, Raw, Scalar, Scalars, object};

object! {
    /// A release; also a record or a package, which have members of their own.
    Release {
        ocid: Scalar<'a> = "ocid",
        id: Scalar<'a> = "id",
        date: Scalar<'a> = "date",
        tag: Scalars<'a> = "tag",
        buyer: One<Organization<'a>> = "buyer",
        parties: Many<Organization<'a>> = "parties",
        planning: One<Planning<'a>> = "planning",
        tender: One<Tender<'a>> = "tender",
        bids: One<Bids<'a>> = "bids",
        awards: Many<Award<'a>> = "awards",
        contracts: Many<Contract<'a>> = "contracts",
        releases: Raw<'a> = "releases",
        records: Raw<'a> = "records",
        compiled_release: Raw<'a> = "compiledRelease",
        versioned_release: Raw<'a> = "versionedRelease",
        url: Scalar<'a> = "url",
    } ignoring [
        "language", "initiationType", "relatedProcesses", "uri", "version", "extensions", "publisher",
        "publishedDate", "license", "publicationPolicy", "packages", "links", "sources", "complaints",
        "publicPolicyURL", "description", "title", "statistics"
    ]
}

object! {
    /// A party, or a reference to one; in 1.0 references carry the whole organisation.
    Organization {
        id: Scalar<'a> = "id",
        name: Scalar<'a> = "name",
        identifier: One<Identifier<'a>> = "identifier",
        additional_identifiers: Many<Identifier<'a>> = "additionalIdentifiers",
        address: One<Address<'a>> = "address",
        contact_point: One<ContactPoint<'a>> = "contactPoint",
        roles: Scalars<'a> = "roles",
    } ignoring ["details", "memberOf", "shareholders", "beneficialOwners", "uri", "additionalContactPoints"]
}

object! {
    /// An identifier in a scheme of org-id.guide.
    Identifier {
        scheme: Scalar<'a> = "scheme",
        id: Scalar<'a> = "id",
        legal_name: Scalar<'a> = "legalName",
    } ignoring ["uri"]
}

object! {
    /// A postal address.
    Address {
        street: Scalar<'a> = "streetAddress",
        locality: Scalar<'a> = "locality",
        region: Scalar<'a> = "region",
        postal_code: Scalar<'a> = "postalCode",
        country: Scalar<'a> = "countryName",
    } ignoring ["country", "description", "department"]
}

object! {
    /// Who to ask.
    ContactPoint {
        name: Scalar<'a> = "name",
        telephone: Scalar<'a> = "telephone",
        email: Scalar<'a> = "email",
    } ignoring ["faxNumber", "url", "availableLanguage"]
}

object! {
    /// An amount with its currency.
    Value { amount: Scalar<'a> = "amount", currency: Scalar<'a> = "currency", }
    ignoring ["amountNet", "amountGross", "valueAddedTaxIncluded", "exchangeRates"]
}

object! {
    /// Before the tender.
    Planning { budget: One<Budget<'a>> = "budget", }
    ignoring ["rationale", "documents", "milestones", "project", "forecasts"]
}

object! {
    /// The budget; `amount` was a number in no release of 1.x, and is a Value.
    Budget { amount: One<Value<'a>> = "amount", id: Scalar<'a> = "id", }
    ignoring ["description", "project", "projectID", "uri", "source", "breakdown", "budgetBreakdown", "finance"]
}

object! {
    /// A period; both ends may be dates or times.
    Period { start: Scalar<'a> = "startDate", end: Scalar<'a> = "endDate", }
    ignoring ["maxExtentDate", "durationInDays"]
}

object! {
    /// The tender.
    Tender {
        title: Scalar<'a> = "title",
        description: Scalar<'a> = "description",
        status: Scalar<'a> = "status",
        procuring_entity: One<Organization<'a>> = "procuringEntity",
        value: One<Value<'a>> = "value",
        method: Scalar<'a> = "procurementMethod",
        method_details: Scalar<'a> = "procurementMethodDetails",
        method_rationale: Scalar<'a> = "procurementMethodRationale",
        category: Scalar<'a> = "mainProcurementCategory",
        date_published: Scalar<'a> = "datePublished",
        tender_period: One<Period<'a>> = "tenderPeriod",
        bid_opening: One<BidOpening<'a>> = "bidOpening",
        tenderers: Many<Organization<'a>> = "tenderers",
        items: Many<Item<'a>> = "items",
    } ignoring [
        "id", "numberOfTenderers", "minValue", "awardCriteria", "awardCriteriaDetails", "submissionMethod",
        "submissionMethodDetails", "enquiryPeriod", "hasEnquiries", "eligibilityCriteria", "awardPeriod",
        "contractPeriod", "documents", "milestones", "amendments", "amendment", "additionalProcurementCategories",
        "lots", "lotGroups", "lotDetails", "criteria", "selectionCriteria", "enquiries", "techniques",
        "procurementMethodRationaleClassifications", "legalBasis", "coveredBy", "classification",
        "participationFees", "procurementIntention", "reviewDetails", "expressionOfInterestDeadline", "date"
    ]
}

object! {
    /// When and where bids were opened (extension).
    BidOpening { date: Scalar<'a> = "date", } ignoring ["address", "description", "location"]
}

object! {
    /// What is bought; only its classification is read.
    Item { classification: One<Classification<'a>> = "classification", }
    ignoring [
        "id", "description", "quantity", "unit", "additionalClassifications", "relatedLot", "deliveryLocation",
        "deliveryAddress", "deliveryLocations", "deliveryAddresses", "attributes", "statusDetails", "status"
    ]
}

object! {
    /// A code of a scheme.
    Classification { id: Scalar<'a> = "id", } ignoring ["scheme", "description", "uri"]
}

object! {
    /// The bids extension.
    Bids { details: Many<Bid<'a>> = "details", } ignoring ["statistics"]
}

object! {
    /// One bid.
    Bid {
        id: Scalar<'a> = "id",
        date: Scalar<'a> = "date",
        status: Scalar<'a> = "status",
        tenderers: Many<Organization<'a>> = "tenderers",
        value: One<Value<'a>> = "value",
        related_lots: Scalars<'a> = "relatedLots",
    } ignoring [
        "documents", "items", "requirementResponses", "selectionCriteria", "variant", "rank", "hasSubcontracting",
        "subcontracting", "title", "description"
    ]
}

object! {
    /// An award: who won.
    Award {
        id: Scalar<'a> = "id",
        title: Scalar<'a> = "title",
        status: Scalar<'a> = "status",
        date: Scalar<'a> = "date",
        value: One<Value<'a>> = "value",
        suppliers: Many<Organization<'a>> = "suppliers",
        related_bid: Scalar<'a> = "relatedBid",
        related_bids: Scalars<'a> = "relatedBids",
        related_lots: Scalars<'a> = "relatedLots",
    } ignoring [
        "description", "items", "contractPeriod", "documents", "amendments", "amendment", "buyerResponsible",
        "statusDetails", "hasSubcontracting", "subcontracting", "rationale"
    ]
}

object! {
    /// A contract.
    Contract {
        id: Scalar<'a> = "id",
        award_id: Scalar<'a> = "awardID",
        title: Scalar<'a> = "title",
        period: One<Period<'a>> = "period",
        value: One<Value<'a>> = "value",
        date_signed: Scalar<'a> = "dateSigned",
        amendments: Many<Amendment<'a>> = "amendments",
        amendment: One<Amendment<'a>> = "amendment",
        implementation: One<Implementation<'a>> = "implementation",
    } ignoring [
        "description", "status", "items", "documents", "relatedProcesses", "milestones", "extendsContractID",
        "statusDetails", "guarantees", "countryOfOrigin", "retrospective"
    ]
}

object! {
    /// A change; only its being there is read.
    Amendment { id: Scalar<'a> = "id", }
    ignoring ["date", "rationale", "description", "amendsReleaseID", "releaseID", "changes", "unstructuredChanges"]
}

object! {
    /// What became of a contract.
    Implementation { transactions: Many<Transaction<'a>> = "transactions", }
    ignoring ["milestones", "documents", "metrics", "status", "endDate", "finalValue", "finalValueDetails"]
}

object! {
    /// A payment; amount and payee have other names in 1.0.
    Transaction {
        id: Scalar<'a> = "id",
        date: Scalar<'a> = "date",
        value: One<Value<'a>> = "value",
        amount: One<Value<'a>> = "amount",
        payee: One<Organization<'a>> = "payee",
        receiver: One<Organization<'a>> = "receiverOrganization",
    } ignoring ["source", "payer", "uri", "providerOrganization", "relatedImplementationMilestone"]
}

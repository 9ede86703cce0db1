//! Procurement methods: from OCDS's four codes and the source's own words to those of the data model.

use std::collections::HashMap;

use connector::coerce::fold;

/// The built-in table, as `docs/connectors/open-standards.md` shows it: code of procurementMethod -> method.
pub const CODES: [(&str, &str); 4] = [
    ("open", "public"),
    ("selective", "invited"),
    ("limited", "negotiation"),
    ("direct", "direct"),
];

/// English words of procurementMethodDetails that say more than the code. The Chinese ones are the spellings
/// of the data model.
const DETAILS: [(&str, &str); 14] = [
    ("open tender", "public"),
    ("open tendering", "public"),
    ("public bidding", "public"),
    ("restricted tendering", "invited"),
    ("selective tendering", "invited"),
    ("invited bidding", "invited"),
    ("competitive negotiation", "negotiation"),
    ("competitive consultation", "consultation"),
    ("request for quotations", "inquiry"),
    ("shopping", "inquiry"),
    ("single source", "single_source"),
    ("sole source", "single_source"),
    ("framework agreement", "framework"),
    ("direct contracting", "direct"),
];

/// Finds methods.
#[derive(Debug, Clone)]
pub struct Methods {
    own: HashMap<String, String>,
    details: HashMap<String, String>,
}

impl Methods {
    /// `own` is the configuration's table, which goes before the built-in one.
    pub fn new<'a>(own: impl IntoIterator<Item = (&'a String, &'a String)>) -> Self {
        let mut details: HashMap<String, String> = DETAILS
            .iter()
            .map(|(text, method)| (fold(text), (*method).to_owned()))
            .collect();
        let tenders = domain::dataset("tenders");
        let method = tenders.as_ref().and_then(|d| d.column("method"));
        for (code, spellings) in method.iter().flat_map(|c| &c.codes) {
            for text in std::iter::once(code).chain(spellings) {
                details.insert(fold(text), code.clone());
            }
        }
        Self {
            own: own
                .into_iter()
                .map(|(text, code)| (fold(text), code.clone()))
                .collect(),
            details,
        }
    }

    /// The method of a tender with these details and this code: by the configuration's word for the details,
    /// its word for the code, known details, the code. An error holds what is not known.
    pub fn find<'s>(&'s self, code: Option<&str>, details: Option<&str>) -> Result<Option<&'s str>, String> {
        let own = |text: Option<&str>| text.and_then(|t| self.own.get(&fold(t)));
        let known = |text: Option<&str>| text.and_then(|t| self.details.get(&fold(t)));
        if let Some(found) = own(details).or_else(|| own(code)).or_else(|| known(details)) {
            return Ok(Some(found));
        }
        let Some(code) = code else { return Ok(None) };
        let folded = fold(code);
        CODES
            .iter()
            .find(|(text, _)| *text == folded)
            .map(|(_, method)| *method)
            .or_else(|| self.details.get(&folded).map(String::as_str))
            .map(Some)
            .ok_or_else(|| code.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn methods_by_configuration_details_and_code() {
        let own = BTreeMap::from([("licitación abreviada".to_owned(), "inquiry".to_owned())]);
        let methods = Methods::new(&own);
        for (code, details, want) in [
            (Some("open"), None, Ok(Some("public"))),
            (Some("limited"), None, Ok(Some("negotiation"))),
            (Some("limited"), Some("单一来源采购"), Ok(Some("single_source"))),
            (Some("limited"), Some("Licitación Abreviada"), Ok(Some("inquiry"))),
            (Some("Open"), Some("local words"), Ok(Some("public"))),
            (None, Some("local words"), Ok(None)),
            (Some("竞争性磋商"), None, Ok(Some("consultation"))),
            (Some("auction"), None, Err("auction".to_owned())),
            (None, None, Ok(None)),
        ] {
            assert_eq!(methods.find(code, details), want, "{code:?} {details:?}");
        }
    }

    #[test]
    fn every_built_in_method_is_one_of_the_data_model() {
        let tenders = domain::dataset("tenders").unwrap();
        let known = &tenders.column("method").unwrap().codes;
        for (text, method) in CODES.iter().chain(&DETAILS) {
            assert!(known.contains_key(*method), "{text}");
        }
    }
}

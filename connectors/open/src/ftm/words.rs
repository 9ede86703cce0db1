//! Words that FollowTheMoney leaves free: roles in organisations and relationships of families.

use connector::coerce::fold;

/// Role -> relation.
pub const ROLES: [(&str, &str); 26] = [
    ("legal representative", "legal_representative"),
    ("法定代表人", "legal_representative"),
    ("法人", "legal_representative"),
    ("director", "director"),
    ("board member", "director"),
    ("chairman", "director"),
    ("chairman of the board", "director"),
    ("executive director", "director"),
    ("董事", "director"),
    ("董事长", "director"),
    ("执行董事", "director"),
    ("supervisor", "supervisor"),
    ("supervisory board member", "supervisor"),
    ("监事", "supervisor"),
    ("manager", "manager"),
    ("general manager", "manager"),
    ("managing director", "manager"),
    ("ceo", "manager"),
    ("经理", "manager"),
    ("总经理", "manager"),
    ("副总经理", "manager"),
    ("shareholder", "shareholder"),
    ("股东", "shareholder"),
    ("beneficial owner", "beneficial_owner"),
    ("实际控制人", "beneficial_owner"),
    ("受益所有人", "beneficial_owner"),
];

/// Relationship -> relation; what the relative is to the person.
pub const RELATIONSHIPS: [(&str, &str); 27] = [
    ("spouse", "spouse"),
    ("husband", "spouse"),
    ("wife", "spouse"),
    ("配偶", "spouse"),
    ("丈夫", "spouse"),
    ("妻子", "spouse"),
    ("parent", "parent"),
    ("father", "parent"),
    ("mother", "parent"),
    ("父亲", "parent"),
    ("母亲", "parent"),
    ("父母", "parent"),
    ("child", "child"),
    ("son", "child"),
    ("daughter", "child"),
    ("子女", "child"),
    ("儿子", "child"),
    ("女儿", "child"),
    ("sibling", "sibling"),
    ("brother", "sibling"),
    ("sister", "sibling"),
    ("兄弟", "sibling"),
    ("姐妹", "sibling"),
    ("兄弟姐妹", "sibling"),
    ("relative", "other_relative"),
    ("family", "other_relative"),
    ("亲属", "other_relative"),
];

pub fn table<const N: usize>(words: &[(&str, &str); N]) -> impl Iterator<Item = (String, String)> {
    words
        .map(|(text, code)| (fold(text), code.to_owned()))
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_stands_for_a_relation_of_the_data_model() {
        let relations = domain::dataset("relations").unwrap();
        let known = &relations.column("relation").unwrap().codes;
        for (text, relation) in ROLES.iter().chain(&RELATIONSHIPS) {
            assert!(known.contains_key(*relation), "{text}");
        }
    }
}

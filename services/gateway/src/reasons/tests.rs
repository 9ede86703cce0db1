//! Holds the sentences against the reasons that the sources give errors. The sources are read as Rust tokens, module
//! by module as they are compiled, without what only tests see.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

use super::SENTENCES;

/// Longest sentence, in bytes: it shares the trailers of a call with the message and its metadata.
const SENTENCE_BYTES_MAX: usize = 240;

/// Fewer reasons mean that the scan no longer sees them, not that there are none.
const REASONS_MIN: usize = 100;

#[test]
fn each_reason_has_a_sentence_and_each_sentence_a_reason() {
    let found = in_the_workspace();
    assert!(
        found.unclear.is_empty(),
        "a reason should be a literal, or a name that is given literals in the same file:\n  {}",
        found.unclear.join("\n  ")
    );
    assert!(
        found.reasons.len() >= REASONS_MIN,
        "only {} reasons found: {:?}",
        found.reasons.len(),
        found.reasons
    );
    let told: BTreeSet<String> = SENTENCES.keys().cloned().collect();
    let lacking: Vec<_> = found.reasons.difference(&told).collect();
    let left_over: Vec<_> = told.difference(&found.reasons).collect();
    assert!(
        lacking.is_empty() && left_over.is_empty(),
        "reasons.zh.toml lacks a sentence for {lacking:?}, and has one for {left_over:?}, which no error has"
    );
}

#[test]
fn sentences_are_short_and_plain() {
    for (reason, sentence) in SENTENCES.iter() {
        let is_chinese = sentence.chars().any(|c| ('一'..='龥').contains(&c));
        let is_plain = !sentence.contains(['!', '！', '\n']) && !sentence.ends_with(['。', '.', '；']);
        assert!(
            is_chinese && is_plain && sentence.len() <= SENTENCE_BYTES_MAX,
            "{reason}: {sentence}"
        );
    }
}

/// What the scan finds in `source`: the reasons, and how many places it cannot make out.
#[track_caller]
fn check(source: &str, reasons: &[&str], unclear: usize) {
    let mut found = Found::default();
    found.take(&pieces(source.parse().expect("Rust")), "here");
    assert_eq!(
        found.reasons.iter().map(String::as_str).collect::<Vec<_>>(),
        reasons
    );
    assert_eq!(found.unclear.len(), unclear, "{:?}", found.unclear);
}

#[test]
fn reasons_are_found_wherever_they_stand() {
    check(
        r#"fn f() { let e = Failure::invalid("ONE", format!("{x}")); }"#,
        &["ONE"],
        0,
    );
    check(
        r#"tokio::select! { () = stop => Err(domain::Failure::new(FailureKind::Cancelled, "ONE", "text")) }"#,
        &["ONE"],
        0,
    );
    check(
        r#"impl From<E> for Failure { fn from(e: E) -> Self { let (kind, reason) = match e { E::A => (Invalid, "ONE"), E::B => (Internal, "TWO") }; Failure::new(kind, reason, "text") } }"#,
        &["ONE", "TWO"],
        0,
    );
    check(
        r#"impl E { fn code(&self) -> &'static str { match self { Self::A => "ONE" } } }
           impl From<E> for Failure { fn from(e: E) -> Self { Failure::new(FailureKind::Invalid, e.code(), "text") } }"#,
        &["ONE"],
        0,
    );
    check(
        r#"fn f(why: &W) -> Failure { let reason = match why { W::A => "ONE" }; Failure::new(Invalid, reason, "text") }"#,
        &["ONE"],
        0,
    );
    check(
        r#"fn f() { (FailureKind::Invalid, "ONE"); Failure { reason: "TWO", ..other } }"#,
        &["ONE", "TWO"],
        0,
    );
}

#[test]
fn nothing_else_is_taken_for_a_reason() {
    check(
        r#"// Failure::invalid("ONE", "text")
           fn f() { notice("ONE"); Failure::invalid("TWO", "THREE"); }"#,
        &["TWO"],
        0,
    );
    check(
        r#"#[cfg(test)] mod tests { fn f() { Failure::invalid("ONE", "text"); } }
           #[cfg(test)] mod more;
           #[test] fn g() {}"#,
        &[],
        0,
    );
}

#[test]
fn a_reason_that_cannot_be_made_out_is_told() {
    check(
        r#"fn f(reason: &'static str) -> Failure { Failure::invalid(reason, "text") }"#,
        &[],
        1,
    );
    check(
        r#"impl From<E> for Failure { fn from(e: E) -> Self { e.failure() } }"#,
        &[],
        1,
    );
}

// === The scan ===

/// What the sources say of reasons.
#[derive(Debug, Default)]
struct Found {
    reasons: BTreeSet<String>,
    /// Places where an error gets a reason that the scan cannot follow.
    unclear: Vec<String>,
}

/// Rust as far as the scan looks at it.
enum Piece {
    Word(String),
    /// A string literal, without its quotes.
    Text(String),
    Mark(char),
    Group(Delimiter, Vec<Piece>),
}

/// All that the crates of services and connectors are compiled from.
fn in_the_workspace() -> Found {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = Found::default();
    for folder in ["services", "connectors"] {
        let crates = std::fs::read_dir(root.join(folder)).expect("the folder of crates");
        for entry in crates {
            let src = entry.expect("a crate").path().join("src");
            for name in ["lib.rs", "main.rs"] {
                if src.join(name).is_file() {
                    read(&src.join(name), &src, &mut found);
                }
            }
        }
    }
    found
}

/// Takes the reasons of one file and of the modules it declares, which lie in `folder`.
fn read(file: &Path, folder: &Path, found: &mut Found) {
    let place = file.display().to_string();
    let text = std::fs::read_to_string(file).expect(&place);
    let pieces = pieces(text.parse().expect(&place));
    found.take(&pieces, &place);
    for window in pieces.windows(3) {
        if let [Piece::Word(word), Piece::Word(name), Piece::Mark(';')] = window
            && word == "mod"
        {
            let inner = folder.join(name);
            let beside: PathBuf = folder.join(format!("{name}.rs"));
            match beside.is_file() {
                true => read(&beside, &inner, found),
                false => read(&inner.join("mod.rs"), &inner, found),
            }
        }
    }
}

/// The tokens, without items under `#[cfg(test)]`.
fn pieces(tokens: TokenStream) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut tokens = tokens.into_iter();
    while let Some(token) = tokens.next() {
        pieces.push(piece(token));
        if let [.., Piece::Mark('#'), Piece::Group(Delimiter::Bracket, attribute)] = &pieces[..]
            && is_for_tests(attribute)
        {
            tokens.by_ref().map(piece).find(ends_an_item);
        }
    }
    pieces
}

fn piece(token: TokenTree) -> Piece {
    match token {
        TokenTree::Ident(word) => Piece::Word(word.to_string()),
        TokenTree::Punct(mark) => Piece::Mark(mark.as_char()),
        TokenTree::Group(group) => Piece::Group(group.delimiter(), pieces(group.stream())),
        TokenTree::Literal(literal) => {
            let literal = literal.to_string();
            let text = literal.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            match text {
                Some(text) => Piece::Text(text.to_owned()),
                None => Piece::Word(literal),
            }
        }
    }
}

fn is_for_tests(attribute: &[Piece]) -> bool {
    let [Piece::Word(cfg), Piece::Group(Delimiter::Parenthesis, of)] = attribute else {
        return false;
    };
    cfg == "cfg" && matches!(&of[..], [Piece::Word(test)] if test == "test")
}

fn ends_an_item(piece: &Piece) -> bool {
    matches!(piece, Piece::Mark(';') | Piece::Group(Delimiter::Brace, _))
}

/// How reasons are written: UPPER_SNAKE.
fn is_reason(text: &str) -> bool {
    text.len() > 2
        && text.starts_with(|c: char| c.is_ascii_uppercase())
        && text
            .chars()
            .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// All reasons that stand anywhere in these pieces.
fn reasons_in(pieces: &[Piece]) -> Vec<String> {
    pieces
        .iter()
        .flat_map(|piece| match piece {
            Piece::Text(text) if is_reason(text) => vec![text.clone()],
            Piece::Group(_, inner) => reasons_in(inner),
            _ => Vec::new(),
        })
        .collect()
}

fn names(pieces: &[Piece], name: &str) -> bool {
    pieces.iter().any(|piece| match piece {
        Piece::Word(word) => word == name,
        Piece::Group(_, inner) => names(inner, name),
        _ => false,
    })
}

/// The reasons that `name` stands for in a file: those in `let name = ..;` and in `fn name`.
fn given_to(name: &str, pieces: &[Piece]) -> Vec<String> {
    let mut reasons = Vec::new();
    for (at, piece) in pieces.iter().enumerate() {
        let rest = &pieces[at + 1..];
        let until = |ends: fn(&Piece) -> bool| rest.iter().position(ends).unwrap_or(rest.len());
        match piece {
            Piece::Group(_, inner) => reasons.extend(given_to(name, inner)),
            Piece::Word(word) if word == "let" => {
                let statement = &rest[..until(|p| matches!(p, Piece::Mark(';')))];
                let mut sides = statement.splitn(2, |p| matches!(p, Piece::Mark('=')));
                if let (Some(left), Some(right)) = (sides.next(), sides.next())
                    && names(left, name)
                {
                    reasons.extend(reasons_in(right));
                }
            }
            Piece::Word(word) if word == "fn" => {
                if let (Some(Piece::Word(called)), Some(body)) = (rest.first(), rest.get(until(ends_an_item)))
                    && called == name
                {
                    reasons.extend(reasons_in(std::slice::from_ref(body)));
                }
            }
            _ => {}
        }
    }
    reasons
}

/// The argument of `Failure::new` and its like that is the reason.
fn reason_of<'a>(made: &str, given: &'a [Piece]) -> Option<&'a [Piece]> {
    let at = match made {
        "new" => 1,
        "invalid" | "not_found" => 0,
        _ => return None,
    };
    given.split(|piece| matches!(piece, Piece::Mark(','))).nth(at)
}

/// Whether a block after these pieces is that of `impl From<..> for Failure`.
fn begins_a_conversion(before: &[Piece]) -> bool {
    let is = |piece: &Piece, name: &str| matches!(piece, Piece::Word(word) if word == name);
    let [before @ .., last] = before else {
        return false;
    };
    let mut path = before.iter().rev();
    let owner = path.find(|piece| !is(piece, "domain") && !matches!(piece, Piece::Mark(':')));
    let item = before.iter().rposition(|piece| is(piece, "impl"));
    is(last, "Failure")
        && owner.is_some_and(|piece| is(piece, "for"))
        && item.is_some_and(|at| names(&before[at..], "From"))
}

impl Found {
    /// Takes the reasons of one file.
    fn take(&mut self, file: &[Piece], place: &str) {
        self.look(file, file, place);
    }

    fn look(&mut self, pieces: &[Piece], file: &[Piece], place: &str) {
        use Piece::{Group, Mark, Text, Word};
        for (at, piece) in pieces.iter().enumerate() {
            match (piece, &pieces[at + 1..]) {
                (Group(Delimiter::Brace, body), _) if begins_a_conversion(&pieces[..at]) => {
                    self.convert(body, file, place);
                }
                (Group(_, inner), _) => self.look(inner, file, place),
                // Failure::new(kind, "REASON", ..)
                (
                    Word(word),
                    [
                        Mark(':'),
                        Mark(':'),
                        Word(made),
                        Group(Delimiter::Parenthesis, given),
                        ..,
                    ],
                ) if word == "Failure" => {
                    if let Some(reason) = reason_of(made, given) {
                        self.follow(reason, file, &format!("{place}: Failure::{made}"));
                    }
                }
                // FailureKind::Invalid, "REASON"
                (Word(word), [Mark(':'), Mark(':'), Word(_), Mark(','), Text(text), ..])
                    if word == "FailureKind" && is_reason(text) =>
                {
                    self.reasons.insert(text.clone());
                }
                // reason: "REASON"
                (Word(word), [Mark(':'), Text(text), ..]) if word == "reason" && is_reason(text) => {
                    self.reasons.insert(text.clone());
                }
                _ => {}
            }
        }
    }

    /// An `impl From<..> for Failure`: all that looks like a reason in it is one, whichever way it takes.
    fn convert(&mut self, body: &[Piece], file: &[Piece], place: &str) {
        let mut inner = Self::default();
        inner.look(body, file, place);
        inner.reasons.extend(reasons_in(body));
        if inner.reasons.is_empty() {
            self.unclear.push(format!("{place}: impl From for Failure"));
        }
        self.reasons.extend(inner.reasons);
    }

    /// The argument that gives a reason: a literal, or a name that stands for some.
    fn follow(&mut self, argument: &[Piece], file: &[Piece], place: &str) {
        if let [Piece::Text(text)] = argument
            && is_reason(text)
        {
            self.reasons.insert(text.clone());
            return;
        }
        let name = argument.iter().rev().find_map(|piece| match piece {
            Piece::Word(word) => Some(word),
            _ => None,
        });
        let reasons = name.map(|name| given_to(name, file)).unwrap_or_default();
        if reasons.is_empty() {
            self.unclear.push(place.to_owned());
        }
        self.reasons.extend(reasons);
    }
}

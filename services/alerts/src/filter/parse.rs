//! Text to filter, with errors that say which character and what was expected.

use chrono::NaiveDate;
use domain::alert::AlertState;
use domain::rule::Severity;
use rust_decimal::Decimal;

use super::{Compare, Expr, Order, TextField, TextTest};
use crate::error::{Error, Result};

/// Longest filter, in characters.
const CHARACTERS_MAX: usize = 4096;
/// Deepest nesting of parentheses and NOTs.
const DEPTH_MAX: usize = 64;

const FIELDS: &str = "alert_id, rule_id, severity, state, hospital_id, first_seen, last_seen, amount_at_risk, \
    supplier, subject.ROLE, identity.COLUMN, text";

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Open,
    Close,
    Minus,
    /// = != < <= > >= :
    Operator(&'static str),
    Word(String),
    Quoted(String),
}

/// Parses a filter that is not empty.
pub fn parse(text: &str) -> Result<Expr> {
    let length = text.chars().count();
    if length > CHARACTERS_MAX {
        return Err(error(
            CHARACTERS_MAX + 1,
            format!("the filter has {length} characters, at most {CHARACTERS_MAX} are read"),
        ));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens,
        next: 0,
        end: length + 1,
        depth: 0,
    };
    let expr = parser.expr()?;
    match parser.peek() {
        None => Ok(expr),
        Some((position, token)) => {
            let message = format!(
                "{} is unexpected here; join comparisons with AND or OR",
                describe(token)
            );
            Err(error(*position, message))
        }
    }
}

fn error(position: usize, message: impl Into<String>) -> Error {
    Error::Filter {
        position,
        message: message.into(),
    }
}

fn describe(token: &Token) -> String {
    match token {
        Token::Open => "\"(\"".into(),
        Token::Close => "\")\"".into(),
        Token::Minus => "\"-\"".into(),
        Token::Operator(op) => format!("{op:?}"),
        Token::Word(word) | Token::Quoted(word) => format!("{word:?}"),
    }
}

// === Tokens ===

fn tokens(text: &str) -> Result<Vec<(usize, Token)>> {
    let chars: Vec<char> = text.chars().collect();
    let mut tokens: Vec<(usize, Token)> = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let position = at + 1;
        let follows_operator = matches!(tokens.last(), Some((_, Token::Operator(_))));
        let (token, length) = match c {
            c if c.is_whitespace() => {
                at += 1;
                continue;
            }
            '(' => (Token::Open, 1),
            ')' => (Token::Close, 1),
            '=' => (Token::Operator("="), 1),
            ':' => (Token::Operator(":"), 1),
            '!' if chars.get(at + 1) == Some(&'=') => (Token::Operator("!="), 2),
            '<' if chars.get(at + 1) == Some(&'=') => (Token::Operator("<="), 2),
            '>' if chars.get(at + 1) == Some(&'=') => (Token::Operator(">="), 2),
            '<' => (Token::Operator("<"), 1),
            '>' => (Token::Operator(">"), 1),
            '!' => return Err(error(position, "\"!\" stands alone; write != or NOT")),
            '-' if !follows_operator => (Token::Minus, 1),
            '"' | '\'' => quoted(&chars, at)?,
            _ => {
                let word: String = chars[at..].iter().take_while(|c| is_word(**c)).collect();
                let length = word.chars().count();
                (Token::Word(word), length)
            }
        };
        tokens.push((position, token));
        at += length;
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    !c.is_whitespace() && !matches!(c, '(' | ')' | '=' | ':' | '!' | '<' | '>' | '"' | '\'')
}

/// A quoted text from its opening quote, and how many characters it takes.
fn quoted(chars: &[char], from: usize) -> Result<(Token, usize)> {
    let quote = chars[from];
    let mut text = String::new();
    let mut at = from + 1;
    loop {
        match chars.get(at) {
            None => {
                return Err(error(
                    from + 1,
                    format!("the text after {quote} does not end; add {quote}"),
                ));
            }
            Some(c) if *c == quote => return Ok((Token::Quoted(text), at + 1 - from)),
            Some('\\') => match chars.get(at + 1) {
                Some(c) => {
                    text.push(*c);
                    at += 2;
                }
                None => return Err(error(at + 1, "nothing follows the backslash")),
            },
            Some(c) => {
                text.push(*c);
                at += 1;
            }
        }
    }
}

// === Grammar ===

struct Parser {
    tokens: Vec<(usize, Token)>,
    next: usize,
    /// Position just after the text.
    end: usize,
    depth: usize,
}

impl Parser {
    fn peek(&self) -> Option<&(usize, Token)> {
        self.tokens.get(self.next)
    }

    fn take(&mut self) -> Option<(usize, Token)> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn keyword(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some((_, Token::Word(w))) if w == word);
        if is {
            self.next += 1;
        }
        is
    }

    fn expr(&mut self) -> Result<Expr> {
        let mut all = vec![self.any()?];
        while self.keyword("AND") {
            all.push(self.any()?);
        }
        Ok(if all.len() == 1 {
            all.remove(0)
        } else {
            Expr::And(all)
        })
    }

    fn any(&mut self) -> Result<Expr> {
        let mut any = vec![self.one()?];
        while self.keyword("OR") {
            any.push(self.one()?);
        }
        Ok(if any.len() == 1 {
            any.remove(0)
        } else {
            Expr::Or(any)
        })
    }

    fn one(&mut self) -> Result<Expr> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            let position = self.peek().map_or(self.end, |(position, _)| *position);
            return Err(error(position, format!("nested deeper than {DEPTH_MAX}")));
        }
        let negated = self.keyword("NOT") || {
            let minus = matches!(self.peek(), Some((_, Token::Minus)));
            self.next += usize::from(minus);
            minus
        };
        let expr = if negated {
            Expr::Not(Box::new(self.one()?))
        } else if matches!(self.peek(), Some((_, Token::Open))) {
            let (open, _) = self.take().unwrap_or((self.end, Token::Open));
            let expr = self.expr()?;
            match self.take() {
                Some((_, Token::Close)) => expr,
                Some((position, token)) => {
                    let message = format!(
                        "{} is unexpected here; expected AND, OR or \")\"",
                        describe(&token)
                    );
                    return Err(error(position, message));
                }
                None => return Err(error(open, "this parenthesis is not closed")),
            }
        } else {
            self.compare()?
        };
        self.depth -= 1;
        Ok(expr)
    }

    fn compare(&mut self) -> Result<Expr> {
        let (position, field) = match self.take() {
            Some((position, Token::Word(word))) if !matches!(word.as_str(), "AND" | "OR" | "NOT") => {
                (position, word)
            }
            Some((position, token)) => {
                return Err(error(
                    position,
                    format!("expected a field ({FIELDS}), not {}", describe(&token)),
                ));
            }
            None => {
                return Err(error(
                    self.end,
                    format!("expected a field ({FIELDS}), but the filter ends"),
                ));
            }
        };
        let after = format!("expected =, !=, <, <=, >, >= or : after {field}");
        let (op_position, op) = match self.take() {
            Some((position, Token::Operator(op))) => (position, op),
            Some((position, token)) => {
                return Err(error(position, format!("{after}, not {}", describe(&token))));
            }
            None => return Err(error(self.end, format!("{after}, but the filter ends"))),
        };
        let (value_position, value, quoted) = match self.take() {
            Some((position, Token::Word(value))) => (position, value, false),
            Some((position, Token::Quoted(value))) => (position, value, true),
            Some((position, token)) => {
                return Err(error(
                    position,
                    format!("expected a value after {op}, not {}", describe(&token)),
                ));
            }
            None => {
                return Err(error(
                    self.end,
                    format!("expected a value after {op}, but the filter ends"),
                ));
            }
        };
        let place = Place {
            field: &field,
            op_position,
            op,
            value_position,
            value: &value,
            quoted,
        };
        place.compare(position).map(Expr::Compare)
    }
}

/// One comparison as it was read.
struct Place<'a> {
    field: &'a str,
    op_position: usize,
    op: &'static str,
    value_position: usize,
    value: &'a str,
    quoted: bool,
}

impl Place<'_> {
    fn compare(&self, position: usize) -> Result<Compare> {
        let text = |field| {
            Ok(Compare::Text {
                field,
                test: self.text_test(),
            })
        };
        match self.field {
            "alert_id" => text(TextField::AlertId),
            "rule_id" => text(TextField::RuleId),
            "hospital_id" => text(TextField::HospitalId),
            "supplier" => text(TextField::Supplier),
            "text" => match self.text_test() {
                test @ (TextTest::Contains(_) | TextTest::Present) => Ok(Compare::Text {
                    field: TextField::Anywhere,
                    test,
                }),
                _ => Err(self.bad_operator("text takes : only")),
            },
            "severity" => Ok(Compare::Severity {
                op: self.order()?,
                value: self.severity()?,
            }),
            "state" => self.state(),
            "first_seen" | "last_seen" => Ok(Compare::Date {
                last: self.field == "last_seen",
                op: self.order()?,
                value: self.date()?,
            }),
            "amount_at_risk" if self.op == ":" && self.value == "*" => Ok(Compare::AmountPresent),
            "amount_at_risk" => Ok(Compare::Amount {
                op: self.order()?,
                value: self.decimal()?,
            }),
            field => match field.split_once('.') {
                Some(("subject", role)) if !role.is_empty() => text(TextField::Subject(role.to_owned())),
                Some(("identity", column)) if !column.is_empty() => {
                    text(TextField::Identity(column.to_owned()))
                }
                _ => Err(error(
                    position,
                    format!("unknown field {field:?}; the fields are {FIELDS}"),
                )),
            },
        }
    }

    fn bad_operator(&self, message: &str) -> Error {
        error(self.op_position, message)
    }

    fn bad_value(&self, expected: &str) -> Error {
        error(self.value_position, format!("{:?} is not {expected}", self.value))
    }

    fn order(&self) -> Result<Order> {
        match self.op {
            "=" => Ok(Order::Equal),
            "!=" => Ok(Order::NotEqual),
            "<" => Ok(Order::Less),
            "<=" => Ok(Order::LessOrEqual),
            ">" => Ok(Order::Greater),
            ">=" => Ok(Order::GreaterOrEqual),
            _ => Err(self.bad_operator(&format!("{} takes =, !=, <, <=, > or >=", self.field))),
        }
    }

    fn text_test(&self) -> TextTest {
        match self.order() {
            Ok(op @ (Order::Equal | Order::NotEqual)) => {
                let open_end = self.value.len() > 1 && self.value.ends_with('*');
                let value = if open_end {
                    &self.value[..self.value.len() - 1]
                } else {
                    self.value
                };
                let open_start = value.starts_with('*');
                let value = if open_start { &value[1..] } else { value };
                TextTest::Equal {
                    negated: op == Order::NotEqual,
                    value: value.to_owned(),
                    open_start,
                    open_end,
                }
            }
            Ok(op) => TextTest::Order {
                op,
                value: self.value.to_owned(),
            },
            Err(_) if self.value == "*" && !self.quoted => TextTest::Present,
            Err(_) => TextTest::Contains(self.value.to_lowercase()),
        }
    }

    fn severity(&self) -> Result<Severity> {
        match self.value.to_ascii_uppercase().as_str() {
            "LOW" => Ok(Severity::Low),
            "MEDIUM" => Ok(Severity::Medium),
            "HIGH" => Ok(Severity::High),
            _ => Err(self.bad_value("a severity: LOW, MEDIUM or HIGH")),
        }
    }

    fn state(&self) -> Result<Compare> {
        let equal = match self.op {
            "=" => true,
            "!=" => false,
            _ => return Err(self.bad_operator("state takes = or !=")),
        };
        let value = AlertState::parse(&self.value.to_ascii_uppercase())
            .ok_or_else(|| self.bad_value("a state: OPEN, CLEARED, STALE, WITHDRAWN or CLOSED"))?;
        Ok(Compare::State { equal, value })
    }

    fn date(&self) -> Result<NaiveDate> {
        NaiveDate::parse_from_str(self.value, "%Y-%m-%d").map_err(|_| self.bad_value("a date: YYYY-MM-DD"))
    }

    fn decimal(&self) -> Result<Decimal> {
        self.value
            .parse()
            .map_err(|_| self.bad_value("a decimal number, e.g. 1234.50"))
    }
}

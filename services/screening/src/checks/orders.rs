//! What an order says, read once for the checks of orders.

use domain::screening::{ScreenOrder, ScreenOrderLine};
use rust_decimal::Decimal;

use crate::decimal::parse;
use crate::index::Index;

/// Line numbers for people: the order's own, else the place from 1.
pub(crate) fn numbered(order: &ScreenOrder) -> impl Iterator<Item = (u32, &ScreenOrderLine)> {
    order.lines.iter().enumerate().map(|(at, line)| {
        let own = line.line_no;
        (if own == 0 { at as u32 + 1 } else { own }, line)
    })
}

/// A text that says something.
pub(crate) fn said(text: &Option<String>) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|t| !t.is_empty())
}

/// CNY; `None` when neither the line nor quantity and price say it.
fn line_amount(line: &ScreenOrderLine) -> Option<Decimal> {
    match said(&line.amount) {
        Some(amount) => parse(amount),
        None => parse(said(&line.quantity)?)?
            .checked_mul(parse(said(&line.unit_price)?)?)
            .map(|a| a.round_dp(2)),
    }
}

/// CNY; `None` when neither the order nor all of its lines say it.
pub(crate) fn amount(order: &ScreenOrder) -> Option<Decimal> {
    match said(&order.amount) {
        Some(amount) => parse(amount),
        None if order.lines.is_empty() => None,
        None => order
            .lines
            .iter()
            .try_fold(Decimal::ZERO, |sum, line| sum.checked_add(line_amount(line)?)),
    }
}

/// The line's national code, else that of its product.
pub(crate) fn code<'a>(index: &'a Index, line: &'a ScreenOrderLine) -> Option<&'a str> {
    said(&line.national_code).or_else(|| {
        let product = index.products.of(said(&line.product_id)?).first()?;
        product.national_code.as_deref()
    })
}

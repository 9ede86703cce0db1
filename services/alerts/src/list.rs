//! Listing alerts, page by page, in one stable order: severity (highest first), rule id, alert id.

use domain::ports::{AlertPage, ListAlertsRequest};

use crate::error::{Error, Result};
use crate::filter::{Candidate, Filter};
use crate::store::content::{self, Facts};
use crate::store::records::{self, AlertRow, ListPlace};
use crate::store::{Database, Transaction};
use crate::token;

const PAGE_SIZE_DEFAULT: usize = 50;
const PAGE_SIZE_MAX: usize = 1000;
/// Alerts read at once while looking for those that match.
const SCAN_ROWS: i64 = 4000;

/// One page. `total` counts all matches, before and after the page as well.
pub async fn list(database: &dyn Database, key: &[u8], request: &ListAlertsRequest) -> Result<AlertPage> {
    let size = page_size(request.page_size)?;
    let filter = Filter::parse(&request.filter)?;
    let after = match request.page_token.as_str() {
        "" => None,
        token => Some(token::read_page(key, &filter, token)?),
    };
    let mut tx = database.read().await?;
    // One more than the page, to know whether another follows.
    let (mut rows, total) = if filter.is_empty() {
        let rows = records::in_list_order(&mut *tx, after.as_ref(), size as i64 + 1).await?;
        (rows, records::count(&mut *tx).await?)
    } else {
        matching(&mut *tx, &filter, after.as_ref(), size + 1).await?
    };
    let more = rows.len() > size;
    rows.truncate(size);
    let next_page_token = match rows.last() {
        Some((last, _)) if more => token::page(key, &filter, &ListPlace::of(last)),
        _ => String::new(),
    };
    let digests: Vec<String> = rows.iter().map(|(row, _)| row.content.clone()).collect();
    let contents = content::load(&mut *tx, &digests).await?;
    tx.rollback().await?;
    let alerts = rows
        .into_iter()
        .map(|(row, facts)| {
            let (_, detail) = contents.get(&row.content).cloned().ok_or(Error::Corrupt {
                place: "contents",
                expected: "the content of an alert",
            })?;
            Ok(row.alert(facts, detail))
        })
        .collect::<Result<_>>()?;
    Ok(AlertPage {
        alerts,
        next_page_token,
        total,
    })
}

fn page_size(asked: i32) -> Result<usize> {
    match usize::try_from(asked) {
        Err(_) => Err(Error::PageSize { size: asked }),
        Ok(0) => Ok(PAGE_SIZE_DEFAULT),
        Ok(size) => Ok(size.min(PAGE_SIZE_MAX)),
    }
}

/// The first `limit` matches after a place, and how many matches there are in all.
async fn matching(
    tx: &mut dyn Transaction,
    filter: &Filter,
    after: Option<&ListPlace>,
    limit: usize,
) -> Result<(Vec<(AlertRow, Facts)>, u64)> {
    let mut found = Vec::new();
    let mut total = 0;
    let mut scanned: Option<ListPlace> = None;
    loop {
        let rows = records::in_list_order(tx, scanned.as_ref(), SCAN_ROWS).await?;
        let Some((last, _)) = rows.last() else {
            return Ok((found, total));
        };
        scanned = Some(ListPlace::of(last));
        for (row, facts) in rows {
            if filter.matches(&candidate(&row, &facts)) {
                total += 1;
                if found.len() < limit && after.is_none_or(|place| is_after(&row, place)) {
                    found.push((row, facts));
                }
            }
        }
    }
}

/// What a filter sees of an alert.
pub fn candidate<'a>(row: &'a AlertRow, facts: &'a Facts) -> Candidate<'a> {
    Candidate {
        alert_id: &row.alert_id,
        rule_id: &row.rule_id,
        state: row.state,
        first_seen: row.first_seen,
        last_seen: row.last_seen,
        facts,
    }
}

fn is_after(row: &AlertRow, place: &ListPlace) -> bool {
    let here = ListPlace::of(row);
    (std::cmp::Reverse(here.severity), here.rule_id, here.alert_id)
        > (
            std::cmp::Reverse(place.severity),
            place.rule_id.clone(),
            place.alert_id.clone(),
        )
}

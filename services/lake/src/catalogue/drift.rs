//! What is known of the columns of each source, and the changes that syncs found: the part of the bookkeeping that tells a
//! new column from one that was always passed over.

use std::collections::BTreeMap;

use domain::Bilingual;
use domain::sources::{DriftChange, DriftEvent};
use sqlx::Row;

use super::Catalogue;
use crate::error::{LakeError, Result, doing};

pub(super) const SCHEMA: &str = "
create table if not exists lianjing_known_columns (
    source text not null,
    change text not null,
    place text not null,
    primary key (source, change, place)
);
create table if not exists lianjing_drift (
    source text not null,
    run_id text not null,
    change text not null,
    place text not null,
    message_zh text not null,
    message_en text not null,
    primary key (run_id, change, place)
);
";

/// Something that a sync saw of a source's columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenColumn {
    pub event: DriftEvent,
    /// The connector compared it with what it saw before. Otherwise it says the same at every sync, and only what it
    /// never said before is a change.
    pub is_change: bool,
}

/// The place as it is the same from file to file: exports have dates and numbers in their names, which are no news.
fn lasting(place: &str) -> String {
    match place.rsplit_once(": ") {
        Some((file, column)) => {
            let file: String = file.chars().filter(|c| !c.is_ascii_digit()).collect();
            format!("{file}: {column}")
        }
        None => place.to_owned(),
    }
}

impl Catalogue {
    /// Keeps what a sync saw, and as events what is a change; at the first sync of a source nothing is.
    pub async fn record_columns(&self, source: &str, run_id: &str, seen: &[SeenColumn]) -> Result<()> {
        let failed = |e| doing("record what a sync saw of the columns")(e);
        let mut tx = self.pool.begin().await.map_err(failed)?;
        let before: i64 = sqlx::query_scalar(
            "select count(*) from lianjing_sync_runs where source = ? and run_id <> ? and commits > 0 and datasets <> '[]'",
        )
        .bind(source)
        .bind(run_id)
        .fetch_one(&mut *tx)
        .await
        .map_err(failed)?;
        for SeenColumn { event, is_change } in seen {
            let known =
                sqlx::query("insert into lianjing_known_columns values (?, ?, ?) on conflict do nothing")
                    .bind(source)
                    .bind(event.change.name())
                    .bind(lasting(&event.place))
                    .execute(&mut *tx)
                    .await
                    .map_err(failed)?;
            let is_new = known.rows_affected() > 0 && before > 0;
            if !is_new && !is_change {
                continue;
            }
            sqlx::query("insert into lianjing_drift values (?, ?, ?, ?, ?, ?) on conflict do nothing")
                .bind(source)
                .bind(run_id)
                .bind(event.change.name())
                .bind(&event.place)
                .bind(&event.message.zh)
                .bind(&event.message.en)
                .execute(&mut *tx)
                .await
                .map_err(failed)?;
        }
        tx.commit().await.map_err(failed)
    }

    /// Run -> the changes it found.
    pub(super) async fn drift(&self, source: Option<&str>) -> Result<BTreeMap<String, Vec<DriftEvent>>> {
        let failed = |e| doing("list the changes of columns")(e);
        let rows = sqlx::query("select * from lianjing_drift where ?1 is null or source = ?1 order by rowid")
            .bind(source)
            .fetch_all(&self.pool)
            .await
            .map_err(failed)?;
        let mut events: BTreeMap<String, Vec<DriftEvent>> = BTreeMap::new();
        for row in rows {
            let text = |name: &str| row.try_get::<String, _>(name).map_err(failed);
            let change = text("change")?;
            let change = DriftChange::parse(&change).ok_or_else(|| LakeError::Unreadable {
                what: format!("a change of columns is {change:?}"),
            })?;
            events.entry(text("run_id")?).or_default().push(DriftEvent {
                change,
                place: text("place")?,
                message: Bilingual::new(text("message_zh")?, text("message_en")?),
            });
        }
        Ok(events)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_column_of_another_months_file_is_no_news() {
        assert_eq!(
            lasting("采购订单202401.csv: 心情2"),
            lasting("采购订单202402.csv: 心情2")
        );
        assert_ne!(lasting("a.csv: 心情2"), lasting("a.csv: 心情3"));
        assert_eq!(lasting("orders1"), "orders1");
    }
}

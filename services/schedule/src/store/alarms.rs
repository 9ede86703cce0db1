//! Alarms in the store.

use domain::Bilingual;
use domain::sources::Alarm;

use super::{AlarmTuple, Pool, Store};
use crate::error::{Result, doing};

impl Store {
    /// Raises an alarm unless it holds already.
    pub async fn raise(&self, code: &str, subject: &str, message: &Bilingual, now: i64) -> Result<()> {
        on!(&self.pool, p => sqlx::query(
                "insert into schedule_alarms (code, subject, message_zh, message_en, raised_at)
                 select $1, $2, $3, $4, $5 where not exists
                   (select 1 from schedule_alarms where code = $1 and subject = $2 and cleared_at is null)
                 on conflict (code, subject, raised_at) do nothing")
            .bind(code)
            .bind(subject)
            .bind(&message.zh)
            .bind(&message.en)
            .bind(now)
            .execute(p)
            .await
            .map(|_| ()))
        .map_err(doing("raising an alarm"))
    }

    pub async fn clear(&self, code: &str, subject: &str, now: i64) -> Result<()> {
        on!(&self.pool, p => sqlx::query(
                "update schedule_alarms set cleared_at = $3 where code = $1 and subject = $2 and cleared_at is null")
            .bind(code)
            .bind(subject)
            .bind(now)
            .execute(p)
            .await
            .map(|_| ()))
        .map_err(doing("clearing an alarm"))
    }

    /// Newest first.
    pub async fn alarms(&self) -> Result<Vec<Alarm>> {
        let rows: Vec<AlarmTuple> = on!(&self.pool, p => sqlx::query_as(
                "select code, subject, message_zh, message_en, raised_at, cleared_at from schedule_alarms
                 order by raised_at desc, code, subject limit 1000")
            .fetch_all(p)
            .await)
        .map_err(doing("listing alarms"))?;
        let alarm = |row: AlarmTuple| Alarm {
            code: row.0,
            subject: row.1,
            message: Bilingual::new(row.2, row.3),
            raised_at: row.4,
            cleared_at: row.5,
        };
        Ok(rows.into_iter().map(alarm).collect())
    }
}

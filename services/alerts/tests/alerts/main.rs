//! What the alert store promises, checked on a SQLite file and on a real PostgreSQL server alike.

mod fixture;
mod lifecycle;
mod listing;
mod model;
mod recording;
mod speed;
mod watching;

/// Makes of each `async fn name(store: Store)` a test on SQLite and one on PostgreSQL.
#[macro_export]
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $name() {
                super::$name($crate::fixture::Store::sqlite()).await;
            })*
        }
        mod postgres {
            $(#[tokio::test]
            async fn $name() {
                if let Some(store) = $crate::fixture::Store::postgres().await {
                    super::$name(store).await;
                }
            })*
        }
    };
}

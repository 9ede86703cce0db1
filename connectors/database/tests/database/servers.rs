//! A database of its own for one test, on a real server.

use sqlx::{AssertSqlSafe, Connection, MySqlConnection, PgConnection};
pub use test_servers::database::Server;
use test_servers::database::fresh_name;

pub struct Database {
    pub server: &'static Server,
    pub name: String,
}

impl Database {
    pub fn postgres() -> Self {
        let (server, name) = (Server::postgres(), fresh_name());
        server.psql("postgres", &format!("create database {name}"));
        Self { server, name }
    }

    pub fn mariadb() -> Self {
        let (server, name) = (Server::mariadb(), fresh_name());
        server.mysql("mysql", &format!("create database {name}"));
        Self { server, name }
    }

    pub fn postgres_url(&self) -> String {
        self.server.postgres_url("lianjing", &self.name)
    }

    pub fn mysql_url(&self) -> String {
        self.server.mysql_url("root", &self.name)
    }

    /// Runs statements as the owner.
    pub async fn pg(&self, sql: &str) {
        let mut admin = PgConnection::connect(&self.postgres_url()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut admin)
            .await
            .unwrap();
    }

    pub async fn my(&self, sql: &str) {
        let mut admin = MySqlConnection::connect(&self.mysql_url()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(&mut admin)
            .await
            .unwrap();
    }
}

//! The scheduler under a clock that the tests move by hand, on SQLite and on a real PostgreSQL server.

mod fakes;
mod races;
mod times;

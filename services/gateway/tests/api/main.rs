//! The gateway over a real TCP listener, with a client of the generated stubs and with plain HTTP/1.1, against
//! in-memory ports.

mod border;
mod calls;
mod fake_judgements;
mod fake_sources;
mod fakes;
mod harness;
mod judgements;
mod operations;
mod screening;
mod sources;

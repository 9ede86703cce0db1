//! The files connector from outside: directories in, messages out.

mod bad_input;
mod first_hospital;
mod formats;
mod harness;

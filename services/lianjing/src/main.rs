//! The `lianjing` binary: the command line, and the wiring of the services it runs in its own process.
//!
//! Each command is a client of the gRPC API, over the network (`--server`) or over an in-memory connection to services
//! in this process. Exit status: 0 done, 1 the work failed, 2 bad usage or configuration, 3 done but some input was
//! quarantined or some rule was NOT_EVALUABLE.

mod cli;
mod commands;
mod config;
mod connection;
mod follow;
mod kind_page;
mod kinds;
mod metrics;
mod outcome;
mod output;
mod wiring;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use domain::Lang;
use tracing_subscriber::EnvFilter;

use crate::cli::Cli;

/// The engine makes and drops many middling buffers on all threads, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// `mi_option_purge_delay`, which the bindings do not name.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Freed memory goes back to the system after a second instead of ten milliseconds: a sync reuses its blocks all
/// the time, and taking each one anew costs it a tenth of its time in the kernel.
fn keep_freed_memory_a_while() {
    #[allow(unsafe_code, reason = "a call into C that sets a number")]
    // SAFETY: it takes two integers and may be called at any time.
    unsafe {
        libmimalloc_sys::mi_option_set(PURGE_DELAY, 1000);
    }
}

fn main() -> ExitCode {
    keep_freed_memory_a_while();
    let cli = Cli::parse();
    let lang = cli.global.lang.into();
    let filter = EnvFilter::try_from_env("LIANJING_LOG").unwrap_or_else(|_| EnvFilter::new("error"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();

    let runtime = match runtime(cli.global.threads) {
        Ok(runtime) => runtime,
        Err(e) => {
            let text = format!("cannot start threads: {e}; lower --threads");
            return report(&outcome::CliError::failed(text), lang);
        }
    };
    let done = runtime.block_on(commands::dispatch(cli));
    // Blocking work of a cancelled command is not waited for.
    runtime.shutdown_background();
    match done {
        Ok(done) => done.into(),
        Err(error) => report(&error, lang),
    }
}

fn runtime(threads: usize) -> std::io::Result<tokio::runtime::Runtime> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}

fn report(error: &outcome::CliError, lang: Lang) -> ExitCode {
    if let Some(text) = error.text(lang) {
        // Nothing is left to tell it to when stderr is closed.
        let _ = writeln!(std::io::stderr(), "lianjing: {text}");
    }
    error.exit_code()
}

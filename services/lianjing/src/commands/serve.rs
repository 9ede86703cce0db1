//! `lianjing serve`: the gRPC API on this machine, until Ctrl-C or SIGTERM.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::cli::Global;
use crate::config::Config;
use crate::outcome::{CliError, CliResult, Done, chain};
use crate::output::{Output, tell};
use crate::wiring::{self, Opening, Wired};

pub const DEFAULT_LISTEN: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 7070);

#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Address of this machine to listen on; port 0 takes a free one; by default 127.0.0.1:7070 / 监听地址
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Address for Prometheus to read /metrics from, e.g. 127.0.0.1:9464; by default none / 监控指标地址
    #[arg(long, value_name = "ADDRESS")]
    pub metrics: Option<SocketAddr>,
    /// Settings (TOML): listen, data, store, rules, threads, sources, metrics / 配置文件
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

pub async fn serve(args: &ServeArgs, mut global: Global, output: &Output) -> CliResult {
    if global.server.is_some() {
        return Err(CliError::usage("`serve` is a server itself; leave --server out"));
    }
    let mut config = match &args.config {
        Some(path) => Config::read(path)?,
        None => Config::default(),
    };
    let address = args.listen.or(config.listen.take()).unwrap_or(DEFAULT_LISTEN);
    let metrics = args.metrics.or(config.metrics.take());
    config.fill(&mut global);
    let wired = wiring::open(&global, Opening::Create).await?;
    let served = listen(&wired, address, metrics, output).await;
    wired.close().await;
    served
}

/// Serves until told to stop.
pub async fn listen(
    wired: &Wired,
    address: SocketAddr,
    metrics: Option<SocketAddr>,
    output: &Output,
) -> CliResult {
    let gateway = wired.gateway()?;
    if !address.ip().is_loopback() {
        return Err(CliError::usage(chain(&gateway::GatewayError::NotLoopback {
            address,
        })));
    }
    let listener = TcpListener::bind(address).await.map_err(|e| {
        CliError::failed(format!(
            "cannot listen on {address}: {e}; choose another with --listen"
        ))
    })?;
    let bound = listener
        .local_addr()
        .map_err(|e| CliError::failed(format!("cannot listen on {address}: {e}")))?;
    let stopped = stop_signal()?;
    let stop = CancellationToken::new();
    let _stop_with_us = stop.clone().drop_guard();
    if let Some(address) = metrics {
        let bound = crate::metrics::serve(wired.metrics()?, address, stop.clone()).await?;
        tell(&format!(
            "{} http://{bound}/metrics",
            output.say("监控指标:", "metrics:")
        ));
    }
    let jobs = tokio::spawn(wired.scheduler().run(stop.clone()));
    tell(&format!(
        "{} http://{bound}",
        output.say("服务已启动（Ctrl-C 停止）:", "serving (Ctrl-C stops):")
    ));
    let served = gateway.run(listener, stopped).await;
    stop.cancel();
    // What was running is dropped; another server, or this one when it is back, takes it up.
    if let Err(error) = jobs.await {
        tracing::error!(error = %error, "the scheduler did not end well");
    }
    served.map_err(|e| CliError::failed(chain(&e)))?;
    Ok(Done::Fully)
}

/// Resolves at Ctrl-C or SIGTERM.
fn stop_signal() -> CliResult<impl Future<Output = ()> + Send> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).map_err(|e| CliError::failed(format!("cannot listen for signals: {e}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

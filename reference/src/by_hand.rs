//! A node run by hand: started from the command line, told of in the log, stopped by a signal.

use std::{io, path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{
    faults::Planted,
    net::{Driver, Happening, Report, StartOptions, Started, start::HostPort},
    node::{Command, Event, Refusal, Timings, Token},
    wire::{NodeName, handshake::Cookie, name::AskedName},
};

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Options {
    /// `name@host` or `name@host:port`.
    pub name: String,
    /// The file whose bytes, all of them, are the cookie.
    pub cookie_file: PathBuf,
    /// Nodes to connect to.
    pub connect: Vec<String>,
    /// `host:port` to bind instead of the name's.
    pub listen: Option<String>,
    /// `host:port` of the rooms' WebSocket endpoint.
    pub rooms: Option<String>,
    /// Milliseconds between two PINGs.
    pub heartbeat_interval_ms: u64,
    /// Milliseconds from PING to PONG.
    pub heartbeat_timeout_ms: u64,
    /// Milliseconds for a handshake.
    pub handshake_timeout_ms: u64,
}

/// Runs a node until SIGTERM or SIGINT, then closes all sessions.
///
/// # Errors
/// One line that says what is wrong with the options, or why the node cannot start. A node that cannot be connected
/// to is only logged.
pub async fn run(options: Options) -> anyhow::Result<()> {
    let start = start_options(&options)?;
    let connect = options
        .connect
        .iter()
        .map(|name| NodeName::parse(name).map_err(|why| anyhow::anyhow!("--connect {name:?} {why}")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let (driver, happenings, reports) = Driver::new(Planted::default())?;
    let stop = stop_signal()?;
    let front = Front { happenings, connect, stopping: false };
    let ((), result) = tokio::join!(driver.run(), front.run(start, reports, stop));
    result
}

/// What the command line asks of the driver, one request a token: [`START`], then one for each `--connect`.
struct Front {
    happenings: mpsc::Sender<Happening>,
    connect: Vec<NodeName>,
    stopping: bool,
}

/// The token of everything but connecting, whose tokens count from 1.
const START: Token = Token(0);

impl Front {
    /// Runs until the driver has ended.
    async fn run(
        mut self,
        start: StartOptions,
        mut reports: mpsc::UnboundedReceiver<Report>,
        stop: impl Future<Output = ()>,
    ) -> anyhow::Result<()> {
        tokio::pin!(stop);
        self.tell(Happening::Start(START, start)).await;
        let mut result = Ok(());
        loop {
            tokio::select! {
                report = reports.recv() => match report {
                    None => return result,
                    Some(Report::Started(_, Ok(started))) => self.started(&started).await,
                    Some(Report::Started(_, Err(why))) => {
                        result = Err(why.into());
                        self.stop().await;
                    }
                    Some(Report::Reply(token, Err(why))) => {
                        tracing::warn!(node = self.asked(token).map(NodeName::as_str), "{why}");
                    }
                    Some(Report::Reply(_, Ok(_))) => {}
                    Some(Report::Event(event)) => log(&event),
                },
                () = &mut stop, if !self.stopping => {
                    tracing::info!("stopping");
                    self.stop().await;
                }
            }
        }
    }

    async fn started(&self, started: &Started) {
        tracing::info!(name = started.name, creation = started.creation, rooms = started.websocket, "started");
        for (number, name) in (1..).zip(&self.connect) {
            self.tell(Happening::Command(Token(number), Command::Connect(name.clone()))).await;
        }
    }

    fn asked(&self, Token(number): Token) -> Option<&NodeName> {
        self.connect.get(usize::try_from(number.checked_sub(1)?).ok()?)
    }

    async fn stop(&mut self) {
        self.stopping = true;
        self.tell(Happening::Command(START, Command::Stop)).await;
    }

    async fn tell(&self, happening: Happening) {
        // The driver outlives all requests but those behind a stop, which nobody waits for.
        let _ = self.happenings.send(happening).await;
    }
}

fn start_options(options: &Options) -> anyhow::Result<StartOptions> {
    let name = AskedName::parse(&options.name).map_err(|why| anyhow::anyhow!("--name {:?} {why}", options.name))?;
    let file = options.cookie_file.display();
    let bytes = std::fs::read(&options.cookie_file).with_context(|| format!("cannot read the cookie file {file}"))?;
    let Some(cookie) = Cookie::new(bytes) else { bail!("the cookie file {file} is empty") };
    let address = |text: &Option<String>, option: &str| match text {
        None => Ok(None),
        Some(text) => HostPort::parse(text).map(Some).with_context(|| format!("{option} {text:?} is not host:port")),
    };
    let timings = Timings {
        heartbeat_interval: Duration::from_millis(options.heartbeat_interval_ms),
        heartbeat_timeout: Duration::from_millis(options.heartbeat_timeout_ms),
        handshake_timeout: Duration::from_millis(options.handshake_timeout_ms),
    };
    let (listen, rooms) = (address(&options.listen, "--listen")?, address(&options.rooms, "--rooms")?);
    Ok(StartOptions { name, cookie, timings, listen, rooms })
}

/// Completes on SIGTERM or SIGINT.
pub(crate) fn stop_signal() -> io::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// One line a happening.
pub(crate) fn log(event: &Event) {
    match event {
        Event::SessionOpened(node, creation) => tracing::info!(%node, creation = creation.get(), "session opened"),
        Event::SessionClosed(node, creation) => tracing::info!(%node, creation = creation.get(), "session closed"),
        // An operator has to know these: nodes that should get in do not.
        Event::Refused(conn, why @ (Refusal::NoNodeId | Refusal::Crowded)) => {
            tracing::warn!(?conn, "connection closed: {why}");
        }
        Event::Refused(conn, why) => tracing::info!(?conn, "connection closed: {why}"),
        Event::Message { pid, bytes } => tracing::debug!(%pid, bytes = bytes.len(), "message"),
        Event::Down { pid, from, reason, .. } => tracing::debug!(%pid, %from, ?reason, "monitored process down"),
        Event::Exited { pid, from, reason } => tracing::debug!(%pid, %from, ?reason, "linked process exited"),
        Event::ProcessEnded { pid, reason } => tracing::debug!(%pid, ?reason, "process ended"),
        Event::NodeUp { pid, node } => tracing::debug!(%pid, %node, "node up"),
        Event::NodeDown { pid, node } => tracing::debug!(%pid, %node, "node down"),
        Event::DialFailed(node, why) => tracing::info!(%node, "dial failed: {why}"),
    }
}

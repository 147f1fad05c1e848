//! The control protocol: JSON-RPC lines on standard input and output become commands, and what comes of them lines.
//!
//! `spec/control.md` is the contract. Requests overlap: each waits under a token for its own answer.

mod answer;
mod codec;
mod encode;
mod fields;
mod lines;
mod nesting;
mod notification;
mod params;
mod request;
mod supervisor;
mod term;
mod value;

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::sync::mpsc;

use self::{
    answer::Failure,
    lines::{Line, Printer},
    notification::notification,
    request::{Action, Request},
};
use crate::{
    faults::Planted,
    net::{Driver, Happening, Report},
    node::{Command, Token},
};

/// Serves the control protocol until the end of input, `shutdown`, SIGTERM or SIGINT, and closes all sessions.
///
/// # Errors
/// When TLS or the signal handlers cannot be set up.
pub async fn serve(planted: Planted) -> anyhow::Result<()> {
    let (driver, happenings, reports) = Driver::new(planted.clone())?;
    let stop = crate::by_hand::stop_signal()?;
    let control = Control {
        happenings,
        reports,
        planted,
        printer: Printer::start(),
        pending: BTreeMap::new(),
        last_token: 0,
        last_seq: 0,
    };
    tokio::join!(driver.run(), control.run(stop));
    Ok(())
}

struct Control {
    happenings: mpsc::Sender<Happening>,
    reports: mpsc::UnboundedReceiver<Report>,
    planted: Planted,
    printer: Printer,
    /// Requests that wait for their answers: their ids.
    pending: BTreeMap<Token, Value>,
    last_token: u64,
    last_seq: u64,
}

impl Control {
    /// Runs until the driver has ended.
    async fn run(mut self, stop: impl Future<Output = ()>) {
        let mut lines = lines::read();
        let mut stopping = false;
        tokio::pin!(stop);
        loop {
            tokio::select! {
                report = self.reports.recv() => match report {
                    Some(report) => self.reported(report),
                    None => break,
                },
                line = lines.recv(), if !stopping => match line {
                    Some(line) => stopping = self.line(line).await,
                    None => stopping = self.stop().await,
                },
                () = &mut stop, if !stopping => stopping = self.stop().await,
            }
        }
        self.printer.finish();
    }

    /// Ends the driver, nobody waiting for the answer.
    async fn stop(&mut self) -> bool {
        let token = self.token();
        self.tell(Happening::Command(token, Command::Stop)).await;
        true
    }

    /// True when the line was the last to be read.
    async fn line(&mut self, line: Line) -> bool {
        let Request { id, action } = request::parse(&line, &self.planted);
        let action = match action {
            Ok(action) => action,
            Err(failure) => {
                self.print_failure(&id, &failure);
                return false;
            }
        };
        match action {
            Action::Answer(result) => self.printer.print(&json!({"jsonrpc": "2.0", "id": id, "result": result})),
            Action::Text(result) => {
                self.printer.print(&format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#));
            }
            Action::Start(options) => {
                let token = self.wait(id);
                self.tell(Happening::Start(token, *options)).await;
            }
            Action::Barrier => {
                let token = self.wait(id);
                self.tell(Happening::Barrier(token)).await;
            }
            Action::Command(command) => {
                let stops = matches!(command, Command::Stop);
                let token = self.wait(id);
                self.tell(Happening::Command(token, command)).await;
                return stops;
            }
        }
        false
    }

    fn reported(&mut self, report: Report) {
        match report {
            Report::Started(token, result) => {
                self.answer(token, result.map(answer::started).map_err(Failure::from));
            }
            Report::Reply(token, result) => {
                self.answer(token, result.map(answer::answer).map_err(Failure::from));
            }
            Report::Event(event) => {
                crate::by_hand::log(&event);
                if let Some((method, params)) = notification(&event) {
                    self.notify(method, params);
                }
            }
        }
    }

    fn answer(&mut self, token: Token, result: Result<Value, Failure>) {
        let Some(id) = self.pending.remove(&token) else { return };
        match result {
            Ok(result) => self.printer.print(&json!({"jsonrpc": "2.0", "id": id, "result": result})),
            Err(failure) => self.print_failure(&id, &failure),
        }
    }

    fn print_failure(&self, id: &Value, failure: &Failure) {
        self.printer.print(&json!({"jsonrpc": "2.0", "id": id, "error": failure}));
    }

    fn notify(&mut self, method: &str, mut params: Value) {
        self.last_seq += 1;
        params["seq"] = self.last_seq.into();
        self.printer.print(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn wait(&mut self, id: Value) -> Token {
        let token = self.token();
        self.pending.insert(token, id);
        token
    }

    fn token(&mut self) -> Token {
        self.last_token += 1;
        Token(self.last_token)
    }

    async fn tell(&self, happening: Happening) {
        // The driver outlives all requests but those behind a shutdown, which nobody answers.
        let _ = self.happenings.send(happening).await;
    }
}

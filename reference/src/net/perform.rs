//! Doing what the node says: the second half of the driver.

use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::{
    driver::{Driver, Report},
    link::Closing,
};
use crate::{
    node::{ConnId, How, Input, MemberId, Output, SyncStream, Token},
    wire::Payload,
};

impl Driver {
    /// Does an output as the planted faults leave it. A table is made into frames at once, so that they can be seen.
    pub(super) fn filtered(&mut self, output: Output) {
        if self.planted.is_empty() {
            return self.perform(output);
        }
        match self.filter(|planted, context| planted.output(context, output)) {
            Some(Output::Send(conn, payload)) => self.frame_out(conn, payload),
            Some(Output::SendLate(conn, message)) => {
                if let Ok(payload) = message.encode() {
                    self.frame_out(conn, payload.into());
                }
            }
            Some(Output::Sync(conn, stream)) => stream.for_each(|payload| self.frame_out(conn, payload.into())),
            Some(output) => self.perform(output),
            None => {}
        }
    }

    fn frame_out(&mut self, conn: ConnId, payload: Payload) {
        if let Some(payload) = self.filter(|planted, context| planted.frame_out(context, conn, payload)) {
            self.send(conn, payload);
        }
    }

    pub(super) fn perform(&mut self, output: Output) {
        match output {
            Output::Dial { conn, host, port } => {
                let link = self.open(conn);
                let tls = self.tls.clone();
                self.tasks.spawn(link.dial(host, port, tls));
            }
            Output::Send(conn, payload) => self.send(conn, payload),
            Output::SendLate(conn, message) => {
                if let Ok(payload) = message.encode() {
                    self.send(conn, payload.into());
                }
            }
            Output::Sync(conn, stream) => self.sync(conn, stream),
            Output::Close(conn, how) => self.close(conn, how),
            Output::Reply(token, result) => self.report(Report::Reply(token, result)),
            Output::Event(event) => self.report(Report::Event(event)),
            Output::Deliver { members, text, report } => self.deliver(&members, text, report),
        }
    }

    pub(super) fn send(&mut self, conn: ConnId, payload: Payload) {
        let Some(connection) = self.connections.get(&conn) else { return };
        if connection.outbox.push(payload).is_err() {
            tracing::warn!(?conn, "closed: the peer does not read, and too much waits for it");
            self.connections.remove(&conn);
            self.added.push_back(Input::Closed(conn));
        }
    }

    pub(super) fn sync(&mut self, conn: ConnId, stream: SyncStream) {
        if let Some(connection) = self.connections.get(&conn) {
            connection.outbox.push_sync(stream);
        }
    }

    pub(super) fn close(&mut self, conn: ConnId, how: How) {
        let Some(connection) = self.connections.remove(&conn) else { return };
        if how == How::Flush && connection.closing.send(Closing::Flush).is_ok() {
            self.leaving.retain(|closing| !closing.is_closed());
            self.leaving.push(connection.closing);
        }
    }

    fn deliver(&mut self, to: &[MemberId], text: String, report: Option<Token>) {
        let text = Utf8Bytes::from(text);
        let mut failed = 0;
        for member in to {
            if !self.members.get(member).is_some_and(|handle| handle.deliver(text.clone())) {
                failed += 1;
                if let Some(member) = self.filter(|planted, context| planted.undelivered(context, *member)) {
                    self.members.remove(&member);
                    self.added.push_back(Input::MemberLeft(member));
                }
            }
        }
        if let Some(report) = report {
            self.added.push_back(Input::Delivered { report, failed });
        }
    }
}

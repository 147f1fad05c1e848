//! Steps of WebSocket members.

use crate::results::Cause;
use crate::scenario::step::{CloseMember, MemberReading, MemberSend, MemberStep, Texts};
use crate::websocket::{Member, MemberError};

use super::context::Context;
use super::stop::{StepResult, Stop};

impl Context<'_> {
    /// Connects a member to a room.
    pub(super) fn join_room(&mut self, step: &MemberStep) -> StepResult {
        let key = self.node_key(step.node.as_deref())?;
        let room = step.room.text("room", self)?;
        let name = self.name(&step.name)?;
        self.join_room_as(&name, &key, &room)
    }

    /// Connects a member to a room of a node.
    pub(super) fn join_room_as(&mut self, name: &str, key: &str, room: &str) -> StepResult {
        let url = self.node(key)?.websocket.clone().ok_or_else(|| {
            Stop::Adapter(format!(
                "`{key}` claims the capability rooms, but its answer to node.start has no `websocket`"
            ))
        })?;
        let member = Member::connect(&url, room, self.deadline).map_err(|error| {
            Stop::broken(Cause::MissingFrame, format!("a WebSocket client could not join a room of `{key}`: {error}"))
        })?;
        self.ledger.member_joins(key, name, room);
        self.members.insert(name.to_owned(), member);
        Ok(())
    }

    /// Awaits texts.
    pub(super) fn texts(&mut self, step: &Texts) -> StepResult {
        for name in step.member.names() {
            let name = self.name(name)?;
            for expected in &step.are {
                let expected = expected.text("a text", self)?;
                let deadline = self.deadline;
                let wanted = abbreviated(&expected);
                let broken = match self.member(&name)?.next(deadline) {
                    Ok(heard) if heard.text == expected => continue,
                    Ok(heard) => Stop::broken(Cause::UnexpectedFrame, format!("member `{name}` got another text"))
                        .actual(abbreviated(&heard.text)),
                    Err(MemberError::TimedOut(_)) => {
                        Stop::broken(Cause::MissingFrame, format!("member `{name}` got nothing more"))
                            .meanwhile(self.arrived())
                    }
                    Err(error) => Stop::broken(Cause::EarlyClose, format!("the connection of member `{name}` ended"))
                        .actual(error.to_string()),
                };
                return Err(broken.expected(wanted).into());
            }
        }
        Ok(())
    }

    /// Sends a text as a member.
    pub(super) fn member_send(&mut self, step: &MemberSend) -> StepResult {
        let name = self.name(&step.member)?;
        let text = step.text.text("a text", self)?;
        self.member(&name)?.send(&text);
        Ok(())
    }

    /// Stops or resumes a member's reading.
    pub(super) fn member_reading(&mut self, step: &MemberReading) -> StepResult {
        let name = self.name(&step.member)?;
        self.member(&name)?.set_reading(step.enabled);
        Ok(())
    }

    /// Ends a member's connection.
    pub(super) fn close_member(&mut self, step: &CloseMember) -> StepResult {
        let name = self.name(&step.member)?;
        if step.abruptly {
            if let Some(member) = self.members.shift_remove(&name) {
                member.drop_abruptly();
            }
        } else {
            self.member(&name)?.close();
        }
        Ok(())
    }

    /// Awaits that the node ends a member's connection; texts may come before.
    pub(super) fn expect_member_closed(&mut self, name: &str) -> StepResult {
        let name = self.name(name)?;
        let deadline = self.deadline;
        loop {
            match self.member(&name)?.next(deadline) {
                Ok(_) => {}
                Err(MemberError::TimedOut(_)) => {
                    return Err(
                        Stop::broken(Cause::StillOpen, format!("the connection of member `{name}` lives on")).into()
                    );
                }
                Err(_) => return Ok(()),
            }
        }
    }
}

fn abbreviated(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((cut, _)) => format!("{:?}… ({} bytes)", &text[..cut], text.len()),
        None => format!("{text:?}"),
    }
}

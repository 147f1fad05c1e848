//! Whose turn it is: what the end of a child leads to, which child is stopped next, and which is started.

use std::{mem, time::Instant};

use super::{
    Action, Attempt, PATIENCE, Phase, Reply, Strategy, Supervisor,
    child::{Child, State},
};

impl<P: Clone + PartialEq> Supervisor<P> {
    pub(super) fn child_ended(&mut self, index: usize, crash: bool, now: Instant) {
        let child = &mut self.children[index];
        child.state = State::Idle;
        if child.must_stop {
            self.stopped(index, now);
        } else if self.phase == Phase::Starting {
            self.put_off.push((child.serial, crash, now));
            self.advance(now);
        } else {
            self.handle_end(index, crash, now, now);
        }
    }

    fn handle_end(&mut self, index: usize, crash: bool, heard: Instant, now: Instant) {
        if self.children[index].needs_restart(crash) {
            self.restart(index, heard, now);
        } else if self.is_simple() {
            self.children.remove(index);
        }
    }

    /// Counts a restart when it was heard of, and begins it with all whom it concerns (SUP-9 to SUP-11), or gives up
    /// (SUP-15).
    pub(super) fn restart(&mut self, index: usize, heard: Instant, now: Instant) {
        if !self.intensity.count(heard) {
            return self.end(now);
        }
        let concerned = match self.strategy {
            Strategy::OneForOne | Strategy::SimpleOneForOne => index..index + 1,
            Strategy::OneForAll => 0..self.children.len(),
            Strategy::RestForOne => index..self.children.len(),
        };
        for child in &mut self.children[concerned] {
            if child.is_under_way() {
                child.must_stop = true;
            } else {
                child.renew();
            }
        }
        self.advance(now);
    }

    /// Stops everything, to end then.
    pub(super) fn end(&mut self, now: Instant) {
        if self.phase == Phase::Ended {
            return;
        }
        self.phase = Phase::Ending;
        for child in &mut self.children {
            child.must_stop = child.is_under_way();
            if !child.must_stop {
                child.state = State::Idle;
            }
        }
        self.advance(now);
    }

    /// A child that had to be stopped has been, or is given up.
    pub(super) fn stopped(&mut self, index: usize, now: Instant) {
        let child = &mut self.children[index];
        child.must_stop = false;
        child.renew();
        if self.phase == Phase::Ending {
            child.state = State::Idle;
        }
        if self.stopping.is_some_and(|(serial, _)| serial == child.serial) {
            self.stopping = None;
        }
        if let Some(caller) = child.caller.take() {
            self.reply(caller, Reply::Gone);
        }
        self.advance(now);
    }

    /// Does what is next: stops come before starts, the last child before the one in front of it (SUP-18).
    pub(super) fn advance(&mut self, now: Instant) {
        if self.stopping.is_some() {
            return;
        }
        if let Some(child) = self.children.iter().rfind(|child| child.must_stop) {
            self.stopping = Some((child.serial, now + PATIENCE));
            // One that is still starting is told as soon as it has a name.
            if let State::Running(pid) = &child.state {
                self.actions.push(Action::Stop(pid.clone()));
            }
            return;
        }
        match self.phase {
            Phase::Ending => {
                self.phase = Phase::Ended;
                self.actions.push(Action::End);
            }
            Phase::Starting => {
                self.start_due();
                if !self.children.iter().any(|child| matches!(child.state, State::Due | State::Starting(_))) {
                    self.up(now);
                }
            }
            Phase::Up => self.start_due(),
            Phase::Ended => {}
        }
    }

    /// At the supervisor's start, and where one child's end concerns others, each child waits for the one before it
    /// (SUP-2, SUP-10, SUP-11); else none is held up by another.
    fn start_due(&mut self) {
        let in_turn =
            self.phase == Phase::Starting || matches!(self.strategy, Strategy::OneForAll | Strategy::RestForOne);
        for child in &mut self.children {
            match child.state {
                State::Due => {
                    self.last_attempt += 1;
                    let attempt = Attempt(self.last_attempt);
                    child.state = State::Starting(attempt);
                    self.actions.push(Action::Start(attempt, child.spec.clone()));
                    if in_turn {
                        return;
                    }
                }
                State::Waiting | State::Starting(_) if in_turn => return,
                _ => {}
            }
        }
    }

    /// All children have been started. What has ended meanwhile is looked at only now.
    fn up(&mut self, now: Instant) {
        self.phase = Phase::Up;
        if let Some(starter) = self.starter.take() {
            self.reply(starter, Reply::Up);
        }
        for (serial, crash, heard) in mem::take(&mut self.put_off) {
            // One that is being started again for another's sake needs no restart of its own.
            let is_it = |child: &Child<P>| child.serial == serial && matches!(child.state, State::Idle);
            if self.phase == Phase::Up
                && let Some(index) = self.children.iter().position(is_it)
            {
                self.handle_end(index, crash, heard, now);
            }
        }
    }
}

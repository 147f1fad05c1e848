//! Nodes, the wires between them and the clock: lets happen what is to happen and does what nodes ask for. Judges
//! nothing, and knows no schedule.

use std::time::{Duration, Instant};

use super::{
    host::Host,
    judge::Judge,
    mirror::Mirror,
    random::Random,
    schedule::{Noticed, Place},
    wires::{Arrival, End, EndState, Happening, Micros, Run, Severed, Side, WireId, Wires},
    words,
};
use crate::{
    faults::{Planted, UnknownFault},
    node::{Answer, Command, CommandError, ConnId, Identity, Input, Output, Role, Timings, Token},
    wire::{Creation, NodeName, handshake::Cookie},
};

/// As in real clusters, but a few times faster.
pub(crate) const TIMINGS: Timings = Timings {
    heartbeat_interval: Duration::from_secs(10),
    heartbeat_timeout: Duration::from_secs(5),
    handshake_timeout: Duration::from_secs(3),
};

/// A dial comes to nothing of itself once in so many.
const BAD_DIALS: u64 = 25;

/// What a world is made of.
pub(crate) struct World {
    pub(crate) wires: Wires,
    pub(crate) judge: Judge,
    names: Vec<NodeName>,
    hosts: Vec<Option<Host>>,
    runs: Vec<Run>,
    /// Nodes whose machines are gone, too: dials to them hang instead of being refused.
    pub(crate) is_dark: Vec<bool>,
    /// Whether dials come to nothing of themselves.
    pub(crate) has_bad_dials: bool,
    pub(crate) mirror: Mirror,
    faults: Vec<String>,
    seed: u64,
    beginning: Instant,
    last_token: u64,
    reply: Option<(Token, Result<Answer, CommandError>)>,
    trace: Option<Vec<String>>,
    /// How much may still happen before it is said that it never ends.
    patience: usize,
}

impl World {
    /// A world in which no node runs.
    pub(crate) fn new(seed: u64, nodes: usize, faults: &[String]) -> Self {
        Self {
            wires: Wires::new(seed),
            judge: Judge::new(nodes),
            names: (0..nodes).map(|place| name(place, nodes)).collect(),
            hosts: (0..nodes).map(|_| None).collect(),
            runs: vec![0; nodes],
            is_dark: vec![false; nodes],
            has_bad_dials: false,
            mirror: Mirror::default(),
            faults: faults.to_vec(),
            seed,
            beginning: Instant::now(),
            last_token: 0,
            reply: None,
            trace: None,
            patience: 200_000 + 2_000 * nodes * nodes,
        }
    }

    /// From now on everything is written down.
    pub(crate) fn trace(&mut self) {
        self.trace = Some(Vec::new());
    }

    pub(crate) fn into_trace(self) -> Vec<String> {
        self.trace.unwrap_or_default()
    }

    pub(crate) fn name(&self, place: Place) -> &NodeName {
        &self.names[place]
    }

    pub(crate) fn host(&self, place: Place) -> Option<&Host> {
        self.hosts.get(place)?.as_ref()
    }

    /// The nodes that run.
    pub(crate) fn live(&self) -> Vec<Place> {
        (0..self.hosts.len()).filter(|place| self.hosts[*place].is_some()).collect()
    }

    /// Starts a node, anew if it has run before.
    ///
    /// # Errors
    /// [`UnknownFault`].
    pub(crate) fn start(&mut self, place: Place) -> Result<(), UnknownFault> {
        let run = self.runs[place];
        let planted = Planted::new(self.faults.iter().map(String::as_str))?;
        let entropy = Random::of(&[self.seed, 3, place as u64, u64::from(run)]);
        self.hosts[place] = Some(Host::new(run, planted, entropy));
        self.is_dark[place] = false;
        self.note(|world| format!("{}  starts", world.called(place)));
        self.input(place, Input::Start(identity(self.names[place].clone(), run)));
        Ok(())
    }

    /// Ends a node. Its peers are told unless its machine ends with it.
    pub(crate) fn crash(&mut self, place: Place, noticed: bool) {
        if self.hosts[place].take().is_none() {
            return;
        }
        let how = if noticed { "" } else { ", and its machine with it" };
        self.note(|world| format!("{}  crashes{how}", world.called(place)));
        self.judge.crashed(place, self.runs[place]);
        self.runs[place] += 1;
        self.is_dark[place] = !noticed;
        let told = move |wire: &super::wires::Wire| {
            wire.ends.iter().any(|end| end.place == place).then(|| wire.ends.map(|end| end.place != place && noticed))
        };
        self.wires.sever_where(told, Severed::Crash);
    }

    /// Breaks the connections that two nodes have.
    pub(crate) fn sever(&mut self, one: Place, other: Place, noticed: Noticed) {
        let told = move |wire: &super::wires::Wire| match (wire.ends[0].place, wire.ends[1].place) {
            (from, to) if (from, to) == (one, other) => Some([noticed.here, noticed.there]),
            (from, to) if (from, to) == (other, one) => Some([noticed.there, noticed.here]),
            _ => None,
        };
        self.wires.sever_where(told, Severed::Network);
    }

    /// A command to a node that runs; `None` when the answer takes its time, or the node does not run.
    pub(crate) fn command(&mut self, place: Place, command: Command) -> Option<Result<Answer, CommandError>> {
        let run = self.host(place)?.run;
        self.last_token += 1;
        let token = Token(self.last_token);
        self.judge.asked(place, run, token);
        self.reply = None;
        self.input(place, Input::Command(token, command));
        let (answered, result) = self.reply.take()?;
        (answered == token).then_some(result)
    }

    /// Lets everything happen up to a time; the steps that fall due are `step`'s to do.
    pub(crate) fn run_until(&mut self, until: Micros, mut step: impl FnMut(&mut Self, usize)) {
        while self.judge.is_content()
            && let Some(happening) = self.wires.next(until)
        {
            self.patience = self.patience.saturating_sub(1);
            if self.patience == 0 {
                self.judge.complain("the world does not come to rest".into());
            }
            match happening {
                Happening::Step(index) => step(self, index),
                Happening::Arrives { wire, side, what, sure } => {
                    if let Some(what) = self.wires.arrived(wire, side, what, sure) {
                        self.arrived(wire, side, what);
                    }
                }
                Happening::Refused { place, run, conn } => {
                    let is_there = |host: &Host| host.run == run && host.conns.contains_key(&conn);
                    if self.host(place).is_some_and(is_there) {
                        self.gone(place, conn, Input::DialFailed(conn, "refused".into()));
                    }
                }
                Happening::Wakes { place, run } => self.wake(place, run),
            }
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.beginning + Duration::from_micros(self.wires.now)
    }

    fn wake(&mut self, place: Place, run: Run) {
        let now = self.now();
        let Some(host) = self.hosts[place].as_mut().filter(|host| host.run == run) else { return };
        host.woken_at = None;
        if host.fault_is_due(now) {
            let outputs = host.awake(now);
            self.perform(place, outputs);
        }
        if self.host(place).is_some_and(|host| host.node.next_timer().is_some_and(|due| due <= now)) {
            self.input(place, Input::Tick);
        }
        self.set_alarm(place);
    }

    /// Whatever comes to an end of a wire.
    fn arrived(&mut self, wire: WireId, side: Side, what: Arrival) {
        let End { place, run, conn, state } = self.wires.get(wire).ends[side];
        if self.mirror.is_at(place) {
            return self.mirrored(wire, side, what);
        }
        if self.host(place).is_none_or(|host| host.run != run) {
            // Nobody is there any more: whoever dialled finds that out.
            self.wires.end_mut((wire, side)).state = EndState::Gone;
            return self.wires.send(wire, 1 - side, Arrival::Closed);
        }
        match what {
            Arrival::Accepted => {
                let Some(host) = &mut self.hosts[place] else { return };
                host.conns.insert(conn, Some((wire, side)));
                self.wires.end_mut((wire, side)).state = EndState::Open;
                self.input(place, Input::Accepted(conn));
            }
            Arrival::Dialled => {
                self.wires.end_mut((wire, side)).state = EndState::Open;
                self.input(place, Input::Dialled(conn));
            }
            Arrival::Frame(payload) => {
                let from = self.wires.get(wire).ends[1 - side].place;
                self.note_frame(from, place, &payload);
                self.input(place, Input::Frame(conn, Vec::from(&*payload)));
            }
            Arrival::Closed => {
                self.wires.end_mut((wire, side)).state = EndState::Gone;
                let from = self.wires.get(wire).ends[1 - side].place;
                self.note(|world| format!("{}  loses its connection with {}", world.called(place), world.called(from)));
                let input = if state == EndState::Coming && side == 0 {
                    Input::DialFailed(conn, "connection lost".into())
                } else {
                    Input::Closed(conn)
                };
                self.gone(place, conn, input);
            }
        }
    }

    fn gone(&mut self, place: Place, conn: ConnId, input: Input) {
        if let Some(host) = &mut self.hosts[place] {
            host.conns.remove(&conn);
        }
        self.input(place, input);
    }

    /// Gives a node an input and does what it wants done.
    pub(crate) fn input(&mut self, place: Place, input: Input) {
        let now = self.now();
        let Some(host) = &mut self.hosts[place] else { return };
        let outputs = host.input(input, now);
        self.perform(place, outputs);
        self.set_alarm(place);
    }

    fn set_alarm(&mut self, place: Place) {
        let Some(host) = &mut self.hosts[place] else { return };
        let Some(next) = host.next_wake() else { return };
        if host.woken_at.is_none_or(|at| next < at) {
            host.woken_at = Some(next);
            let run = host.run;
            let at = next.saturating_duration_since(self.beginning).as_micros() as Micros;
            self.wires.at(at, Happening::Wakes { place, run });
        }
    }

    fn perform(&mut self, place: Place, outputs: Vec<Output>) {
        let run = self.runs[place];
        for output in outputs {
            match output {
                Output::Dial { conn, port, .. } => self.dial(place, conn, port),
                Output::Send(conn, payload) => self.send(place, conn, Arrival::Frame(payload)),
                Output::SendLate(conn, message) => {
                    if let Ok(payload) = message.encode() {
                        self.send(place, conn, Arrival::Frame(payload.into()));
                    }
                }
                Output::Sync(conn, stream) => {
                    stream.for_each(|payload| self.send(place, conn, Arrival::Frame(payload.into())));
                }
                Output::Close(conn, _) => self.close(place, conn),
                Output::Reply(token, result) => {
                    self.judge.answered(place, token);
                    self.reply = Some((token, result));
                }
                Output::Event(event) => {
                    self.note(|world| format!("{}  {}", world.called(place), super::told::event(&event)));
                    self.judge.event(place, run, &event);
                }
                Output::Deliver { members, text, report } => {
                    self.judge.delivered(place, run, &members, &text);
                    if let Some(report) = report {
                        self.input(place, Input::Delivered { report, failed: 0 });
                    }
                }
            }
        }
    }

    fn send(&mut self, place: Place, conn: ConnId, what: Arrival) {
        match self.hosts[place].as_ref().map(|host| host.conns.get(&conn)) {
            Some(Some(Some((wire, side)))) => self.wires.send(*wire, 1 - side, what),
            Some(_) => {
                let called = self.called(place);
                self.judge.complain(format!("{called} sends to {conn:?}, which is no connection of it"));
            }
            None => {}
        }
    }

    fn close(&mut self, place: Place, conn: ConnId) {
        let Some(host) = &mut self.hosts[place] else { return };
        match host.conns.remove(&conn) {
            Some(Some((wire, side))) => {
                self.wires.end_mut((wire, side)).state = EndState::Gone;
                self.wires.send(wire, 1 - side, Arrival::Closed);
            }
            Some(None) => {}
            None => {
                let called = self.called(place);
                self.judge.complain(format!("{called} closes {conn:?}, which is no connection of it"));
            }
        }
    }

    /// A dial reaches its node, fails, or hangs until the node gives it up.
    fn dial(&mut self, place: Place, conn: ConnId, port: u16) {
        let run = self.runs[place];
        let Some(host) = &mut self.hosts[place] else { return };
        host.conns.insert(conn, None);
        host.dials += 1;
        let number = host.dials;
        let from = End { place, run, conn, state: EndState::Coming };
        if self.mirror.port == Some(port) {
            let wire = self.join(from, End { place: self.mirror.place, run: 0, conn, state: EndState::Coming });
            self.mirror.dialled = Some(wire);
            return;
        }
        let Some(target) = usize::from(port).checked_sub(1).filter(|target| *target < self.hosts.len()) else { return };
        let chance = Random::of(&[self.seed, 4, place as u64, u64::from(run), number]).below(2 * BAD_DIALS);
        let fate = if self.has_bad_dials { chance } else { u64::MAX };
        if !self.wires.are_free(place, target) || fate == 0 {
            return;
        }
        match &mut self.hosts[target] {
            Some(host) if fate != 1 => {
                host.last_accepted += 1;
                let conn = ConnId { role: Role::Accepted, serial: host.last_accepted };
                let to = End { place: target, run: host.run, conn, state: EndState::Coming };
                self.join(from, to);
            }
            None if self.is_dark[target] => {}
            _ => {
                let at = self.wires.now + 2 * self.wires.delay(place, target, number);
                self.wires.at(at, Happening::Refused { place, run, conn });
            }
        }
    }

    /// The wire between a node that has dialled and whoever it has reached.
    pub(crate) fn join(&mut self, from: End, to: End) -> WireId {
        let wire = self.wires.join(from, to);
        if let Some(Some(host)) = self.hosts.get_mut(from.place) {
            host.conns.insert(from.conn, Some((wire, 0)));
        }
        wire
    }

    /// The end that a connection from outside has on a node.
    pub(crate) fn accepting_end(&mut self, place: Place) -> Option<End> {
        let host = self.hosts[place].as_mut()?;
        host.last_accepted += 1;
        let conn = ConnId { role: Role::Accepted, serial: host.last_accepted };
        Some(End { place, run: host.run, conn, state: EndState::Coming })
    }

    /// What a node is called in traces.
    pub(crate) fn called(&self, place: Place) -> &str {
        self.names.get(place).map_or("M", |name| words::node(name.as_str()))
    }

    /// Writes something down, if anything is.
    pub(crate) fn note(&mut self, line: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = format!("{:>9.1} ms  {}", self.wires.now as f64 / 1_000.0, line(self));
            self.trace.get_or_insert_default().push(line);
        }
    }

    fn note_frame(&mut self, from: Place, to: Place, payload: &[u8]) {
        use crate::wire::membership::{PING, PONG};
        if !matches!(payload.first(), Some(&(PING | PONG))) {
            self.note(|world| format!("{} -> {}  {}", world.called(from), world.called(to), words::payload(payload)));
        }
    }
}

/// Letters while they suffice; in the order of their places.
fn name(place: Place, nodes: usize) -> NodeName {
    let word = if nodes <= 26 { char::from(b'A' + place as u8).to_string() } else { format!("N{place:03}") };
    parsed(&format!("{word}@h:{}", place + 1))
}

/// A name that is written in this module.
pub(crate) fn parsed(name: &str) -> NodeName {
    NodeName::parse(name).unwrap_or_else(|why| unreachable!("{name}: {why}"))
}

fn identity(name: NodeName, run: Run) -> Identity {
    // Creations count from 1, and no schedule has 255 runs.
    let creation = Creation::new((run % 255) as u8 + 1).unwrap_or_else(|| unreachable!("from 1 to 255"));
    let cookie = Cookie::new(b"secret".to_vec()).unwrap_or_else(|| unreachable!("not empty"));
    Identity { name, creation, cookie, timings: TIMINGS }
}

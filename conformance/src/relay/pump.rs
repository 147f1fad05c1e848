//! One direction of one relayed connection: takes what comes at one end, waits where it is told to, and sends it at the other.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::codec;
use crate::peer::{Close, ClosingKind, Connection, Received, frame};
use crate::schema::Phase;

use super::fault::CutHow;
use super::front::LONG;
use super::link::{From, Side};
use super::state::{Shapes, Sight, Strikes};
use super::wire::{Fate, Wire};
use super::{Mode, Shared};

/// What is throttled goes in so many pieces a second.
const PIECES_A_SECOND: u64 = 20;

pub(super) struct Pump<'a> {
    pub(super) shared: &'a Shared,
    pub(super) number: usize,
    /// Who sends what goes through here.
    pub(super) side: Side,
    pub(super) mode: Mode,
    pub(super) source: Connection,
}

/// Why nothing more goes through.
struct Over;

/// What the gate says of what stands before it.
enum Gate {
    Open,
    Cut,
}

impl Pump<'_> {
    /// Passes on until either end is closed for good.
    pub(super) fn run(self) {
        while let Ok(()) = self.next() {}
    }

    fn next(&self) -> Result<(), Over> {
        match self.source.next(Instant::now() + LONG) {
            Received::TimedOut => Ok(()),
            Received::Frame { at, payload } => self.frame(at, payload),
            Received::Closed(closing) => {
                self.closed(closing.at, &closing.kind);
                Err(Over)
            }
        }
    }

    fn frame(&self, at: Instant, mut payload: Vec<u8>) -> Result<(), Over> {
        let phase = self.shared.state.look().wires[self.number].phase();
        let message = self.message(phase, &payload);
        if message.as_deref() == Some("NAME") && self.side == Side::Dialler && self.is_refused(&payload) {
            self.record(&payload, Fate::Lost);
            return Ok(());
        }
        let shapes = self.wait_out_delay(at)?;
        let strikes = self.strikes(phase, message.as_deref(), &payload, false);
        if let Some((from, how, keep)) = strikes.cut {
            if let Some(keep) = keep
                && let Gate::Open = self.gate()?
            {
                let mut part = self.bytes(&payload);
                part.truncate(keep);
                self.record(&payload, Fate::Part(part.len()));
                self.send(part, &shapes)?;
                self.cut(&from, how);
                return Ok(());
            }
            self.cut(&from, how);
        }
        match self.gate()? {
            Gate::Cut => self.record(&payload, Fate::Lost),
            Gate::Open => {
                let fate = corrupt(&mut payload, strikes.corrupt);
                self.record(&payload, fate);
                self.passes(message.as_deref());
                self.send(self.bytes(&payload), &shapes)?;
                if let Some((from, how, _)) = self.strikes(phase, message.as_deref(), &payload, true).cut {
                    self.cut(&from, how);
                }
            }
        }
        Ok(())
    }

    /// The end of the source, which comes behind all its frames and waits as they do.
    fn closed(&self, at: Instant, kind: &ClosingKind) {
        let how = match kind {
            ClosingKind::Fin => Close::HalfClose,
            ClosingKind::CloseNotify => Close::CloseNotifyThenFin,
            ClosingKind::Reset | ClosingKind::Failed(_) => Close::Reset,
            ClosingKind::Alert(_) | ClosingKind::BadTls(_) | ClosingKind::TooLong { .. } => {
                // Nothing more is read there.
                self.source.close(Close::Fin);
                Close::Fin
            }
            // This relay's own doing has been told to whom it was meant for.
            ClosingKind::Own => return,
        };
        self.shared.state.change(|state| {
            let wire = &mut state.wires[self.number];
            wire.over = true;
            wire.note(format!("the {} ended it: {kind:?}", who(wire, self.side)));
        });
        if self.wait_out_delay(at).is_ok()
            && matches!(self.gate(), Ok(Gate::Open))
            && let Ok(target) = self.target()
        {
            target.close(how);
        }
    }

    /// The name of a frame's message, as its tag tells it.
    fn message(&self, phase: Phase, payload: &[u8]) -> Option<String> {
        if self.mode == Mode::Tcp {
            return None;
        }
        self.shared.schema.by_tag(phase, *payload.first()?).map(|layout| layout.name.clone())
    }

    fn fields(&self, phase: Phase, payload: &[u8]) -> Option<Value> {
        codec::decode(&self.shared.schema, phase, payload).ok().map(|decoded| decoded.message.fields_json())
    }

    /// Reads who dials. Refused: the dialler is told so, and the node behind sees a connection that came to nothing.
    fn is_refused(&self, payload: &[u8]) -> bool {
        let fields = self.fields(Phase::Handshake, payload);
        let Some(name) = fields.as_ref().and_then(|fields| fields.get("name")).and_then(Value::as_str) else {
            return false;
        };
        let refused = self.shared.state.change(|state| {
            // A second NAME changes nothing.
            if state.wires[self.number].dialler().is_some() {
                return None;
            }
            let how = state.named(self.number, name)?;
            let wire = &mut state.wires[self.number];
            wire.note(format!("refused at NAME ({how:?})"));
            wire.over = true;
            for side in Side::BOTH {
                wire.flow(side).cut = true;
            }
            Some(how)
        });
        let Some(how) = refused else { return false };
        // One that has not come about yet will find out.
        if let Some(target) = self.shared.state.look().wires[self.number].ends[self.side.other() as usize].clone() {
            target.close(Close::Fin);
        }
        match how {
            CutHow::Fin => self.source.close(Close::Fin),
            CutHow::Reset => self.source.close(Close::Reset),
            CutHow::Silent => {}
        }
        true
    }

    /// Waits until it is time for what arrived then. Tells how to pass it on.
    fn wait_out_delay(&self, at: Instant) -> Result<Shapes, Over> {
        let shapes = self.shared.state.look().shapes(self.number, self.side);
        if shapes.delay.is_zero() {
            return Ok(shapes);
        }
        match self.shared.state.wait_until(at + shapes.delay, |state| state.over.then_some(())) {
            Some(()) => Err(Over),
            None => Ok(shapes),
        }
    }

    fn strikes(&self, phase: Phase, message: Option<&str>, payload: &[u8], passed: bool) -> Strikes {
        let fields = || self.fields(phase, payload);
        let sight = Sight { message, fields: &fields, passed };
        self.shared.state.change(|state| state.reach(self.number, self.side, &sight))
    }

    /// Waits while this direction is held.
    fn gate(&self) -> Result<Gate, Over> {
        // Whoever waits for something to be held is told that it is.
        self.shared.state.change(|state| state.wires[self.number].flow(self.side).waiting = true);
        self.shared.state.wait(|state| {
            if state.over {
                return Some(Err(Over));
            }
            let flow = state.wires[self.number].flow(self.side);
            let gate = if flow.cut {
                Some(Gate::Cut)
            } else if flow.held_by.is_empty() {
                Some(Gate::Open)
            } else if flow.permits > 0 {
                flow.permits -= 1;
                Some(Gate::Open)
            } else {
                None
            };
            flow.waiting = gate.is_none();
            gate.map(Ok)
        })
    }

    /// What goes on the wire for a frame.
    fn bytes(&self, payload: &[u8]) -> Vec<u8> {
        match self.mode {
            Mode::Tcp => payload.to_vec(),
            Mode::Tls => frame(payload),
        }
    }

    /// The other end, which may still be at its TLS handshake.
    fn target(&self) -> Result<Connection, Over> {
        self.shared.state.wait(|state| {
            let wire = &state.wires[self.number];
            match &wire.ends[self.side.other() as usize] {
                _ if state.over => Some(Err(Over)),
                Some(target) => Some(Ok(target.clone())),
                None => wire.gone.then_some(Err(Over)),
            }
        })
    }

    /// Sends, and waits until the other side has taken it: what it does not take is not read on this side.
    fn send(&self, bytes: Vec<u8>, shapes: &Shapes) -> Result<(), Over> {
        let target = self.target()?;
        let pieces: Vec<&[u8]> = match &shapes.split {
            Some(split) => split.cut(&bytes),
            None => vec![&bytes],
        };
        let Some(rate) = shapes.bytes_per_second else {
            target.send_pieces(pieces.into_iter().map(|piece| (piece.to_vec(), Duration::ZERO)));
            return flushed(&target);
        };
        let most = usize::try_from((rate / PIECES_A_SECOND).max(1)).unwrap_or(usize::MAX);
        for piece in pieces.into_iter().flat_map(|piece| piece.chunks(most)) {
            target.send(piece);
            flushed(&target)?;
            let pause = Duration::from_secs_f64(piece.len() as f64 / rate as f64);
            if self.shared.state.wait_until(Instant::now() + pause, |state| state.over.then_some(())).is_some() {
                return Err(Over);
            }
        }
        Ok(())
    }

    fn cut(&self, from: &From, how: CutHow) {
        self.shared.cut(|state| state.cut(self.number, from, how));
    }

    fn record(&self, payload: &[u8], fate: Fate) {
        self.shared.state.change(|state| state.wires[self.number].crossed(self.side, payload, fate));
    }

    /// ACK makes a session of it, before either side can say anything more.
    fn passes(&self, message: Option<&str>) {
        if message == Some("ACK") && self.side == Side::Fronted {
            self.shared.state.change(|state| state.wires[self.number].authenticated = true);
        }
    }
}

/// A target that has ended is told by the other direction, whose source it is.
fn flushed(target: &Connection) -> Result<(), Over> {
    target.flush(Instant::now() + LONG).map_err(|_| Over)
}

/// Turns one byte over; where there are fewer, the last.
fn corrupt(payload: &mut [u8], byte: Option<usize>) -> Fate {
    let last = payload.len().saturating_sub(1);
    match byte.and_then(|byte| payload.get_mut(byte.min(last))) {
        Some(byte) => {
            *byte = !*byte;
            Fate::Corrupted
        }
        None => Fate::Passed,
    }
}

fn who(wire: &Wire, side: Side) -> String {
    match side {
        Side::Dialler => wire.dialler().unwrap_or("dialler").to_owned(),
        Side::Fronted => wire.fronted().to_owned(),
    }
}

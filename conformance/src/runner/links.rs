//! Steps that hold, break and observe relayed links.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::codec;
use crate::relay::{
    Crossing, CutHow, Ends, Fate, Fault, FieldCheck, From, Line, Link, Mode, OTHERS, Place, Shape, Side, Split, State,
    Wire,
};
use crate::results::{Cause, Direction, SessionTrace, TraceLine};
use crate::scenario::matcher::{Captures, MatchError};
use crate::scenario::step::{
    AwaitHeld, Corrupt, Cut, Delay, Hold, LinkOf, LinkOnly, Passed, Point, Refuse, Release, Sessions, SessionsOver,
    SplitWrites, Throttle,
};
use crate::scenario::{Expression, Matcher, RelayMode, Scope};
use crate::schema::MessageLayout;

use super::context::Context;
use super::stop::{StepResult, Stop};

/// How many frames of each connection a report shows.
const FRAMES: usize = 20;

/// What stands for a scope where everything has been computed.
struct Settled;

impl Scope for Settled {
    fn lookup(&self, _path: &str) -> Option<Value> {
        None
    }
}

impl Context<'_> {
    /// Holds a link at once or from a point on.
    pub(super) fn hold_link(&mut self, step: &Hold) -> StepResult {
        let from = self.whose(step.from.as_ref())?;
        let at = step.at.as_ref().map(|point| (&point.0, false)).or(step.after.as_ref().map(|point| (&point.0, true)));
        for link in self.links(&step.link, step.dialled_by.as_deref())? {
            let place = at.map(|(point, after)| self.place(point, after, &from, &link)).transpose()?;
            self.relays.state().change(|state| state.add(link, from.clone(), place, Fault::Hold));
        }
        Ok(())
    }

    /// Awaits that something is held.
    pub(super) fn await_held(&mut self, step: &AwaitHeld) -> StepResult {
        let links = self.links(&step.link, step.dialled_by.as_deref())?;
        let from = self.whose(step.from.as_ref())?;
        let count = number_or(step.count.as_ref(), "count", 1, self)?;
        let held = |state: &State| links.iter().map(|link| state.held(link, &from)).sum::<usize>() as u64;
        let reached =
            self.relays.state().wait_until(self.deadline, |state| (held(state) >= count).then_some(())).is_some();
        if reached {
            return Ok(());
        }
        let held = held(&self.relays.state().look());
        Err(self.nothing_on_link("what a link was to be held at did not come").map_or_else(
            |stop| stop,
            |broken| {
                broken
                    .expected(format!("{count} held at {}", described(&links, &from)))
                    .actual(format!("{held} held"))
                    .into()
            },
        ))
    }

    /// Lets what is held go on.
    pub(super) fn release_link(&mut self, step: &Release) -> StepResult {
        let from = self.whose(step.from.as_ref())?;
        let frames = step.frames.as_ref().map(|frames| frames.number("frames", self)).transpose()?;
        for link in self.links(&step.link, step.dialled_by.as_deref())? {
            self.relays.state().change(|state| state.release(&link, &from, frames));
        }
        Ok(())
    }

    /// Cuts a link at once or at a point.
    pub(super) fn cut_link(&mut self, step: &Cut) -> StepResult {
        let from = self.whose(step.from.as_ref())?;
        let how = self.how(step.how.as_ref())?;
        let keep = step.keep.as_ref().map(|keep| keep.number("keep", self)).transpose()?;
        let keep = keep.map(|keep| usize::try_from(keep).unwrap_or(usize::MAX));
        let at = step.at.as_ref().map(|point| (&point.0, false)).or(step.after.as_ref().map(|point| (&point.0, true)));
        for link in self.links(&step.link, step.dialled_by.as_deref())? {
            match at {
                None => self.relays.cut(&link, &from, how),
                Some((point, after)) => {
                    let place = self.place(point, after, &from, &link)?;
                    let fault = Fault::Cut { how, keep };
                    self.relays.state().change(|state| state.add(link, from.clone(), Some(place), fault));
                }
            }
        }
        Ok(())
    }

    /// Refuses new connections.
    pub(super) fn refuse_link(&mut self, step: &Refuse) -> StepResult {
        let how = self.how(step.how.as_ref())?;
        for link in self.links(&step.link, step.dialled_by.as_deref())? {
            self.relays.state().change(|state| state.refuse(link, how));
        }
        Ok(())
    }

    /// Refuses new connections first, so that none slips through, and cuts those that stand. All are held before the first is cut: one that
    /// has lost its connection to an owner of names must not be able to tell those who have not yet (REG-H2).
    pub(super) fn partition(&mut self, step: &Refuse) -> StepResult {
        self.refuse_link(step)?;
        for link in self.links(&step.link, step.dialled_by.as_deref())? {
            self.relays.state().change(|state| state.add(link, From::Either, None, Fault::Hold));
        }
        let how = self.how(step.how.as_ref())?;
        for link in self.links(&step.link, step.dialled_by.as_deref())? {
            self.relays.cut(&link, &From::Either, how);
        }
        Ok(())
    }

    /// Takes back what was asked for a link.
    pub(super) fn heal_link(&mut self, step: &LinkOnly) -> StepResult {
        for link in self.links(&step.link, None)? {
            self.relays.state().change(|state| state.heal(&link));
        }
        Ok(())
    }

    /// Makes a link slow to answer.
    pub(super) fn delay_link(&mut self, step: &Delay) -> StepResult {
        let delay = Shape::Delay(Duration::from_millis(step.ms.number("ms", self)?));
        self.shape_link(&step.link, step.from.as_ref(), &delay)
    }

    /// Makes a link narrow.
    pub(super) fn throttle_link(&mut self, step: &Throttle) -> StepResult {
        let throttle = Shape::Throttle(step.bytes_per_second.number("bytes_per_second", self)?);
        self.shape_link(&step.link, step.from.as_ref(), &throttle)
    }

    /// Makes a link cut what it passes on into pieces.
    pub(super) fn split_link(&mut self, step: &SplitWrites) -> StepResult {
        let size =
            |size: &Expression| Ok::<_, Stop>(usize::try_from(size.number("a size", self)?).unwrap_or(usize::MAX));
        let split = match &step.every {
            Some(every) => Split::Every(size(every)?),
            None => Split::Sizes(step.sizes.iter().map(size).collect::<StepResult<_>>()?),
        };
        self.shape_link(&step.link, step.from.as_ref(), &Shape::Split(split))
    }

    fn shape_link(&self, link: &LinkOf, from: Option<&Sessions>, shape: &Shape) -> StepResult {
        let from = self.whose(from)?;
        for link in self.links(link, None)? {
            self.relays.state().change(|state| state.shape(link, from.clone(), shape.clone()));
        }
        Ok(())
    }

    /// Turns over one byte.
    pub(super) fn corrupt_link(&mut self, step: &Corrupt) -> StepResult {
        let from = self.whose(step.from.as_ref())?;
        let byte = usize::try_from(step.byte.number("byte", self)?).unwrap_or(usize::MAX);
        for link in self.links(&step.link, None)? {
            let place = step.at.as_ref().map(|point| self.place(&point.0, false, &from, &link)).transpose()?;
            self.relays.state().change(|state| state.add(link, from.clone(), place, Fault::Corrupt { byte }));
        }
        Ok(())
    }

    /// Awaits frames that have been passed on.
    pub(super) fn passed(&mut self, step: &Passed) -> StepResult {
        let links = self.links(&step.link, step.dialled_by.as_deref())?;
        let from = self.whose(step.from.as_ref())?;
        let message = self.name(&step.message)?;
        let Some(layout) = self.schema().message(&message) else {
            return Err(Stop::Harness(format!("there is no message {message}")));
        };
        let fields = Matcher::Object(step.fields.clone()).settled(self)?;
        let exactly = step.count.as_ref().map(|count| count.number("count", self)).transpose()?;
        let at_least = match exactly {
            Some(count) => count,
            None => number_or(step.at_least.as_ref(), "at_least", 1, self)?,
        };
        let since = step.since.as_ref().map(|clock| self.since(clock)).transpose()?;
        let count = |state: &State| -> u64 {
            let wires = links.iter().flat_map(|link| state.of(link));
            let frames = wires.flat_map(|wire| wire.lines.iter().map(move |line| (wire, line)));
            frames
                .filter(|(wire, line)| {
                    since.is_none_or(|since| line.at >= since) && self.is_passed(wire, line, &from, layout, &fields)
                })
                .count() as u64
        };
        self.relays.state().wait_until(self.deadline, |state| (count(state) >= at_least).then_some(()));
        let passed = count(&self.relays.state().look());
        let wanted = match exactly {
            Some(exactly) => exactly.to_string(),
            None => format!("at least {at_least}"),
        };
        let expected = format!("{wanted} {message} {} over {}", fields.describe(self)?, described(&links, &from));
        if passed < at_least {
            return Err(match self.nothing_on_link(&format!("too few {message} went over a link")) {
                Ok(broken) => broken.expected(expected).actual(passed.to_string()).into(),
                Err(stop) => stop,
            });
        }
        if exactly.is_some_and(|exactly| passed > exactly) {
            return Err(Stop::broken(Cause::UnexpectedFrame, format!("too many {message} went over a link"))
                .expected(expected)
                .actual(passed.to_string())
                .into());
        }
        Ok(())
    }

    /// The tag first, which parts most frames; fields only of those that are left.
    fn is_passed(&self, wire: &Wire, line: &Line, from: &From, layout: &MessageLayout, fields: &Matcher) -> bool {
        let Crossing::Frame { from: side, phase, payload, fate: Fate::Passed, .. } = &line.what else { return false };
        *phase == layout.phase
            && payload.first() == Some(&layout.tag)
            && State::is_from(wire, from, *side)
            && codec::decode(self.schema(), *phase, payload)
                .is_ok_and(|decoded| matches(fields, &decoded.message.fields_json()))
    }

    /// Awaits that so many sessions stand.
    pub(super) fn sessions_over(&mut self, step: &SessionsOver) -> StepResult {
        let links = self.links(&step.link, step.dialled_by.as_deref())?;
        let count = step.count.number("count", self)?;
        let connections = step.connections.as_ref().map(|count| count.number("connections", self)).transpose()?;
        let standing = |state: &State, what: fn(&Wire) -> bool| {
            let stands = |wire: &&Wire| !wire.over && what(wire);
            links.iter().map(|link| state.of(link).filter(stands).count()).sum::<usize>() as u64
        };
        let sessions = |state: &State| standing(state, |wire| wire.authenticated);
        let all = |state: &State| standing(state, |_| true);
        let as_asked = |state: &mut State| {
            let are_all = connections.is_none_or(|connections| all(state) == connections);
            (sessions(state) == count && are_all).then_some(())
        };
        if self.relays.state().wait_until(self.deadline, as_asked).is_some() {
            return Ok(());
        }
        let (stand, all) = {
            let state = self.relays.state().look();
            (sessions(&state), all(&state))
        };
        if let Some(crash) = self.any_crash() {
            return Err(crash);
        }
        let cause = if stand < count { Cause::EarlyClose } else { Cause::StillOpen };
        let of = connections.map_or_else(String::new, |connections| format!(" of {connections} connections"));
        Err(Stop::broken(cause, "another number of sessions stands on a link")
            .expected(format!("{count} sessions{of} over {}", described(&links, &From::Either)))
            .actual(format!("{stand} sessions of {all} connections"))
            .into())
    }

    /// What is missing, or the crash that is the reason.
    fn nothing_on_link(&self, sentence: &str) -> Result<super::stop::Broken, Stop> {
        match self.any_crash() {
            Some(crash) => Err(crash),
            None => Ok(Stop::broken(Cause::MissingFrame, sentence).meanwhile(self.arrived())),
        }
    }

    fn any_crash(&self) -> Option<Stop> {
        self.nodes.keys().find_map(|key| self.crashed(key)).map(Stop::from)
    }

    /// The links that a step means: one, or one for each pair.
    fn links(&self, of: &LinkOf, dialled_by: Option<&str>) -> StepResult<Vec<Link>> {
        let dialled_by = dialled_by.map(|key| self.end(key)).transpose()?;
        match of {
            LinkOf::Into(key) => {
                let key = self.end(key)?;
                if self.mode_before(&key).is_none() {
                    return Err(Stop::Harness(format!(
                        "no relay stands before `{key}`; give it `relay: tls` or `tcp`"
                    )));
                }
                Ok(vec![Link { ends: Ends::Into(key), dialled_by }])
            }
            LinkOf::Between(groups) => {
                let mut links: Vec<Link> = Vec::new();
                let (ones, others) = (self.listed(groups[0].names())?, self.listed(groups[1].names())?);
                for one in &ones {
                    for other in &others {
                        let (one, other) = (self.end(one)?, self.end(other)?);
                        let modes = [self.mode_before(&one), self.mode_before(&other)];
                        if modes == [None, None] || modes.contains(&Some(Mode::Tcp)) {
                            return Err(Stop::Harness(format!(
                                "`{one}` and `{other}` need relays with `tls`, which alone see who dials; with `tcp`, name the one behind the relay"
                            )));
                        }
                        let link =
                            Link { ends: Ends::Between(one.clone(), other.clone()), dialled_by: dialled_by.clone() };
                        if one != other && !links.iter().any(|known| known.has_ends_of(&link)) {
                            links.push(link);
                        }
                    }
                }
                Ok(links)
            }
        }
    }

    fn mode_before(&self, key: &str) -> Option<Mode> {
        self.relays.state().look().modes.get(key).copied()
    }

    fn end(&self, key: &str) -> StepResult<String> {
        let key = self.name(key)?;
        if self.nodes.contains_key(&key) || self.peers.contains_key(&key) {
            Ok(key)
        } else {
            Err(Stop::Harness(format!("the scenario has neither a node nor a peer `{key}`")))
        }
    }

    fn how(&self, how: Option<&Expression>) -> StepResult<CutHow> {
        let Some(how) = how else { return Ok(CutHow::Fin) };
        match how.text("how", self)?.as_str() {
            "fin" => Ok(CutHow::Fin),
            "reset" => Ok(CutHow::Reset),
            "silent" => Ok(CutHow::Silent),
            other => Err(Stop::Harness(format!("`how` is fin, reset or silent, not `{other}`"))),
        }
    }

    fn whose(&self, from: Option<&Sessions>) -> StepResult<From> {
        let Some(from) = from else { return Ok(From::Either) };
        let end = |key: &str| if key == OTHERS { Ok(key.to_owned()) } else { self.end(key) };
        let mut keys = Vec::new();
        for key in from.names() {
            // A row may say one key or a list of them.
            match Expression::Text(key.clone()).evaluate(self)? {
                Value::Array(several) => {
                    for key in several.iter().filter_map(Value::as_str) {
                        keys.push(end(key)?);
                    }
                }
                Value::String(key) => keys.push(end(&key)?),
                _ => keys.push(end(key)?),
            }
        }
        Ok(From::These(keys))
    }

    fn place(&self, point: &Point, after: bool, from: &From, link: &Link) -> StepResult<Place> {
        let message = self.name(&point.message)?;
        if message == "connect" {
            return match link.ends {
                Ends::Into(_) => Ok(Place::Connect),
                Ends::Between(..) => Err(Stop::Harness(
                    "who dials is not known at `connect`; name the node behind the relay alone".to_owned(),
                )),
            };
        }
        if self.schema().message(&message).is_none() {
            return Err(Stop::Harness(format!("there is no message {message}")));
        }
        if let Ends::Into(key) = &link.ends
            && self.mode_before(key) == Some(Mode::Tcp)
        {
            return Err(Stop::Harness(format!("the relay before `{key}` sees no messages; give it `relay: tls`")));
        }
        let fields = if point.fields.is_empty() {
            None
        } else {
            let matcher = Matcher::Object(point.fields.clone()).settled(self)?;
            Some(FieldCheck(Arc::new(move |fields: &Value| matches(&matcher, fields))))
        };
        let from = match &point.from {
            Some(sender) => self.whose(Some(sender))?,
            None => from.clone(),
        };
        Ok(Place::Frame { message, fields, from, nth: number_or(point.nth.as_ref(), "nth", 1, self)?, after })
    }

    /// What went over every relayed connection, for a report.
    pub(super) fn link_traces(&self) -> Vec<SessionTrace> {
        let state = self.relays.state().look();
        state.wires.iter().map(|wire| self.link_trace(wire)).collect()
    }

    fn link_trace(&self, wire: &Wire) -> SessionTrace {
        let left_out = wire.lines.len().saturating_sub(FRAMES);
        let dialler = wire.dialler().unwrap_or("somebody");
        SessionTrace {
            session: format!("link {dialler} -> {} (relayed connection {})", wire.fronted(), wire.number),
            lines: wire.lines[left_out..].iter().map(|line| self.link_line(wire, line)).collect(),
            left_out,
        }
    }

    fn link_line(&self, wire: &Wire, line: &Line) -> TraceLine {
        let (direction, text) = match &line.what {
            Crossing::Note(note) => (Direction::Note, note.clone()),
            Crossing::Frame { from, phase, payload, length, fate } => {
                let tcp = self.mode_of(wire) == Some(Mode::Tcp);
                let what = match payload.first() {
                    _ if tcp => format!("{length} bytes"),
                    Some(tag) if payload.len() < *length => format!("frame of {length} bytes, tag {tag:#04x}"),
                    _ => codec::summary(self.schema(), *phase, payload),
                };
                let fate = match fate {
                    Fate::Passed => String::new(),
                    Fate::Corrupted => ", one byte turned over".to_owned(),
                    Fate::Part(kept) => format!(", only {kept} bytes of it"),
                    Fate::Lost => ", lost".to_owned(),
                };
                let direction = match from {
                    Side::Dialler => Direction::ToNode,
                    Side::Fronted => Direction::FromNode,
                };
                (direction, what + &fate)
            }
        };
        TraceLine { at_ms: self.ms(line.at), direction, text }
    }

    fn mode_of(&self, wire: &Wire) -> Option<Mode> {
        let spec = self.scenario.nodes.get(wire.fronted()).and_then(|node| node.relay);
        spec.or_else(|| self.scenario.peers.get(wire.fronted()).and_then(|peer| peer.relay)).map(mode)
    }
}

/// What the head of a scenario says, as the relay's own word.
pub(super) const fn mode(relay: RelayMode) -> Mode {
    match relay {
        RelayMode::Tcp => Mode::Tcp,
        RelayMode::Tls => Mode::Tls,
    }
}

/// Holds fields against a settled matcher.
fn matches(matcher: &Matcher, fields: &Value) -> bool {
    match matcher.check(fields, &Settled, &mut Captures::new()) {
        Ok(()) => true,
        Err(MatchError::Mismatch(_) | MatchError::Evaluation(_)) => false,
    }
}

fn number_or(number: Option<&Expression>, what: &str, otherwise: u64, scope: &dyn Scope) -> StepResult<u64> {
    Ok(number.map(|number| number.number(what, scope)).transpose()?.unwrap_or(otherwise))
}

fn described(links: &[Link], from: &From) -> String {
    let links: Vec<String> = links
        .iter()
        .map(|link| match &link.ends {
            Ends::Into(key) => format!("whoever dialled {key}"),
            Ends::Between(one, other) => format!("{one} and {other}"),
        })
        .collect();
    let from = match from {
        From::Either => String::new(),
        From::These(keys) => format!(", from {}", keys.join(" or ")),
    };
    links.join("; ") + &from
}

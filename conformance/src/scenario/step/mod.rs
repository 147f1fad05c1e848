//! The steps of a scenario: one verb each. What a verb may say stands in the files beside this one.

use std::fmt;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::Expression;
use super::short::OrShort;

mod calls;
mod cluster;
mod connections;
mod floods;
mod flow;
mod frames;
mod links;
mod measuring;
mod members;

pub use calls::*;
pub use cluster::*;
pub use connections::*;
pub use floods::*;
pub use flow::*;
pub use frames::*;
pub use links::*;
pub use measuring::*;
pub use members::*;

/// One step: a verb, and the requirement that is blamed when it fails, if it is not the scenario's first.
#[derive(Debug, Clone)]
pub struct Step {
    /// What to do or to await.
    pub verb: Verb,
    /// The requirement that this step judges.
    pub cite: Option<String>,
}

/// Writes the enum of verbs once: as a type, as the list of keys a step may have, and as the reader of each.
macro_rules! verbs {
    ($($(#[doc = $doc:literal])* $key:literal => $variant:ident($body:ty),)*) => {
        /// Everything that a step can do.
        #[derive(Debug, Clone, Deserialize, JsonSchema)]
        pub enum Verb {
            $($(#[doc = $doc])* #[serde(rename = $key)] $variant($body),)*
        }

        const VERBS: &[&str] = &[$($key),*];

        impl Verb {
            /// The key that stands for this verb in a file.
            #[must_use]
            pub const fn name(&self) -> &'static str {
                match self { $(Self::$variant(_) => $key,)* }
            }

            fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Self>, A::Error> {
                Ok(match key {
                    $($key => Some(Self::$variant(map.next_value::<$body>()?)),)*
                    _ => None,
                })
            }
        }
    };
}

verbs! {
    /// Starts a node that is declared `start: later`, or starts an ended one again under its name and port.
    "start" => Start(String),
    /// Ends a node in an orderly way (`shutdown`, or end of input) and awaits exit status 0.
    "stop" => Stop(String),
    /// Kills a node's process (SIGKILL) and awaits its end.
    "kill" => Kill(String),
    /// Freezes a node's process (SIGSTOP).
    "freeze" => Freeze(String),
    /// Lets a frozen process go on (SIGCONT).
    "thaw" => Thaw(String),

    /// Opens a connection to a node, TLS included, without a handshake.
    "connect" => Connect(Connect),
    /// Does the initiator's part of the handshake on an open connection.
    "handshake" => Handshake(Handshake),
    /// Opens a connection and does the initiator's handshake: afterwards the session is live at the node.
    "join" => Join(OrShort<Join>),
    /// Makes a node dial a peer: by `node.connect`, or by a PEER_LIST where the node has no adapter.
    "make_dial" => MakeDial(MakeDial),
    /// Awaits a node's dial and does the acceptor's part.
    "accept" => Accept(OrShort<Accept>),
    /// Sends frames or bytes.
    "send" => Send(Box<Send>),
    /// Awaits the next frame of a session, or several in any order.
    "expect" => Expect(Expect),
    /// Awaits frames of one message and judges them together: the entries of a list message, or the fields of any other.
    "collect" => Collect(Collect),
    /// Sends PING on each session, in order, and awaits its PONG; frames that come before stay to be expected.
    "fence" => Fence(Sessions),
    /// Fences each session, in order, and fails on any frame that has come and was not expected.
    "quiet" => Quiet(Quiet),
    /// Awaits the end of a connection by the node.
    "expect_closed" => ExpectClosed(OrShort<ExpectClosed>),
    /// Ends a connection from the peer's side.
    "close" => CloseConnection(OrShort<CloseConnection>),
    /// Stops or resumes the reading of a connection's bytes.
    "reading" => Reading(Reading),
    /// Says whether the harness answers the node's PINGs by itself.
    "answer_pings" => AnswerPings(AnswerPings),
    /// Awaits PINGs that the node sends.
    "expect_ping" => ExpectPing(ExpectPing),
    /// Judges what was seen of TLS.
    "tls" => Tls(Tls),
    /// Stops a peer's port: further connections are refused.
    "refuse_dials" => RefuseDials(String),
    /// Awaits until so many TCP connections of nodes have come in at these peers and not been accepted by a step.
    "expect_dials" => ExpectDials(ExpectDials),
    /// Fails when a node has dialled one of these peers since the last `accept`.
    "no_dial" => NoDial(Peers),
    /// Fails when more TCP connections of nodes have come in than may in the time since a `clock`: so many for each span that has begun.
    "dial_rate" => DialRate(DialRate),
    /// Opens many connections to a node that go as far as a step of the handshake and stall there.
    "flood" => Flood(Flood),
    /// Closes all connections of a flood.
    "end_flood" => EndFlood(String),
    /// Awaits that the node has ended all connections of a flood.
    "flood_ended" => FloodEnded(String),

    /// Holds a link: nothing more is passed on, from a point on or at once, until it is released. Nothing is lost.
    "hold" => Hold(Hold),
    /// Awaits that something is held on a link: its point has been reached, or something waits to be passed on.
    "await_held" => AwaitHeld(AwaitHeld),
    /// Lets what is held go on, or so many frames of it.
    "release" => Release(Release),
    /// Cuts the connections of a link, at once or at a point.
    "cut" => Cut(Cut),
    /// Refuses new connections of a link.
    "refuse" => Refuse(Refuse),
    /// Refuses new connections of a link and then cuts those that stand.
    "partition" => Partition(Refuse),
    /// Takes back all that was asked for a link; what has been cut stays cut.
    "heal" => Heal(LinkOnly),
    /// Passes frames on later, by so many milliseconds; 0 ends it.
    "delay" => Delay(Delay),
    /// Passes on so many bytes a second at most; 0 ends it.
    "throttle" => Throttle(Throttle),
    /// Passes frames on in pieces, each a write (and, with mode `tls`, a TLS record) of its own.
    "split" => SplitWrites(SplitWrites),
    /// Turns over one byte, once: of a frame, or (mode `tcp`) of the next ciphertext.
    "corrupt" => Corrupt(Corrupt),
    /// Awaits frames that have been passed on over a link, and judges their number.
    "passed" => Passed(Passed),
    /// Awaits that so many authenticated connections stand on a link, and perhaps how many in all.
    "sessions_over" => SessionsOver(SessionsOver),

    /// Calls a method of the control protocol and judges the answer.
    "call" => Call(Call),
    /// Sends a request without awaiting its answer.
    "start_call" => StartCall(StartCall),
    /// Awaits the answer to a `start_call` or `make_dial`.
    "await" => Await(Await),
    /// Calls a method again and again until its result matches.
    "eventually" => Eventually(Eventually),
    /// Awaits a notification.
    "event" => Event(Event),
    /// Awaits so many notifications, and judges them together, in their order.
    "events" => Events(Events),
    /// After a barrier: fails when a matching notification has come that no `event` step took.
    "no_event" => NoEvent(Event),

    /// Connects a WebSocket member to a room.
    "member" => Member(MemberStep),
    /// Awaits a member's next texts, in order.
    "texts" => Texts(Texts),
    /// Sends a text as a member.
    "member_send" => MemberSend(MemberSend),
    /// Stops or resumes a member's reading.
    "member_reading" => MemberReading(MemberReading),
    /// Ends a member's connection.
    "close_member" => CloseMember(CloseMember),
    /// Awaits that the node ends a member's connection.
    "expect_member_closed" => ExpectMemberClosed(String),

    /// Has nodes connect to others, all at the same moment, and awaits that each is; one that is refused tries again.
    "introduce" => Introduce(Introduce),
    /// Waits until all these nodes list exactly each other and hold the same global names: those that were registered for their live processes.
    "converged" => Converged(Converged),
    /// After a barrier: judges everything that all nodes of the case have told so far, over all their runs.
    "invariants" => Invariants(Invariants),
    /// Does random deeds to the nodes of the case, which all say `start: later`, and judges agreement and invariants on the way and at the end.
    "chaos" => Chaos(Chaos),

    /// Runs steps once for each value.
    "for" => For(For),
    /// Gives values names.
    "let" => Let(IndexMap<String, Expression>),
    /// Judges a value.
    "check" => Check(Check),
    /// Notes the time under a name, for `elapsed` and `expect_closed`.
    "clock" => Clock(String),
    /// Judges the time since a `clock` step.
    "elapsed" => Elapsed(Elapsed),
    /// Notes a node's resident memory under a name, or judges the most by which it has been larger since.
    "memory" => Memory(Memory),
    /// Notes how many files a node has open under a name, or awaits that there are hardly more than then.
    "descriptors" => Descriptors(Descriptors),
}

impl JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Verb::json_schema(generator)
    }
}

impl<'de> Deserialize<'de> for Step {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StepVisitor;

        impl<'de> Visitor<'de> for StepVisitor {
            type Value = Step;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a step: a map with one verb and perhaps `cite`")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Step, A::Error> {
                let (mut verb, mut cite) = (None::<Verb>, None::<String>);
                while let Some(key) = map.next_key::<String>()? {
                    if key == "cite" {
                        if cite.replace(map.next_value()?).is_some() {
                            return Err(de::Error::duplicate_field("cite"));
                        }
                        continue;
                    }
                    if let Some(first) = &verb {
                        return Err(de::Error::custom(format_args!(
                            "a step has one verb, this one has `{}` and `{key}`",
                            first.name()
                        )));
                    }
                    verb = Some(Verb::read(&key, &mut map)?.ok_or_else(|| de::Error::unknown_field(&key, VERBS))?);
                }
                let verb = verb.ok_or_else(|| de::Error::custom("a step needs a verb"))?;
                Ok(Step { verb, cite })
            }
        }

        deserializer.deserialize_map(StepVisitor)
    }
}

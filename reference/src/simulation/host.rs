//! One run of a node with the faults that are planted around it: what goes in, and what comes out of that. Does nothing
//! of what comes out.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Instant,
};

use super::{
    random::Random,
    wires::{Run, Side, WireId},
};
use crate::{
    faults::{Context, Planted},
    node::{ConnId, Input, Node, Output},
    wire::Payload,
};

/// A node that runs.
pub(crate) struct Host {
    pub(crate) node: Node,
    pub(crate) run: Run,
    /// The connections that it has: which end of which wire; `None` for a dial that hangs.
    pub(crate) conns: BTreeMap<ConnId, Option<(WireId, Side)>>,
    /// For when it has asked to be woken.
    pub(crate) woken_at: Option<Instant>,
    pub(crate) last_accepted: u64,
    /// How many dials it has made.
    pub(crate) dials: u64,
    planted: Planted,
    entropy: Random,
}

impl Host {
    pub(crate) fn new(run: Run, planted: Planted, entropy: Random) -> Self {
        let (node, conns) = (Node::new(), BTreeMap::new());
        Self { node, run, conns, woken_at: None, last_accepted: 0, dials: 0, planted, entropy }
    }

    /// Gives the node one input, as the faults leave it; returns what is to be done, in order.
    pub(crate) fn input(&mut self, input: Input, now: Instant) -> Vec<Output> {
        if self.planted.is_empty() {
            return self.node.handle(input, now, &mut self.entropy);
        }
        let mut turn = Filtered { now, done: Vec::new(), added: VecDeque::new() };
        let input = match input {
            Input::Frame(conn, payload) => turn
                .hook(self, |planted, context| planted.frame_in(context, conn, payload))
                .map(|payload| Input::Frame(conn, payload)),
            Input::Closed(conn) => {
                turn.hook(self, |planted, context| planted.lost(context, conn, "end of stream")).map(Input::Closed)
            }
            input => Some(input),
        };
        let input = input.and_then(|input| turn.hook(self, |planted, context| planted.input(context, input)));
        turn.settle(self, input)
    }

    /// Wakes the faults whose time has come.
    pub(crate) fn awake(&mut self, now: Instant) -> Vec<Output> {
        let mut turn = Filtered { now, done: Vec::new(), added: VecDeque::new() };
        turn.hook(self, |planted, context| planted.awake(context));
        turn.settle(self, None)
    }

    /// When the node or a fault wants to be woken.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.node.next_timer().into_iter().chain(self.planted.wake()).min()
    }

    /// Whether it is a fault that wants to be woken by now.
    pub(crate) fn fault_is_due(&self, now: Instant) -> bool {
        self.planted.wake().is_some_and(|wake| wake <= now)
    }
}

/// One input on its way through the faults, as the driver of a real node does it.
struct Filtered {
    now: Instant,
    done: Vec<Output>,
    added: VecDeque<Input>,
}

impl Filtered {
    fn hook<T>(&mut self, host: &Host, hook: impl FnOnce(&Planted, &mut Context<'_>) -> T) -> T {
        let mut context = Context::at(&host.node, self.now);
        let result = hook(&host.planted, &mut context);
        let (outputs, inputs) = context.into_added();
        self.done.extend(outputs);
        self.added.extend(inputs);
        result
    }

    fn settle(mut self, host: &mut Host, input: Option<Input>) -> Vec<Output> {
        let mut inputs: VecDeque<Input> = input.into_iter().collect();
        inputs.append(&mut self.added);
        while let Some(input) = inputs.pop_front() {
            let planted = host.planted.clone();
            for output in host.node.handle(input, self.now, &mut planted.entropy(&mut host.entropy)) {
                self.output(host, output);
            }
            inputs.append(&mut self.added);
        }
        self.done
    }

    fn output(&mut self, host: &Host, output: Output) {
        match self.hook(host, |planted, context| planted.output(context, output)) {
            Some(Output::Send(conn, payload)) => self.frame_out(host, conn, payload),
            Some(Output::SendLate(conn, message)) => {
                if let Ok(payload) = message.encode() {
                    self.frame_out(host, conn, payload.into());
                }
            }
            Some(Output::Sync(conn, stream)) => {
                stream.for_each(|payload| self.frame_out(host, conn, payload.into()));
            }
            Some(output) => self.done.push(output),
            None => {}
        }
    }

    fn frame_out(&mut self, host: &Host, conn: ConnId, payload: Payload) {
        if let Some(payload) = self.hook(host, |planted, context| planted.frame_out(context, conn, payload)) {
            self.done.push(Output::Send(conn, payload));
        }
    }
}

//! The faults of one run, asked in the order in which they were planted.

use std::{
    cell::{RefCell, RefMut},
    rc::Rc,
    time::Instant,
};

use serde_json::Value;

use super::{
    filter::{Context, Filter},
    table,
};
use crate::{
    net::tls::Transport,
    node::{ConnId, Entropy, Input, MemberId, Output},
    wire::Payload,
};

/// There is no fault with that id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault {0:?}; --list-faults prints them all")]
pub struct UnknownFault(String);

/// The faults that a run has; mostly none. Clones are the same faults: the net and the control protocol share them.
#[derive(Clone, Default)]
pub struct Planted(Rc<RefCell<Vec<Box<dyn Filter>>>>);

impl Planted {
    /// Plants faults by their ids.
    ///
    /// # Errors
    /// [`UnknownFault`] names the first id that the table does not have.
    pub fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownFault> {
        let find = |id: &str| table::find(id).ok_or_else(|| UnknownFault(id.to_owned()));
        let filters = ids.into_iter().map(|id| find(id).map(|fault| (fault.make)())).collect::<Result<_, _>>()?;
        Ok(Self(Rc::new(RefCell::new(filters))))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub(crate) fn transport(&self, transport: &mut Transport) {
        self.filters().iter_mut().for_each(|filter| filter.transport(transport));
    }

    pub(crate) fn bytes_in(&self, context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        self.filters().iter_mut().fold(bytes, |bytes, filter| filter.bytes_in(context, conn, bytes))
    }

    pub(crate) fn frame_limit(&self, context: &mut Context<'_>, conn: ConnId, limit: usize) -> usize {
        self.filters().iter_mut().fold(limit, |limit, filter| filter.frame_limit(context, conn, limit))
    }

    pub(crate) fn frame_in(&self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        self.filters().iter_mut().try_fold(payload, |payload, filter| filter.frame_in(context, conn, payload))
    }

    pub(crate) fn lost(&self, context: &mut Context<'_>, conn: ConnId, why: &str) -> Option<ConnId> {
        self.filters().iter_mut().try_fold(conn, |conn, filter| filter.lost(context, conn, why))
    }

    pub(crate) fn input(&self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.filters().iter_mut().try_fold(input, |input, filter| filter.input(context, input))
    }

    pub(crate) fn output(&self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        self.filters().iter_mut().try_fold(output, |output, filter| filter.output(context, output))
    }

    pub(crate) fn frame_out(&self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        self.filters().iter_mut().try_fold(payload, |payload, filter| filter.frame_out(context, conn, payload))
    }

    pub(crate) fn request(&self, method: &str, params: &mut Value) {
        self.filters().iter_mut().for_each(|filter| filter.request(method, params));
    }

    pub(crate) fn answer(&self, method: &str, params: &Value, answer: &mut Value) {
        self.filters().iter_mut().for_each(|filter| filter.answer(method, params, answer));
    }

    pub(crate) fn peer_patience(&self, bytes: usize) -> usize {
        self.filters().iter_mut().fold(bytes, |bytes, filter| filter.peer_patience(bytes))
    }

    pub(crate) fn member_patience(&self, messages: usize) -> usize {
        self.filters().iter_mut().fold(messages, |messages, filter| filter.member_patience(messages))
    }

    pub(crate) fn undelivered(&self, context: &mut Context<'_>, member: MemberId) -> Option<MemberId> {
        self.filters().iter_mut().try_fold(member, |member, filter| filter.undelivered(context, member))
    }

    /// The first time for which a filter asks.
    pub(crate) fn wake(&self) -> Option<Instant> {
        self.0.borrow().iter().filter_map(|filter| filter.wake()).min()
    }

    /// Wakes the filters whose time has come.
    pub(crate) fn awake(&self, context: &mut Context<'_>) {
        let now = context.now;
        let due = |filter: &&mut Box<dyn Filter>| filter.wake().is_some_and(|due| due <= now);
        self.filters().iter_mut().filter(due).for_each(|filter| filter.awake(context));
    }

    /// `source` as the filters leave it.
    pub(crate) fn entropy<'a>(&'a self, source: &'a mut dyn Entropy) -> Faulty<'a> {
        Faulty { planted: self, source }
    }

    /// Filters call nothing that asks the filters, so that this never finds them borrowed.
    fn filters(&self) -> RefMut<'_, Vec<Box<dyn Filter>>> {
        self.0.borrow_mut()
    }
}

/// Randomness on its way through the filters.
pub(crate) struct Faulty<'a> {
    planted: &'a Planted,
    source: &'a mut dyn Entropy,
}

impl Entropy for Faulty<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.source.fill(bytes);
        self.planted.filters().iter_mut().for_each(|filter| filter.entropy(bytes));
    }
}

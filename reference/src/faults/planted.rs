//! The faults of one run, asked in the order in which they were planted.

use super::{
    filter::{Context, Filter},
    table,
};
use crate::{
    net::tls::Transport,
    node::{ConnId, Entropy, Input, Output},
    wire::Payload,
};

/// There is no fault with that id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no fault {0:?}; --list-faults prints them all")]
pub struct UnknownFault(String);

/// The faults that a run has; mostly none.
#[derive(Default)]
pub struct Planted(Vec<Box<dyn Filter>>);

impl Planted {
    /// Plants faults by their ids.
    ///
    /// # Errors
    /// [`UnknownFault`] names the first id that the table does not have.
    pub fn new<'a>(ids: impl IntoIterator<Item = &'a str>) -> Result<Self, UnknownFault> {
        let find = |id: &str| table::find(id).ok_or_else(|| UnknownFault(id.to_owned()));
        ids.into_iter().map(|id| find(id).map(|fault| (fault.make)())).collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn transport(&mut self, transport: &mut Transport) {
        self.0.iter_mut().for_each(|filter| filter.transport(transport));
    }

    pub(crate) fn bytes_in(&mut self, context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8> {
        self.0.iter_mut().fold(bytes, |bytes, filter| filter.bytes_in(context, conn, bytes))
    }

    pub(crate) fn frame_limit(&mut self, context: &mut Context<'_>, conn: ConnId, limit: usize) -> usize {
        self.0.iter_mut().fold(limit, |limit, filter| filter.frame_limit(context, conn, limit))
    }

    pub(crate) fn frame_in(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>> {
        self.0.iter_mut().try_fold(payload, |payload, filter| filter.frame_in(context, conn, payload))
    }

    pub(crate) fn input(&mut self, context: &mut Context<'_>, input: Input) -> Option<Input> {
        self.0.iter_mut().try_fold(input, |input, filter| filter.input(context, input))
    }

    pub(crate) fn output(&mut self, context: &mut Context<'_>, output: Output) -> Option<Output> {
        self.0.iter_mut().try_fold(output, |output, filter| filter.output(context, output))
    }

    pub(crate) fn frame_out(&mut self, context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload> {
        self.0.iter_mut().try_fold(payload, |payload, filter| filter.frame_out(context, conn, payload))
    }

    /// `source` as the filters leave it.
    pub(crate) fn entropy<'a>(&'a mut self, source: &'a mut dyn Entropy) -> Faulty<'a> {
        Faulty { planted: self, source }
    }
}

/// Randomness on its way through the filters.
pub(crate) struct Faulty<'a> {
    planted: &'a mut Planted,
    source: &'a mut dyn Entropy,
}

impl Entropy for Faulty<'_> {
    fn fill(&mut self, bytes: &mut [u8]) {
        self.source.fill(bytes);
        self.planted.0.iter_mut().for_each(|filter| filter.entropy(bytes));
    }
}

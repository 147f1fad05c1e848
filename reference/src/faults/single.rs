//! Faults that need one hook: the hook alone is the filter. What such a fault remembers is in its closure.

use serde_json::Value;

use super::filter::{Context, Filter};
use crate::{
    net::tls::Transport,
    node::{ConnId, Input, MemberId, Output},
    wire::Payload,
};

/// For each hook of [`Filter`] a type that has it alone, and a function that makes one of a closure.
macro_rules! single {
    ($($make:ident: $Type:ident = $hook:ident($($argument:ident: $Argument:ty),*) $(-> $Result:ty)?;)*) => {$(
        #[doc = concat!("See [`Filter::", stringify!($hook), "`].")]
        pub(super) fn $make(hook: impl FnMut($($Argument),*) $(-> $Result)? + 'static) -> Box<dyn Filter> {
            Box::new($Type(hook))
        }

        struct $Type<F>(F);

        impl<F: FnMut($($Argument),*) $(-> $Result)?> Filter for $Type<F> {
            fn $hook(&mut self, $($argument: $Argument),*) $(-> $Result)? {
                (self.0)($($argument),*)
            }
        }
    )*};
}

single! {
    on_bytes_in: OnBytesIn = bytes_in(context: &mut Context<'_>, conn: ConnId, bytes: Vec<u8>) -> Vec<u8>;
    on_transport: OnTransport = transport(transport: &mut Transport);
    on_frame_limit: OnFrameLimit = frame_limit(context: &mut Context<'_>, conn: ConnId, limit: usize) -> usize;
    on_frame_in: OnFrameIn = frame_in(context: &mut Context<'_>, conn: ConnId, payload: Vec<u8>) -> Option<Vec<u8>>;
    on_input: OnInput = input(context: &mut Context<'_>, input: Input) -> Option<Input>;
    on_entropy: OnEntropy = entropy(bytes: &mut [u8]);
    on_output: OnOutput = output(context: &mut Context<'_>, output: Output) -> Option<Output>;
    on_frame_out: OnFrameOut = frame_out(context: &mut Context<'_>, conn: ConnId, payload: Payload) -> Option<Payload>;
    on_request: OnRequest = request(method: &str, params: &mut Value);
    on_answer: OnAnswer = answer(method: &str, params: &Value, answer: &mut Value);
    on_peer_patience: OnPeerPatience = peer_patience(bytes: usize) -> usize;
    on_member_patience: OnMemberPatience = member_patience(messages: usize) -> usize;
    on_undelivered: OnUndelivered = undelivered(context: &mut Context<'_>, member: MemberId) -> Option<MemberId>;
}

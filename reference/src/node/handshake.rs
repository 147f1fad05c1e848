//! One connection's handshake: who has to say what next, and whether it is right (HS-5 to HS-15, HS-23 to HS-26).
//!
//! Whether a right message may go on depends on other connections too; that is the node's to say, between the steps.

use super::{Entropy, Identity, entropy, output::Refusal, sessions::ReadOrder};
use crate::wire::{
    Creation, Message, NodeName,
    handshake::{Ack, Challenge, ChallengeMessage, Name, Reply},
    message::Phase,
    writer::TooLarge,
};

/// Where a handshake stands.
#[derive(Clone, Debug)]
pub(crate) enum Handshake {
    /// Dialled: TCP and TLS are not up yet.
    Connecting { target: NodeName },
    /// Dialled: NAME is sent.
    AwaitChallenge { target: NodeName },
    /// Dialled: REPLY with `challenge` is sent.
    AwaitAck { target: NodeName, creation: Creation, challenge: Challenge, read: ReadOrder },
    /// Accepted: nothing has come.
    AwaitName,
    /// Accepted: CHALLENGE with `challenge` is sent.
    AwaitReply { peer: NodeName, creation: Creation, challenge: Challenge, read: ReadOrder },
}

/// A message that was right in itself.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Named { peer: NodeName, creation: Creation },
    Challenged { target: NodeName, creation: Creation, challenge: Challenge },
    Replied { peer: NodeName, creation: Creation, read: ReadOrder, challenge: Challenge },
    Acknowledged { peer: NodeName, creation: Creation, read: ReadOrder },
}

impl Handshake {
    /// The name dialled, or the one that NAME claimed.
    pub(crate) fn peer(&self) -> Option<&NodeName> {
        match self {
            Self::Connecting { target } | Self::AwaitChallenge { target } | Self::AwaitAck { target, .. } => {
                Some(target)
            }
            Self::AwaitReply { peer, .. } => Some(peer),
            Self::AwaitName => None,
        }
    }

    /// The name dialled; `None` for an accepted connection.
    pub(crate) fn dialled(&self) -> Option<&NodeName> {
        if matches!(self, Self::AwaitName | Self::AwaitReply { .. }) { None } else { self.peer() }
    }

    pub(crate) fn creation(&self) -> Option<Creation> {
        match self {
            Self::AwaitAck { creation, .. } | Self::AwaitReply { creation, .. } => Some(*creation),
            _ => None,
        }
    }

    /// The challenge that was sent here and is not answered yet (HS-27).
    pub(crate) fn outstanding(&self) -> Option<&Challenge> {
        match self {
            Self::AwaitAck { challenge, .. } | Self::AwaitReply { challenge, .. } => Some(challenge),
            _ => None,
        }
    }

    /// Judges one payload by itself.
    ///
    /// # Errors
    /// The reason for which the connection has to be closed.
    pub(crate) fn read(&self, payload: &[u8], identity: &Identity) -> Result<Step, Refusal> {
        let message = Message::decode(Phase::Handshake, payload).map_err(|_| Refusal::BadMessage)?.0;
        match (self, message) {
            (Self::AwaitName, Message::Name(name)) => {
                let creation = Creation::new(name.creation).ok_or(Refusal::CreationZero)?;
                let peer = NodeName::parse(name.name).map_err(|_| Refusal::InvalidName)?;
                if peer == identity.name {
                    return Err(Refusal::OwnName);
                }
                Ok(Step::Named { peer, creation })
            }
            (Self::AwaitChallenge { target }, Message::Challenge(message)) => {
                let creation = Creation::new(message.creation).ok_or(Refusal::CreationZero)?;
                if message.name != target.as_str() {
                    return Err(Refusal::OtherName);
                }
                Ok(Step::Challenged { target: target.clone(), creation, challenge: message.challenge })
            }
            (Self::AwaitReply { peer, creation, challenge, read }, Message::Reply(reply)) => {
                if !identity.cookie.verifies(challenge, &reply.proof) {
                    return Err(Refusal::WrongProof);
                }
                let (peer, challenge) = (peer.clone(), reply.challenge);
                Ok(Step::Replied { peer, creation: *creation, read: *read, challenge })
            }
            (Self::AwaitAck { target, creation, challenge, read }, Message::Ack(ack)) => {
                if !identity.cookie.verifies(challenge, &ack.proof) {
                    return Err(Refusal::WrongProof);
                }
                Ok(Step::Acknowledged { peer: target.clone(), creation: *creation, read: *read })
            }
            _ => Err(Refusal::BadMessage),
        }
    }
}

/// The first word of the initiator (HS-5).
///
/// # Errors
/// None in practice, here and below: a node name is short enough for every handshake message.
pub(crate) fn name(identity: &Identity) -> Result<Vec<u8>, TooLarge> {
    Name { name: identity.name.as_str(), creation: identity.creation.get() }.encode()
}

/// The acceptor's answer to NAME, and the fresh challenge in it (HS-6, HS-19).
pub(crate) fn challenge(identity: &Identity, entropy: &mut dyn Entropy) -> Result<(Vec<u8>, Challenge), TooLarge> {
    let challenge = entropy::fresh(entropy);
    let (name, creation) = (identity.name.as_str(), identity.creation.get());
    Ok((ChallengeMessage { name, creation, challenge }.encode()?, challenge))
}

/// The initiator's answer to CHALLENGE, and the fresh challenge in it (HS-7, HS-19).
pub(crate) fn reply(
    identity: &Identity,
    theirs: &Challenge,
    entropy: &mut dyn Entropy,
) -> Result<(Vec<u8>, Challenge), TooLarge> {
    let challenge = entropy::fresh(entropy);
    Ok((Reply { proof: identity.cookie.prove(theirs), challenge }.encode()?, challenge))
}

/// The acceptor's answer to a REPLY that was right (HS-8).
pub(crate) fn ack(identity: &Identity, theirs: &Challenge) -> Result<Vec<u8>, TooLarge> {
    Ack { proof: identity.cookie.prove(theirs) }.encode()
}

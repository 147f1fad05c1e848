//! Events of nodes as traces have them. Decides nothing.

use super::words::{node, process, reason};
use crate::node::Event;

/// What a node, or a process on it, is told.
pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::SessionOpened(peer, creation) => {
            format!("session with {}, creation {}, begins", node(peer.as_str()), creation.get())
        }
        Event::SessionClosed(peer, creation) => {
            format!("session with {}, creation {}, has ended", node(peer.as_str()), creation.get())
        }
        Event::Message { pid, .. } => format!("process {} gets a message", pid.local.get()),
        Event::Down { pid, reference, from, reason: why } => {
            let (watcher, why) = (pid.local.get(), reason(why));
            format!("process {watcher} is told by monitor {reference}: {} has ended, {why}", process(from))
        }
        Event::Exited { pid, from, reason: why } => {
            format!("process {} is told over a link: {} has ended, {}", pid.local.get(), process(from), reason(why))
        }
        Event::ProcessEnded { pid, reason: why } => format!("process {} ends, {}", pid.local.get(), reason(why)),
        Event::NodeUp { pid, node: up } => format!("process {} is told: nodeup {}", pid.local.get(), node(up.as_str())),
        Event::NodeDown { pid, node: down } => {
            format!("process {} is told: nodedown {}", pid.local.get(), node(down.as_str()))
        }
        Event::Refused(_, why) => format!("refuses a connection: {why}"),
        Event::DialFailed(name, why) => format!("its dial to {} fails: {why}", node(name.as_str())),
    }
}

//! The WebSocket endpoint of the rooms: one task a member, each with a bounded queue of its own.

use std::time::Duration;

use futures_util::{SinkExt, Stream, StreamExt};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    task, time,
};
use tokio_tungstenite::{
    accept_hdr_async_with_config,
    tungstenite::{
        self, Message, Utf8Bytes,
        handshake::server::{ErrorResponse, Request, Response},
        http::StatusCode,
        protocol::WebSocketConfig,
    },
};

use super::{driver::Happening, link::Drain};
use crate::node::MemberId;

/// Messages that may wait for a member before it is cut off (ROOM-12).
pub(super) const PATIENCE: usize = 2_048;

/// How long a client may take to ask for its room.
const HANDSHAKE: Duration = Duration::from_secs(7);

/// The largest message from a client, in bytes. All are ignored, so none has to be large.
const MAX_FROM_CLIENT: usize = 1_024 * 1_024;

/// The driver's end of a member. Dropping it closes the connection.
#[derive(Debug)]
pub(crate) struct Member {
    texts: mpsc::Sender<Utf8Bytes>,
    pub(crate) drains: mpsc::UnboundedSender<Drain>,
    /// Held, never used: the task ends when it is dropped.
    _alive: oneshot::Sender<()>,
}

impl Member {
    /// Queues a text, which is shared and not copied. False when the member cannot keep up or is gone.
    pub(crate) fn deliver(&self, text: Utf8Bytes) -> bool {
        self.texts.try_send(text).is_ok()
    }
}

/// Serves one WebSocket connection: `/rooms/<room>`, the room percent-encoded. What the client sends is ignored. At
/// most `patience` messages wait for it.
pub(super) async fn serve(stream: TcpStream, id: MemberId, patience: usize, happenings: mpsc::Sender<Happening>) {
    let mut room = None;
    // The error type is tungstenite's choice.
    #[allow(clippy::result_large_err)]
    let choose_room = |request: &Request, response: Response| {
        room = room_of(request.uri().path());
        if room.is_some() { Ok(response) } else { Err(not_found()) }
    };
    let config =
        WebSocketConfig::default().max_message_size(Some(MAX_FROM_CLIENT)).max_frame_size(Some(MAX_FROM_CLIENT));
    let _ = stream.set_nodelay(true);
    let accepted = accept_hdr_async_with_config(stream, choose_room, Some(config));
    let Ok(Ok(socket)) = time::timeout(HANDSHAKE, accepted).await else { return };
    let Some(room) = room else { return };

    let (texts, mut queue) = mpsc::channel(patience);
    let (drains, mut drain_requests) = mpsc::unbounded_channel();
    let (alive, mut dropped) = oneshot::channel();
    let member = Member { texts, drains, _alive: alive };
    if happenings.send(Happening::Joined(id, room.into(), member)).await.is_err() {
        return;
    }
    let (mut sink, mut incoming) = socket.split();
    let sending = async {
        while let Some(text) = queue.recv().await {
            sink.feed(Message::Text(text)).await?;
            if queue.is_empty() {
                sink.flush().await?;
            }
        }
        Ok::<_, tungstenite::Error>(())
    };
    tokio::select! {
        _ = sending => {}
        () = ignore(&mut incoming, &mut drain_requests) => {}
        _ = &mut dropped => {}
    }
    let _ = happenings.send(Happening::Left(id)).await;
}

/// Reads until the client is gone.
async fn ignore(
    incoming: &mut (impl Stream<Item = Result<Message, tungstenite::Error>> + Unpin),
    drains: &mut mpsc::UnboundedReceiver<Drain>,
) {
    loop {
        tokio::select! {
            biased;
            message = incoming.next() => match message {
                Some(Ok(message)) if !message.is_close() => {}
                _ => return,
            },
            Some(drain) = drains.recv() => {
                // Lets the runtime look at the socket again before "nothing to read" is believed.
                task::yield_now().await;
                tokio::select! {
                    biased;
                    message = incoming.next() => match message {
                        Some(Ok(message)) if !message.is_close() => {}
                        _ => return,
                    },
                    () = std::future::ready(()) => {}
                }
                drop(drain);
            }
        }
    }
}

/// The room that a path names: one percent-encoded segment, UTF-8.
fn room_of(path: &str) -> Option<String> {
    let segment = path.strip_prefix("/rooms/")?;
    let mut bytes = Vec::with_capacity(segment.len());
    let mut rest = segment.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'/' => return None,
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                hex::decode(digits).ok()?.pop()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn not_found() -> ErrorResponse {
    let mut response = ErrorResponse::new(Some("members connect to /rooms/<room>\n".into()));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_percent_encoded_segments() {
        assert_eq!(room_of("/rooms/lobby").as_deref(), Some("lobby"));
        assert_eq!(room_of("/rooms/a%2Fb%20%c3%A9").as_deref(), Some("a/b é"));
        assert_eq!(room_of("/rooms/").as_deref(), Some(""));
        for path in ["/", "/rooms", "/rooms/a/b", "/rooms/%", "/rooms/%4", "/rooms/%zz", "/rooms/%ff"] {
            assert_eq!(room_of(path), None, "{path}");
        }
    }
}

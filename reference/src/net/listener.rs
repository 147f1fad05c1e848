//! Accepting: TCP connections for the node, and WebSocket connections for its rooms.

use std::{io, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time,
};

use super::driver::Happening;

/// How long accepting rests when the process has no file descriptors left.
const REST: Duration = Duration::from_millis(50);

/// Binds `host:port`; port 0 binds a free one.
///
/// # Errors
/// When the host has no address that can be bound.
pub(crate) async fn bind(host: &str, port: u16) -> io::Result<TcpListener> {
    TcpListener::bind((host, port)).await
}

/// Hands over what is accepted, until the driver is gone.
pub(crate) async fn accept(
    listener: TcpListener,
    happenings: mpsc::Sender<Happening>,
    wrap: fn(TcpStream) -> Happening,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if happenings.send(wrap(stream)).await.is_err() {
                    return;
                }
            }
            // The connection is gone again, or descriptors are short: neither ends a node (FRAME-21).
            Err(why) => {
                tracing::warn!("cannot accept: {why}");
                time::sleep(REST).await;
            }
        }
    }
}

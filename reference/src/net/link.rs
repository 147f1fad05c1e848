//! One connection's task: TLS, then reading with backpressure and writing from the outbox, until either ends.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    sync::{mpsc, oneshot, watch},
    task, time,
};

use super::{
    driver::Happening,
    outbox::{Outbox, Piece},
    tls::Tls,
};
use crate::{
    node::{ConnId, SyncStream},
    wire::framing::header,
};

/// How long a connection that we close may take to send what is queued, and then to be closed by the peer as well.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// Bytes handed over at a time.
const CHUNK: usize = 64 * 1_024;

/// How far a connection's closing has come, as the driver sees it. A dropped sender means `AtOnce`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    No,
    Flush,
    AtOnce,
}

/// A request to hand over all that has come so far; dropped when that is done.
pub(crate) type Drain = oneshot::Sender<()>;

/// What a connection's task works with.
pub(crate) struct Link {
    pub(crate) conn: ConnId,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) closing: watch::Receiver<Closing>,
    pub(crate) happenings: mpsc::Sender<Happening>,
}

impl Link {
    /// Serves a connection that was accepted.
    pub(crate) async fn accept(self, stream: TcpStream, tls: Tls) {
        let secured = async {
            stream.set_nodelay(true)?;
            let _turn = tls.turns.acquire().await;
            tls.acceptor.accept(stream).await
        };
        tokio::select! {
            result = secured => match result {
                Ok(stream) => self.serve(stream).await,
                Err(why) => self.tell(Happening::Closed(self.conn, format!("TLS: {why}"))).await,
            },
            () = closed(self.closing.clone(), Closing::Flush) => {}
        }
    }

    /// Opens a connection and serves it.
    pub(crate) async fn dial(self, host: String, port: u16, tls: Tls) {
        let secured = async {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            tls.connector.connect(tls.server_name.clone(), stream).await
        };
        tokio::select! {
            result = secured => match result {
                Ok(stream) => self.serve(stream).await,
                Err(why) => self.tell(Happening::DialFailed(self.conn, why.to_string())).await,
            },
            () = closed(self.closing.clone(), Closing::Flush) => {}
        }
    }

    async fn serve<S: AsyncRead + AsyncWrite>(&self, stream: S) {
        let (drain, drains) = mpsc::unbounded_channel();
        self.tell(Happening::Secured(self.conn, drain)).await;
        let (input, output) = tokio::io::split(stream);
        let reading = self.read(input, drains);
        tokio::pin!(reading);
        let closed_by_us = async {
            closed(self.closing.clone(), Closing::Flush).await;
            time::sleep(CLOSE_PATIENCE).await;
        };
        let why = tokio::select! {
            why = &mut reading => why,
            result = self.write(output) => match result {
                // Read on, so that bytes on their way in do not turn our close into a reset.
                Ok(()) => time::timeout(CLOSE_PATIENCE, &mut reading).await.unwrap_or_default(),
                Err(why) => why.to_string(),
            },
            () = closed(self.closing.clone(), Closing::AtOnce) => return,
            () = closed_by_us => return,
        };
        self.tell(Happening::Closed(self.conn, why)).await;
    }

    /// Hands chunks over one at a time: the next is read only when the node is done with the last, so that a peer that
    /// floods us fills neither the memory nor the queue that the others' chunks wait in (FRAME-22). Returns why the
    /// stream ended.
    async fn read(&self, mut input: impl AsyncRead + Unpin, mut drains: mpsc::UnboundedReceiver<Drain>) -> String {
        let mut buffer = vec![0; CHUNK];
        loop {
            let drain = tokio::select! {
                biased;
                result = input.read(&mut buffer) => {
                    if let Err(why) = self.hand_over(result, &buffer).await {
                        return why;
                    }
                    continue;
                }
                Some(drain) = drains.recv() => drain,
            };
            // Lets the runtime look at the sockets again before "nothing to read" is believed.
            task::yield_now().await;
            loop {
                tokio::select! {
                    biased;
                    result = input.read(&mut buffer) => {
                        if let Err(why) = self.hand_over(result, &buffer).await {
                            return why;
                        }
                    }
                    () = std::future::ready(()) => break,
                }
            }
            drop(drain);
        }
    }

    async fn hand_over(&self, read: io::Result<usize>, buffer: &[u8]) -> Result<(), String> {
        match read {
            Ok(0) => Err("the peer closed the connection".into()),
            Ok(count) => {
                let (taken, done) = oneshot::channel();
                self.tell(Happening::Bytes(self.conn, buffer[..count].to_vec(), taken)).await;
                // An error means that the connection is not the node's any more: what comes is discarded.
                let _ = done.await;
                Ok(())
            }
            Err(why) => Err(why.to_string()),
        }
    }

    /// Writes what is in the outbox until the connection is to be closed and nothing is left.
    async fn write(&self, mut output: impl AsyncWrite + Unpin) -> io::Result<()> {
        loop {
            while let Some(piece) = self.outbox.pop() {
                match piece {
                    Piece::Frames(bytes) => output.write_all(&bytes).await?,
                    Piece::Payload(payload) => write_frame(&mut output, &payload).await?,
                    Piece::Sync(stream) => write_sync(&mut output, stream).await?,
                }
            }
            output.flush().await?;
            if *self.closing.borrow() != Closing::No {
                return output.shutdown().await;
            }
            tokio::select! {
                () = self.outbox.pushed() => {}
                () = closed(self.closing.clone(), Closing::Flush) => {}
            }
        }
    }

    async fn tell(&self, happening: Happening) {
        // The driver is gone only when the whole process ends.
        let _ = self.happenings.send(happening).await;
    }
}

async fn write_frame(output: &mut (impl AsyncWrite + Unpin), payload: &[u8]) -> io::Result<()> {
    output.write_all(&header(payload.len())).await?;
    output.write_all(payload).await
}

/// One frame at a time: the next is made when the last has been written (REG-16).
async fn write_sync(output: &mut (impl AsyncWrite + Unpin), stream: SyncStream) -> io::Result<()> {
    for payload in stream {
        write_frame(output, &payload).await?;
    }
    Ok(())
}

/// Returns when the connection is to be closed at least as urgently as `how`.
async fn closed(mut closing: watch::Receiver<Closing>, how: Closing) {
    let urgent = |now: &Closing| *now == Closing::AtOnce || *now == how;
    // An error means that the driver has dropped the connection.
    let _ = closing.wait_for(urgent).await;
}

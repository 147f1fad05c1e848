//! Members of rooms: blocking WebSocket clients that queue what they are told, read nothing, or vanish.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::Deserialize;
use socket2::{Domain, SockRef, Socket, Type};
use thiserror::Error;
use tungstenite::http::Uri;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{HandshakeError, Message, WebSocket};

use crate::watched::Watched;

/// Bytes that one read takes from the kernel.
const CHUNK: usize = 64 * 1024;

/// The longest message that a member takes, in bytes. More than the longest text that fits a frame between nodes.
const LONGEST_MESSAGE: usize = 64 * 1024 * 1024;

/// Texts up to this many bytes are remembered for [`Member::heard`].
const REMEMBERED: usize = 256;

/// Settings of a [`Member`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MemberOptions {
    /// The kernel's receive buffer in bytes: a small one makes a member that does not read felt sooner.
    pub receive_buffer: Option<usize>,
}

/// A WebSocket client that has joined a room. When dropped, it vanishes as by [`Member::drop_abruptly`].
#[derive(Debug)]
pub struct Member {
    id: String,
    shared: Arc<Shared>,
    stream: Option<Arc<TcpStream>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    mail: Watched<Mail>,
    /// Held over writes of a few bytes only: a member has nothing to say but control frames.
    socket: Watched<WebSocket<Fed>>,
}

#[derive(Debug)]
struct Mail {
    texts: VecDeque<Text>,
    heard: Vec<String>,
    end: Option<String>,
    reading: bool,
    abandoned: bool,
}

/// One text message, usually the text of one broadcast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// When its last byte was read.
    pub at: Instant,
    /// The text.
    pub text: String,
}

/// Why there is no text, or no member.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MemberError {
    /// The URL is none that a client can use.
    #[error("`{url}` is no WebSocket URL ({reason}); node.start must answer one like ws://127.0.0.1:40999")]
    Url {
        /// The URL with the room in it.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// TCP or the WebSocket handshake failed.
    #[error("cannot join by {url}: {reason}; check that the node serves <websocket>/rooms/<room>")]
    Refused {
        /// The URL with the room in it.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The first text is not the one that tells the member id.
    #[error("a member's first text must be {{\"member\": \"…\"}}, but was {0}")]
    Greeting(String),
    /// The connection has ended, and all texts before have been taken.
    #[error("the room connection has ended: {0}")]
    Ended(String),
    /// The deadline passed.
    #[error("timed out waiting for {0}")]
    TimedOut(&'static str),
}

#[derive(Deserialize)]
struct Greeting {
    member: String,
}

impl Member {
    /// Connects to `<websocket>/rooms/<room>` and waits for the member id. `websocket` is the URL that `node.start` gave.
    pub fn connect(websocket: &str, room: &str, deadline: Instant) -> Result<Self, MemberError> {
        Self::connect_with(websocket, room, MemberOptions::default(), deadline)
    }

    /// Like [`Member::connect`], with settings.
    pub fn connect_with(
        websocket: &str,
        room: &str,
        options: MemberOptions,
        deadline: Instant,
    ) -> Result<Self, MemberError> {
        let url = format!("{}/rooms/{}", websocket.trim_end_matches('/'), percent_encoded(room));
        let refused = |reason: String| MemberError::Refused { url: url.clone(), reason };
        let stream = dial(&url, options, deadline)?;
        let socket = open(&url, &stream, deadline)?;
        let shared = Arc::new(Shared {
            mail: Watched::new(Mail {
                texts: VecDeque::new(),
                heard: Vec::new(),
                end: None,
                reading: true,
                abandoned: false,
            }),
            socket: Watched::new(socket),
        });
        let (theirs, to_read) = (shared.clone(), stream.clone());
        let thread = thread::Builder::new()
            .name("room member".to_owned())
            .spawn(move || theirs.read_all(&to_read))
            .map_err(|error| refused(error.to_string()))?;
        let mut member = Self { id: String::new(), shared, stream: Some(stream), thread: Some(thread) };
        let first = match member.next(deadline) {
            Ok(first) => first,
            Err(MemberError::TimedOut(_)) => return Err(MemberError::TimedOut("the text that tells the member id")),
            Err(error) => return Err(error),
        };
        let greeting: Greeting =
            serde_json::from_str(&first.text).map_err(|_| MemberError::Greeting(first.text.clone()))?;
        member.id = greeting.member;
        Ok(member)
    }

    /// The id that the node gave it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The next text. Texts that came before the connection's end come before it.
    pub fn next(&self, deadline: Instant) -> Result<Text, MemberError> {
        let taken = self.shared.mail.wait_until(deadline, |mail| match mail.texts.pop_front() {
            Some(text) => Some(Ok(text)),
            None => mail.end.clone().map(|end| Err(MemberError::Ended(end))),
        });
        taken.unwrap_or(Err(MemberError::TimedOut("a room text")))
    }

    /// All short texts so far, taken or not, in order; the first is what told the member id.
    pub fn heard(&self) -> Vec<String> {
        self.shared.mail.look().heard.clone()
    }

    /// How many texts wait to be taken.
    pub fn pending(&self) -> usize {
        self.shared.mail.look().texts.len()
    }

    /// Whether the member reads from the network. One that does not is what a slow client looks like to a node.
    pub fn set_reading(&self, reading: bool) {
        self.shared.mail.change(|mail| mail.reading = reading);
    }

    /// Sends a text message. Errors show as the connection's end.
    pub fn send(&self, text: &str) {
        self.shared.socket.change(|socket| {
            // As for close(): the reader tells.
            let _ = socket.send(Message::text(text));
        });
    }

    /// Leaves in good order: a WebSocket close frame. [`Member::next`] tells when the node has answered it.
    pub fn close(&self) {
        self.shared.socket.change(|socket| {
            // Errors mean that the connection has ended already, which the reader tells.
            let _ = socket.close(None);
            let _ = socket.flush();
        });
    }

    /// Vanishes: RST, at once. When this returns, it has been sent.
    pub fn drop_abruptly(mut self) {
        self.vanish();
    }

    fn vanish(&mut self) {
        let Some(stream) = self.stream.take() else { return };
        let _ = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
        self.shared.mail.change(|mail| mail.abandoned = true);
        // Wakes the reader; the RST goes out when the last share of the socket goes.
        let _ = stream.shutdown(Shutdown::Read);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        self.shared.socket.change(|socket| socket.get_mut().stream = None);
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.vanish();
    }
}

impl Shared {
    fn read_all(&self, stream: &TcpStream) {
        let end = self.read_until_end(stream);
        // Servers take a WebSocket for closed when its TCP connection has ended, too (RFC 6455, 7.1.4). One that vanishes ends with RST.
        if !self.mail.look().abandoned {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.mail.change(|mail| mail.end = Some(end));
    }

    fn read_until_end(&self, mut stream: &TcpStream) -> String {
        let mut chunk = vec![0; CHUNK];
        // The first text may have come in one piece with the end of the handshake.
        if let Err(end) = self.take_in(&[]) {
            return end;
        }
        loop {
            let goes_on = self.mail.wait(|mail| (mail.abandoned || mail.reading).then_some(!mail.abandoned));
            if !goes_on {
                return "this member left".to_owned();
            }
            // Looking first: what comes after the member has stopped reading must stay in the kernel.
            if let Err(error) = stream.peek(&mut [0]) {
                if error.kind() == ErrorKind::Interrupted {
                    continue;
                }
                return error.to_string();
            }
            if !self.mail.look().reading {
                continue;
            }
            match stream.read(&mut chunk) {
                Ok(0) => return "the node closed the connection without a WebSocket close".to_owned(),
                Ok(length) => {
                    if let Err(end) = self.take_in(&chunk[..length]) {
                        return end;
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return error.to_string(),
            }
        }
    }

    fn take_in(&self, bytes: &[u8]) -> Result<(), String> {
        let mut texts = Vec::new();
        let outcome = self.socket.change(|socket| {
            socket.get_mut().arrived.extend(bytes);
            loop {
                match socket.read() {
                    Ok(Message::Text(text)) => texts.push(Text { at: Instant::now(), text: text.to_string() }),
                    Ok(Message::Close(_)) => {
                        let _ = socket.flush();
                        return Err("the node closed the WebSocket".to_owned());
                    }
                    Ok(_) => {}
                    Err(tungstenite::Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error.to_string()),
                }
            }
        });
        self.mail.change(|mail| {
            mail.heard.extend(texts.iter().map(|text| &text.text).filter(|text| text.len() <= REMEMBERED).cloned());
            mail.texts.extend(texts);
        });
        outcome
    }
}

/// What tungstenite reads from: the socket itself during the handshake, afterwards only what the reader thread has
/// put there, so that nobody who waits for bytes holds the lock that a close needs.
#[derive(Debug)]
struct Fed {
    stream: Option<Arc<TcpStream>>,
    arrived: VecDeque<u8>,
    direct: bool,
}

impl Read for Fed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.stream {
            Some(stream) if self.direct => (&**stream).read(buffer),
            _ if self.arrived.is_empty() => Err(ErrorKind::WouldBlock.into()),
            _ => self.arrived.read(buffer),
        }
    }
}

impl Write for Fed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &self.stream {
            Some(stream) => (&**stream).write(bytes),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn dial(url: &str, options: MemberOptions, deadline: Instant) -> Result<Arc<TcpStream>, MemberError> {
    let bad = |reason: &str| MemberError::Url { url: url.to_owned(), reason: reason.to_owned() };
    let uri: Uri = url.parse().map_err(|error: tungstenite::http::uri::InvalidUri| bad(&error.to_string()))?;
    let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
    let target = (authority.host().trim_matches(['[', ']']), authority.port_u16().unwrap_or(80));
    let address: SocketAddr = target
        .to_socket_addrs()
        .map_err(|error| bad(&error.to_string()))?
        .next()
        .ok_or_else(|| bad("its host has no address"))?;
    let refused = |error: io::Error| MemberError::Refused { url: url.to_owned(), reason: error.to_string() };
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).map_err(refused)?;
    if let Some(size) = options.receive_buffer {
        socket.set_recv_buffer_size(size).map_err(refused)?;
    }
    socket.connect_timeout(&address.into(), left(deadline)?).map_err(refused)?;
    Ok(Arc::new(socket.into()))
}

fn open(url: &str, stream: &Arc<TcpStream>, deadline: Instant) -> Result<WebSocket<Fed>, MemberError> {
    let refused = |reason: String| MemberError::Refused { url: url.to_owned(), reason };
    let config =
        WebSocketConfig::default().max_message_size(Some(LONGEST_MESSAGE)).max_frame_size(Some(LONGEST_MESSAGE));
    let fed = Fed { stream: Some(stream.clone()), arrived: VecDeque::new(), direct: true };
    stream.set_read_timeout(Some(left(deadline)?)).map_err(|error| refused(error.to_string()))?;
    // For the whole life: the only writes are control frames, and one that does not fit the kernel's buffer is lost.
    stream.set_write_timeout(Some(Duration::from_millis(500))).map_err(|error| refused(error.to_string()))?;
    let mut attempt = tungstenite::client::client_with_config(url, fed, Some(config));
    let mut socket = loop {
        match attempt {
            Ok((socket, _)) => break socket,
            Err(HandshakeError::Interrupted(unfinished)) => {
                stream.set_read_timeout(Some(left(deadline)?)).map_err(|error| refused(error.to_string()))?;
                attempt = unfinished.handshake();
            }
            Err(HandshakeError::Failure(error)) => return Err(refused(error.to_string())),
        }
    };
    stream.set_read_timeout(None).map_err(|error| refused(error.to_string()))?;
    socket.get_mut().direct = false;
    Ok(socket)
}

fn left(deadline: Instant) -> Result<Duration, MemberError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(MemberError::TimedOut("the WebSocket handshake")) } else { Ok(left) }
}

/// Everything but RFC 3986's unreserved characters is written as %XX, byte by byte of its UTF-8.
fn percent_encoded(room: &str) -> String {
    room.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    /// Serves one client with `script`; the result is the URL, and the thread to see how it went.
    fn serve(script: impl FnOnce(&mut WebSocket<TcpStream>) + Send + 'static) -> (String, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let thread = thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut path = String::new();
            #[allow(clippy::result_large_err, reason = "tungstenite's type of callback")]
            let remember = |request: &tungstenite::handshake::server::Request, response| {
                path = request.uri().path().to_owned();
                Ok(response)
            };
            let mut socket = tungstenite::accept_hdr(stream, remember).unwrap();
            script(&mut socket);
            path
        });
        (url, thread)
    }

    #[test]
    fn a_member_is_greeted_and_told() {
        let (url, server) = serve(|socket| {
            for text in [r#"{"member":"m7"}"#, "one", "", "two"] {
                socket.send(Message::text(text)).unwrap();
            }
            assert!(matches!(socket.read(), Ok(Message::Close(_))));
            let _ = socket.flush();
        });
        let member = Member::connect(&url, "a room/ü", soon()).unwrap();
        assert_eq!(member.id(), "m7");
        for text in ["one", "", "two"] {
            assert_eq!(member.next(soon()).unwrap().text, text);
        }
        member.close();
        assert!(matches!(member.next(soon()), Err(MemberError::Ended(_))));
        assert_eq!(server.join().unwrap(), "/rooms/a%20room%2F%C3%BC");
    }

    #[test]
    fn a_member_may_vanish() {
        let (url, server) = serve(|socket| {
            socket.send(Message::text(r#"{"member":"m"}"#)).unwrap();
            let error = socket.read().expect_err("the client is gone");
            let tungstenite::Error::Io(error) = error else { panic!("{error}") };
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        });
        Member::connect(&url, "r", soon()).unwrap().drop_abruptly();
        server.join().unwrap();
    }

    #[test]
    fn a_member_that_does_not_read_can_still_leave() {
        let (url, server) = serve(|socket| {
            socket.get_mut().set_write_timeout(Some(Duration::from_millis(200))).unwrap();
            socket.send(Message::text(r#"{"member":"m"}"#)).unwrap();
            let filler = "x".repeat(1 << 20);
            // Blocks once the kernel's buffers are full.
            while socket.send(Message::text(filler.as_str())).is_ok() {}
        });
        let options = MemberOptions { receive_buffer: Some(4096) };
        let member = Member::connect_with(&url, "r", options, soon()).unwrap();
        member.set_reading(false);
        server.join().unwrap();
        member.close();
        drop(member);
    }

    #[test]
    fn a_wrong_greeting_and_no_greeting_are_said() {
        let (url, server) = serve(|socket| socket.send(Message::text("welcome")).unwrap());
        assert_eq!(Member::connect(&url, "r", soon()).err(), Some(MemberError::Greeting("welcome".to_owned())));
        server.join().unwrap();
        let (url, server) = serve(|socket| drop(socket.read()));
        let deadline = Instant::now() + Duration::from_millis(100);
        let error = Member::connect(&url, "r", deadline).expect_err("no greeting");
        assert_eq!(error.to_string(), "timed out waiting for the text that tells the member id");
        server.join().unwrap();
    }

    #[test]
    fn what_is_no_room_endpoint_is_said() {
        assert!(matches!(Member::connect("nonsense", "r", soon()), Err(MemberError::Url { .. })));
        let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert!(matches!(Member::connect(&format!("ws://{unused}"), "r", soon()), Err(MemberError::Refused { .. })));
    }
}

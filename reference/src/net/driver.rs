//! The event loop: hands what happens to the pure node, one thing at a time, and does what it says.

use std::{collections::BTreeMap, collections::VecDeque, sync::Arc, time::Instant};

use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot, watch},
    task::JoinSet,
    time,
};

use super::{
    link::{Closing, Drain, Link},
    listener,
    members::{self, Member},
    outbox::{self, Outbox},
    random::SecureEntropy,
    start::{self, Bound, StartOptions, Started},
    tls::{Tls, Transport},
};
use crate::{
    faults::{Context, Planted},
    node::{Answer, Command, CommandError, ConnId, Event, How, Input, MemberId, Node, Role, Token},
    wire::{FrameReader, MAX_HANDSHAKE_PAYLOAD, MAX_SESSION_PAYLOAD, message::Phase},
};

/// Things that may wait for the driver. Each connection has at most one chunk among them.
const QUEUE: usize = 1_024;

/// How long the tasks of connections that are being closed are waited for at the end.
const GOODBYE: time::Duration = time::Duration::from_secs(2);

/// Something that happened outside.
pub(crate) enum Happening {
    Start(Token, StartOptions),
    Command(Token, Command),
    /// Answer when all that has been received so far has had its effects.
    Barrier(Token),
    Accepted(TcpStream),
    /// TLS is up on a connection of either role.
    Secured(ConnId, mpsc::UnboundedSender<Drain>),
    DialFailed(ConnId, String),
    /// Bytes, and what to drop when the node is done with them.
    Bytes(ConnId, Vec<u8>, oneshot::Sender<()>),
    Closed(ConnId, String),
    MemberAccepted(TcpStream),
    Joined(MemberId, Arc<str>, Member),
    Left(MemberId),
    Drained(Token),
}

/// What the front end (control or by hand) is told.
#[derive(Debug)]
pub(crate) enum Report {
    Started(Token, Result<Started, CommandError>),
    Reply(Token, Result<Answer, CommandError>),
    Event(Event),
}

/// The driver's end of a connection. Dropping it closes the connection at once.
pub(super) struct Connection {
    frames: FrameReader,
    pub(super) outbox: Arc<Outbox>,
    pub(super) closing: watch::Sender<Closing>,
    /// There once TLS is up.
    drains: Option<mpsc::UnboundedSender<Drain>>,
}

/// Owns the node and everything that is open.
pub(crate) struct Driver {
    node: Node,
    pub(super) planted: Planted,
    entropy: SecureEntropy,
    pub(super) tls: Tls,
    happenings: mpsc::Receiver<Happening>,
    sender: mpsc::Sender<Happening>,
    reports: mpsc::UnboundedSender<Report>,
    pub(super) connections: BTreeMap<ConnId, Connection>,
    pub(super) members: BTreeMap<MemberId, Member>,
    last_accepted: u64,
    last_member: u64,
    pub(super) tasks: JoinSet<()>,
    /// Connections that have been told to close; they outlive the node's interest in them.
    pub(super) leaving: Vec<watch::Sender<Closing>>,
    inputs: VecDeque<Input>,
    /// Inputs that came of outputs and of planted faults; they follow those that are there.
    pub(super) added: VecDeque<Input>,
}

impl Driver {
    /// A driver, where to tell it what to do, and where it reports. Reports are not bounded: whoever started the node
    /// reads them, or has only itself to blame.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub(crate) fn new(
        planted: Planted,
    ) -> anyhow::Result<(Self, mpsc::Sender<Happening>, mpsc::UnboundedReceiver<Report>)> {
        let mut transport = Transport::default();
        planted.transport(&mut transport);
        let tls = Tls::new(&transport)?;
        let (sender, happenings) = mpsc::channel(QUEUE);
        let (reports, receiver) = mpsc::unbounded_channel();
        let driver = Self {
            node: Node::new(),
            planted,
            entropy: SecureEntropy::new(),
            tls,
            happenings,
            sender: sender.clone(),
            reports,
            connections: BTreeMap::new(),
            members: BTreeMap::new(),
            last_accepted: 0,
            last_member: 0,
            tasks: JoinSet::new(),
            leaving: Vec::new(),
            inputs: VecDeque::new(),
            added: VecDeque::new(),
        };
        Ok((driver, sender, receiver))
    }

    /// Runs until a [`Command::Stop`] has been done and the connections are closed.
    pub(crate) async fn run(mut self) {
        loop {
            let (due, wake) = (self.node.next_timer(), self.planted.wake());
            let timer = async {
                match due.into_iter().chain(wake).min() {
                    Some(next) => time::sleep_until(next.into()).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                Some(happening) = self.happenings.recv() => {
                    let stops = matches!(happening, Happening::Command(_, Command::Stop));
                    self.happened(happening).await;
                    if stops {
                        break;
                    }
                }
                () = timer => {}
                Some(_) = self.tasks.join_next() => continue,
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                self.input(Input::Tick);
            }
            if wake.is_some_and(|wake| wake <= Instant::now()) {
                self.filter(|planted, context| planted.awake(context));
                self.settle();
            }
        }
        self.say_goodbye().await;
    }

    async fn happened(&mut self, happening: Happening) {
        match happening {
            Happening::Start(token, options) => {
                let result = self.start(options).await;
                self.report(Report::Started(token, result));
            }
            Happening::Command(token, command) => self.input(Input::Command(token, command)),
            Happening::Barrier(token) => self.barrier(token),
            Happening::Drained(token) => self.report(Report::Reply(token, Ok(Answer::Done))),
            Happening::Accepted(stream) => self.accepted(stream),
            Happening::Secured(conn, drains) => {
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.drains = Some(drains);
                    if conn.role == Role::Dialled {
                        self.input(Input::Dialled(conn));
                    }
                }
            }
            Happening::DialFailed(conn, why) => {
                self.connections.remove(&conn);
                self.input(Input::DialFailed(conn, why));
            }
            Happening::Bytes(conn, bytes, _taken) => self.bytes(conn, bytes),
            Happening::Closed(conn, why) => {
                tracing::debug!(?conn, why, "connection ended");
                if let Some(conn) = self.filter(|planted, context| planted.lost(context, conn, &why))
                    && self.connections.remove(&conn).is_some()
                {
                    self.input(Input::Closed(conn));
                }
            }
            Happening::MemberAccepted(stream) => {
                self.last_member += 1;
                let id = MemberId(self.last_member);
                let patience = self.planted.member_patience(members::PATIENCE);
                self.tasks.spawn(members::serve(stream, id, patience, self.sender.clone()));
            }
            Happening::Joined(member, room, handle) => {
                self.members.insert(member, handle);
                self.input(Input::MemberJoined { member, room });
            }
            Happening::Left(member) => {
                if self.members.remove(&member).is_some() {
                    self.input(Input::MemberLeft(member));
                }
            }
        }
    }

    async fn start(&mut self, options: StartOptions) -> Result<Started, CommandError> {
        if self.node.identity().is_some() {
            return Err(CommandError::AlreadyStarted);
        }
        let Bound { identity, nodes, members, mut started } = start::bind_all(options).await?;
        self.input(Input::Start(identity));
        if let Some(identity) = self.node.identity() {
            started.creation = identity.creation.get();
        }
        self.tasks.spawn(listener::accept(nodes, self.sender.clone(), Happening::Accepted));
        self.tasks.spawn(listener::accept(members, self.sender.clone(), Happening::MemberAccepted));
        Ok(started)
    }

    fn accepted(&mut self, stream: TcpStream) {
        self.last_accepted += 1;
        let conn = ConnId { role: Role::Accepted, serial: self.last_accepted };
        let link = self.open(conn);
        let tls = self.tls.clone();
        self.tasks.spawn(link.accept(stream, tls));
        self.input(Input::Accepted(conn));
    }

    pub(super) fn open(&mut self, conn: ConnId) -> Link {
        let outbox = Arc::new(Outbox::new(self.planted.peer_patience(outbox::PATIENCE)));
        let (closing, watched) = watch::channel(Closing::No);
        let connection = Connection { frames: FrameReader::new(), outbox: outbox.clone(), closing, drains: None };
        self.connections.insert(conn, connection);
        Link { conn, outbox, closing: watched, happenings: self.sender.clone() }
    }

    /// Takes frames out of what has come. The limit is asked for anew before each frame: the one behind REPLY or ACK is
    /// a session's already (FRAME-10).
    fn bytes(&mut self, conn: ConnId, bytes: Vec<u8>) {
        let bytes = self.filter(|planted, context| planted.bytes_in(context, conn, bytes));
        let mut rest = &bytes[..];
        while let Some(phase) = self.node.phase(conn) {
            let limit = match phase {
                Phase::Handshake => MAX_HANDSHAKE_PAYLOAD,
                Phase::Session => MAX_SESSION_PAYLOAD,
            };
            let limit = self.filter(|planted, context| planted.frame_limit(context, conn, limit));
            let Some(connection) = self.connections.get_mut(&conn) else { break };
            match connection.frames.next(&mut rest, limit) {
                Ok(Some(payload)) => {
                    let payload = self.filter(|planted, context| planted.frame_in(context, conn, payload));
                    if let Some(payload) = payload {
                        self.input(Input::Frame(conn, payload));
                    }
                }
                Ok(None) => break,
                Err(why) => {
                    tracing::info!(?conn, "closed: {why}");
                    self.close(conn, How::Flush);
                    self.input(Input::Closed(conn));
                }
            }
        }
        self.settle();
    }

    /// Gives the node one input and does what comes of it, and of that in turn.
    fn input(&mut self, input: Input) {
        let input = self.filter(|planted, context| planted.input(context, input));
        self.inputs.extend(input);
        self.settle();
    }

    /// Handles inputs until none is left.
    fn settle(&mut self) {
        self.inputs.append(&mut self.added);
        while let Some(input) = self.inputs.pop_front() {
            let entropy = &mut self.planted.entropy(&mut self.entropy);
            for output in self.node.handle(input, Instant::now(), entropy) {
                self.filtered(output);
            }
            self.inputs.append(&mut self.added);
        }
    }

    /// Runs one hook of the planted faults, and does what it has added. Without faults this costs nothing.
    pub(super) fn filter<T>(&mut self, hook: impl FnOnce(&Planted, &mut Context<'_>) -> T) -> T {
        let mut context = Context::new(&self.node);
        let result = hook(&self.planted, &mut context);
        let (outputs, inputs) = context.into_added();
        for output in outputs {
            self.perform(output);
        }
        self.added.extend(inputs);
        result
    }

    /// Has every connection hand over what it has, and then queues the answer behind all of that.
    fn barrier(&mut self, token: Token) {
        let links = self.connections.values().filter_map(|connection| connection.drains.as_ref());
        let members = self.members.values().map(|member| &member.drains);
        let drained: Vec<_> = links
            .chain(members)
            .filter_map(|drains| {
                let (drain, drained) = oneshot::channel();
                drains.send(drain).is_ok().then_some(drained)
            })
            .collect();
        let sender = self.sender.clone();
        self.tasks.spawn(async move {
            for drained in drained {
                // An error is the answer: the sender was dropped.
                let _ = drained.await;
            }
            let _ = sender.send(Happening::Drained(token)).await;
        });
    }

    pub(super) fn report(&self, report: Report) {
        // The front end is gone only when the whole process ends.
        let _ = self.reports.send(report);
    }

    /// Waits for the connections that are being closed. Listeners and members end with the driver.
    async fn say_goodbye(self) {
        self.members.into_values().for_each(drop);
        let leaving = async {
            for closing in &self.leaving {
                closing.closed().await;
            }
        };
        let _ = time::timeout(GOODBYE, leaving).await;
    }
}

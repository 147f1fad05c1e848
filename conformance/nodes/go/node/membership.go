package node

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"snow/wire"
)

// membership is whom the node is connected to, and whom it is about to be.
type membership struct {
	sessions map[string]*session
	watchers map[string]map[uint64]struct{} // who watches a node: local ids by node name

	ids   map[string]uint16 // node ids by name, for as long as the node runs (PROC-7)
	names []string          // names by node id; 0 is the node itself

	open       map[*tracked]struct{} // every connection, of nodes and of room members
	unanswered map[wire.Hash]*conn   // challenges that have been sent and not answered (HS-27)
	orders     uint64

	// Accepted connections in their handshake, and the order in which they came.
	strangers     map[*tracked]int
	strangerOrder []*tracked
	strangerBase  int

	dials       map[string]*dial
	waiters     map[string][]*waiter
	listed      []string // names that wait for their dial
	isListed    map[string]struct{}
	listedDials int
	recentDials []time.Time // when the last 256 listed dials began
	listTimer   *time.Timer
}

func (m *membership) init() {
	m.sessions = map[string]*session{}
	m.watchers = map[string]map[uint64]struct{}{}
	m.ids = map[string]uint16{}
	m.names = []string{""}
	m.open = map[*tracked]struct{}{}
	m.unanswered = map[wire.Hash]*conn{}
	m.strangers = map[*tracked]int{}
	m.dials = map[string]*dial{}
	m.waiters = map[string][]*waiter{}
	m.isListed = map[string]struct{}{}
}

func (m *membership) nextOrder() uint64 {
	m.orders++
	return m.orders
}

func (n *Node) addStranger(tcp *tracked) {
	if len(n.strangers) >= maxStrangers {
		n.dropOldestStranger()
	}
	n.strangers[tcp] = n.strangerBase + len(n.strangerOrder)
	n.strangerOrder = append(n.strangerOrder, tcp)
}

func (n *Node) isNoStranger(tcp *tracked) {
	if at, ok := n.strangers[tcp]; ok {
		delete(n.strangers, tcp)
		n.strangerOrder[at-n.strangerBase] = nil
	}
	for len(n.strangerOrder) > 0 && n.strangerOrder[0] == nil {
		n.strangerOrder = n.strangerOrder[1:]
		n.strangerBase++
	}
}

func (n *Node) dropOldestStranger() {
	if len(n.strangerOrder) > 0 {
		oldest := n.strangerOrder[0] // never nil: isNoStranger trims
		n.isNoStranger(oldest)
		oldest.Close()
	}
}

const (
	maxID         = 65_534 // the last one is no node's: it stands for nodes of which nothing is known
	maxRegistryID = 64_511 // the last 1,024 of 65,535 are kept for sessions (PROC-8)
)

// idOf gives a name its node id, from 1 up to the greatest one (PROC-6).
func (n *Node) idOf(name string, greatest int) (id uint16, ok bool) {
	if id, ok = n.ids[name]; ok {
		return id, true
	}
	if len(n.names) > greatest {
		return 0, false
	}
	id = uint16(len(n.names))
	n.ids[name] = id
	n.names = append(n.names, name)
	return id, true
}

// nameOf is the node on which the process of a PID lives.
func (n *Node) nameOf(id uint16) string {
	if id == 0 {
		return n.config.Name
	}
	return n.names[id]
}

// sessionOf is the live session with the node of that id, or nil.
func (n *Node) sessionOf(id uint16) *session {
	if id == 0 || int(id) >= len(n.names) {
		return nil
	}
	return n.sessions[n.names[id]]
}

// admits is asked of an accepted connection twice: when NAME has been read, and on a right REPLY (MEM-16 to MEM-20, MEM-27).
func (n *Node) admits(name string, creation uint8, c *conn) bool {
	if live := n.sessions[name]; live != nil && (live.creation == creation || c.order < live.conn.order) {
		return false
	}
	return n.dials[name] == nil || n.config.Name > name
}

// begin makes an authenticated connection a session, or gives nil when it cannot be one.
// ack is what the acceptor still has to send before anything else.
func (n *Node) begin(c *conn, name string, creation uint8, ack *wire.Ack) *session {
	id, ok := n.idOf(name, maxID)
	if !ok {
		slog.Error("all node ids are given: peer refused", "peer", name) // PROC-9
		return nil
	}
	n.isNoStranger(c.tcp)
	if d := n.dials[name]; d != nil { // MEM-21
		d.dropped = true
		d.cancel()
		n.endDial(d)
	}
	if old := n.sessions[name]; old != nil { // MEM-24
		n.end(old)
	}
	s := newSession(c, name, id, creation)
	if ack != nil {
		n.send(s, ack)
	}
	n.dropFormerEntries(s)
	if len(n.sessions) > 0 {
		list := &wire.PeerList{}
		for peer := range n.sessions {
			list.Peers = append(list.Peers, wire.Peer{Name: peer})
		}
		if n.send(s, list) == ErrTooLarge { // PEER_LIST cannot be split: tell as many as it holds
			list.Peers = list.Peers[:wire.Session.Limit()/(maxNameLength+2)-1]
			n.send(s, list)
		}
	}
	n.sendTable(s)
	n.sessions[name] = s
	n.observer.SessionOpened(name, creation)
	for watcher := range n.watchers[name] {
		n.observer.NodeUp(wire.PID{Local: watcher}, name)
	}
	for _, w := range n.waiters[name] {
		w.finish(nil)
	}
	delete(n.waiters, name)
	n.supervisorsHearNodeUp(name)
	n.startHeartbeat(s)
	go c.writeQueue()
	return s
}

// end removes a session, with all effects of a disconnect (MEM-39), and closes its connection when what waits is written.
func (n *Node) end(s *session) {
	if s.ended {
		return
	}
	s.ended = true
	s.stopHeartbeat()
	delete(n.sessions, s.name)
	s.conn.closeInOrder()
	n.dropOwned(s)
	n.disconnectProcesses(s)
	for watcher := range n.watchers[s.name] {
		n.observer.NodeDown(wire.PID{Local: watcher}, s.name)
	}
	n.observer.SessionClosed(s.name, s.creation)
}

// abandon ends a session whose peer reads nothing.
func (n *Node) abandon(s *session, why string) {
	if !s.ended {
		slog.Info("session abandoned", "peer", s.name, "why", why)
		s.conn.closeNow()
		n.end(s)
	}
}

// Connected lists the connected nodes.
func (n *Node) Connected() []string { return slices.Collect(maps.Keys(n.sessions)) }

// WatchNode has a local process told when sessions with a node begin and end.
func (n *Node) WatchNode(pid wire.PID, name string) error {
	if !ValidPeer(name) {
		return ErrInvalidName
	}
	p := n.local(pid)
	if p == nil {
		return ErrNoProcess
	}
	if n.watchers[name] == nil {
		n.watchers[name] = map[uint64]struct{}{}
	}
	n.watchers[name][p.id] = struct{}{}
	p.watches[name] = struct{}{}
	return nil
}

// waiter is a request to connect.
type waiter struct {
	answer func(error)
	done   bool
}

func (w *waiter) finish(err error) {
	if !w.done {
		w.done = true
		w.answer(err)
	}
}

// Connect calls back with nil as soon as a session with that name exists, whoever opened it (MEM-23).
func (n *Node) Connect(name string, answer func(error)) {
	switch {
	case !n.started():
		answer(ErrNotStarted)
	case !ValidPeer(name):
		answer(ErrInvalidName)
	case name == n.config.Name:
		answer(fmt.Errorf("%w: it is the node's own name", ErrConnect))
	case n.sessions[name] != nil:
		answer(nil)
	default:
		w := &waiter{answer: answer}
		n.waiters[name] = append(n.waiters[name], w)
		d := n.dials[name]
		if d == nil {
			d = n.startDial(name)
		}
		d.waiters = append(d.waiters, w)
	}
}

func (n *Node) startDial(name string) *dial {
	ctx, cancel := context.WithTimeout(n.ctx, n.config.HandshakeTimeout)
	d := &dial{name: name, cancel: cancel}
	n.dials[name] = d
	go n.runDial(ctx, d)
	return d
}

// endDial says that a dial is not under way any more.
func (n *Node) endDial(d *dial) {
	if n.dials[d.name] != d {
		return
	}
	delete(n.dials, d.name)
	if d.listed {
		n.listedDials--
		n.later = append(n.later, n.dialListed)
	}
}

// graceTime is how long a request to connect waits for the smaller node's own connection (MEM-23).
const graceTime = time.Second

func (n *Node) dialFailed(d *dial, closedByPeer bool, err error) {
	d.cancel()
	n.endDial(d)
	if d.dropped {
		return
	}
	slog.Debug("dial failed", "peer", d.name, "error", err)
	fail := func() {
		for _, w := range d.waiters {
			w.finish(fmt.Errorf("%w: %w", ErrConnect, err))
		}
		waiting := slices.DeleteFunc(n.waiters[d.name], func(w *waiter) bool { return w.done })
		if n.waiters[d.name] = waiting; len(waiting) == 0 {
			delete(n.waiters, d.name)
		}
	}
	if closedByPeer && n.config.Name > d.name && len(d.waiters) > 0 {
		n.after(graceTime, fail)
	} else {
		fail()
	}
}

const (
	maxListedDials = 8     // under way at once (MEM-13)
	maxListed      = 4_096 // names that wait (RES-3)
	dialsAWindow   = 256   // in any 10 seconds (RES-3)
	dialWindow     = 10 * time.Second
)

// heardPeers queues dials to the nodes of a PEER_LIST that are not connected (MEM-6 to MEM-11).
func (n *Node) heardPeers(list *wire.PeerList) {
	for _, peer := range list.Peers {
		name := peer.Name
		_, queued := n.isListed[name]
		if queued || len(n.listed) >= maxListed || name == n.config.Name || n.sessions[name] != nil ||
			n.dials[name] != nil || !ValidPeer(name) {
			continue
		}
		n.listed = append(n.listed, name)
		n.isListed[name] = struct{}{}
	}
	n.dialListed()
}

// dialListed starts as many of the queued dials as may be.
func (n *Node) dialListed() {
	for len(n.listed) > 0 && n.listedDials < maxListedDials {
		now := time.Now()
		if len(n.recentDials) >= dialsAWindow {
			if wait := dialWindow - now.Sub(n.recentDials[0]); wait >= 0 {
				if n.listTimer == nil {
					n.listTimer = n.after(wait+time.Millisecond, func() {
						n.listTimer = nil
						n.dialListed()
					})
				}
				return
			}
			n.recentDials = n.recentDials[1:]
		}
		name := n.listed[0]
		n.listed = n.listed[1:]
		delete(n.isListed, name)
		if n.sessions[name] != nil || n.dials[name] != nil { // MEM-22
			continue
		}
		n.recentDials = append(n.recentDials, now)
		n.listedDials++
		n.startDial(name).listed = true
	}
}

// session is an authenticated connection.
type session struct {
	conn     *conn
	name     string
	id       uint16 // the peer's node id here
	creation uint8
	ended    bool

	isAbandoned bool // more waits for it than may

	pings     map[wire.Nonce]*time.Timer // unanswered ones, with their timeouts
	heartbeat *time.Timer

	links       map[link]uint64             // of local processes with the peer's; the values tell the order
	monitorsOut map[uint64]*monitor         // of the peer's processes by local ones, by reference
	monitorsIn  map[uint64]*remoteMonitor   // of local processes by the peer's, by the peer's reference
	spawns      map[uint64]func(*spawnDone) // SPAWNs without their reply, by request
}

func newSession(c *conn, name string, id uint16, creation uint8) *session {
	return &session{
		conn: c, name: name, id: id, creation: creation,
		pings:       map[wire.Nonce]*time.Timer{},
		links:       map[link]uint64{},
		monitorsOut: map[uint64]*monitor{},
		monitorsIn:  map[uint64]*remoteMonitor{},
		spawns:      map[uint64]func(*spawnDone){},
	}
}

// pid is the peer's process of that local id, as this node holds it (PROC-3).
func (s *session) pid(local uint64) wire.PID {
	return wire.PID{Node: s.id, Creation: s.creation, Local: local & wire.MaxLocal}
}

// send queues a message, or answers ErrTooLarge and sends nothing of it (FRAME-16).
func (n *Node) send(s *session, m wire.Message) error {
	frame, err := makeFrame(m)
	if err != nil {
		return err
	}
	n.push(s, frame)
	return nil
}

// sendAll queues a message for every session.
func (n *Node) sendAll(m wire.Message) error {
	if len(n.sessions) == 0 {
		return nil
	}
	frame, err := makeFrame(m)
	if err != nil {
		return err
	}
	for _, s := range n.sessions {
		n.push(s, frame)
	}
	return nil
}

func makeFrame(m wire.Message) ([]byte, error) {
	frame, err := wire.Frame(m)
	if err != nil || len(frame)-wire.HeaderSize > wire.Session.Limit() {
		return nil, ErrTooLarge
	}
	return frame, nil
}

func (n *Node) push(s *session, frame []byte) {
	if !s.ended && !s.conn.out.push(frame) && !s.isAbandoned {
		s.isAbandoned = true
		n.later = append(n.later, func() { n.abandon(s, "it has too much to read") })
	}
}

// entriesAtOnce is how many entries of a GLOBAL_SYNC are dealt with before other sessions get their turn (FRAME-22).
const entriesAtOnce = 1_000

// readSession reads frames until the connection ends, and has the node's goroutine deal with each in turn.
func (n *Node) readSession(s *session) {
	for {
		payload, err := wire.ReadFrame(s.conn.in, wire.Session)
		if err != nil {
			n.Post(func() { n.end(s) })
			return
		}
		n.observer.Wait()
		if len(payload) > 0 && payload[0] == wire.TagGlobalSync {
			n.readSync(s, payload)
			continue
		}
		m, _, err := wire.Decode(wire.Session, payload)
		if err != nil {
			// PROC-27: what is left of this one counts. All else that is malformed is ignored whole.
			exit, ok := m.(*wire.MonitorExit)
			if !ok {
				continue
			}
			exit.Reason = &wire.Reason{Kind: wire.Error, Text: unknownReason}
		}
		n.Post(func() {
			if !s.ended { // RES-1
				n.handle(s, m)
			}
		})
	}
}

func (n *Node) readSync(s *session, payload []byte) {
	batch := make([]wire.Entry, 0, 16)
	flush := func() {
		entries := batch
		n.Post(func() {
			for _, e := range entries {
				if s.ended {
					return
				}
				n.heardEntry(s, e)
			}
		})
		batch = make([]wire.Entry, 0, cap(batch))
	}
	for e := range wire.SyncEntries(payload) {
		if batch = append(batch, e); len(batch) == entriesAtOnce {
			flush()
		}
	}
	flush()
}

// handle has a message of a session take its effects.
func (n *Node) handle(s *session, m wire.Message) {
	switch m := m.(type) {
	case *wire.PeerList:
		n.heardPeers(m)
	case *wire.Ping:
		n.later = append(n.later, func() { n.send(s, &wire.Pong{Nonce: m.Nonce}) }) // behind all effects (MEM-30)
	case *wire.Pong:
		s.answered(m.Nonce)
	case *wire.GlobalRegister:
		n.heardEntry(s, m.Entry)
	case *wire.GlobalUnregister:
		n.heardUnregister(m.Name)
	case *wire.Send:
		n.heardSend(s, m)
	case *wire.RegSend:
		n.heardRegSend(m)
	case *wire.Link:
		n.heardLink(s, m)
	case *wire.Unlink:
		n.heardUnlink(s, m)
	case *wire.Exit:
		n.heardExit(s, m)
	case *wire.Monitor:
		n.heardMonitor(s, m)
	case *wire.Demonitor:
		n.heardDemonitor(s, m)
	case *wire.MonitorExit:
		n.heardMonitorExit(s, m)
	case *wire.Spawn:
		n.heardSpawn(s, m)
	case *wire.SpawnReply:
		n.heardSpawnReply(s, m)
	case *wire.RoomBroadcast:
		n.deliverRoom(m.Room, m.Text, nil)
	}
}

func (n *Node) startHeartbeat(s *session) {
	s.heartbeat = n.after(n.config.HeartbeatInterval, func() {
		if !s.ended {
			n.ping(s)
			n.startHeartbeat(s)
		}
	})
}

// ping sends a PING, and ends the session when it is not answered in time (MEM-33 to MEM-35).
func (n *Node) ping(s *session) {
	var nonce wire.Nonce
	rand.Read(nonce[:])
	n.send(s, &wire.Ping{Nonce: nonce})
	s.pings[nonce] = n.after(n.config.HeartbeatTimeout, func() {
		if s.pings[nonce] == nil || s.ended {
			return
		}
		// The answer may have come, and stand unread behind what the peer had sent before (MEM-37).
		mark := s.conn.tcp.received()
		giveUp := func() {
			if s.pings[nonce] != nil && !s.ended {
				n.abandon(s, "a PING was not answered")
			}
		}
		if s.conn.tcp.isFinished(mark) {
			giveUp()
			return
		}
		go func() {
			s.conn.tcp.waitFinished(mark)
			n.Post(giveUp)
		}()
	})
}

// answered takes a PONG, which counts only with the bytes of a PING (MEM-36).
func (s *session) answered(nonce wire.Nonce) {
	if timeout, asked := s.pings[nonce]; asked {
		timeout.Stop()
		delete(s.pings, nonce)
	}
}

func (s *session) stopHeartbeat() {
	s.heartbeat.Stop()
	for _, timeout := range s.pings {
		timeout.Stop()
	}
}

// NameOf is the node of a node id; 0 is the node itself.
func (n *Node) NameOf(id uint16) string {
	if int(id) >= len(n.names) {
		return ""
	}
	return n.nameOf(id)
}

// IDOf is the node id of a node, if it has one.
func (n *Node) IDOf(name string) (id uint16, ok bool) {
	id, ok = n.ids[name]
	return id, ok
}

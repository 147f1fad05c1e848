package node

import (
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

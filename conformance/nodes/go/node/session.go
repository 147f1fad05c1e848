package node

import (
	"crypto/rand"
	"time"

	"snow/wire"
)

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

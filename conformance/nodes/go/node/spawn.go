package node

import "snow/wire"

// spawnDone is what becomes of a request to spawn on another node: a PID or an error.
type spawnDone struct {
	pid wire.PID
	err error
}

// Spawn starts a process of this node. With a parent it is linked to that, a local process.
func (n *Node) Spawn(name string, args []byte, parent *process) (wire.PID, error) {
	f, offered := makeFunction(name, args, nil)
	if !offered {
		return wire.PID{}, ErrRefused
	}
	p := n.create(f)
	if parent != nil {
		p.parent, p.hasParent = parent.pid(), true
		n.join(p, parent.pid())
	}
	n.start(p)
	return p.pid(), nil
}

// SpawnOn asks another node to start a process for a requester of this one, and calls back once (PROC-58).
func (n *Node) SpawnOn(node, name string, args []byte, requester *process, linked bool, done func(*spawnDone)) {
	s := n.sessions[node]
	if s == nil {
		done(&spawnDone{err: ErrNotConnected})
		return
	}
	m := &wire.Spawn{Request: wire.U64(n.nextNumber()), Requester: requester.pid(), Function: []byte(name), Args: args}
	if linked {
		m.Link = 1
	}
	if err := n.send(s, m); err != nil {
		done(&spawnDone{err: err})
		return
	}
	s.spawns[uint64(m.Request)] = done
}

// SpawnFor is process.spawn in full: node may be empty, from is needed for a link and for another node.
func (n *Node) SpawnFor(node, name string, args []byte, from wire.PID, linked bool, done func(wire.PID, error)) {
	requester := n.local(from)
	if node == "" || node == n.config.Name {
		if linked && requester == nil {
			done(wire.PID{}, ErrNoProcess)
			return
		}
		if !linked {
			requester = nil
		}
		done(n.Spawn(name, args, requester))
		return
	}
	if requester == nil {
		done(wire.PID{}, ErrNoProcess)
		return
	}
	n.SpawnOn(node, name, args, requester, linked, func(d *spawnDone) { done(d.pid, d.err) })
}

// heardSpawn starts a process for a peer's (PROC-54 to PROC-57).
func (n *Node) heardSpawn(s *session, m *wire.Spawn) {
	if m.Requester.Node != 0 { // PROC-10
		return
	}
	f, offered := makeFunction(string(m.Function), m.Args, s)
	if !offered {
		n.send(s, &wire.SpawnReply{Request: m.Request, Status: 1})
		return
	}
	p := n.create(f)
	if m.Link != 0 {
		p.parent, p.hasParent = s.pid(m.Requester.Local), true
		n.join(p, p.parent)
		n.send(s, &wire.Link{From: p.pid(), To: p.parent})
	}
	n.send(s, &wire.SpawnReply{Request: m.Request, Local: wire.U64(p.id)})
	n.start(p)
}

func (n *Node) heardSpawnReply(s *session, m *wire.SpawnReply) {
	done := s.spawns[uint64(m.Request)]
	if done == nil {
		return
	}
	delete(s.spawns, uint64(m.Request))
	if m.Status == 0 {
		done(&spawnDone{pid: s.pid(uint64(m.Local))})
	} else {
		done(&spawnDone{err: ErrRefused})
	}
}

package node

import (
	"maps"

	"snow/wire"
)

// link is one across a session; those within the node stand in its processes alone.
type link struct {
	local  uint64
	remote wire.PID
}

// join links two processes; joining them twice is joining them once.
func (n *Node) join(p *process, partner wire.PID) {
	if partner == p.pid() {
		return
	}
	if _, linked := p.links[partner]; linked {
		return
	}
	p.links[partner] = struct{}{}
	if partner.Node == 0 {
		n.procs[partner.Local].links[p.pid()] = struct{}{}
	} else if s := n.sessionWith(partner); s != nil {
		s.links[link{p.id, partner}] = n.nextNumber()
	}
}

// unlink undoes a link at both of its ends here.
func (n *Node) unlink(p *process, partner wire.PID) {
	delete(p.links, partner)
	if partner.Node == 0 {
		if q := n.procs[partner.Local]; q != nil {
			delete(q.links, p.pid())
		}
	} else if s := n.sessionWith(partner); s != nil {
		delete(s.links, link{p.id, partner})
	}
}

// sessionWith is the live session with the very run of a node on which a process lives, or nil.
func (n *Node) sessionWith(pid wire.PID) *session {
	if s := n.sessionOf(pid.Node); s != nil && s.creation == pid.Creation {
		return s
	}
	return nil
}

// Link links a local process to another one. If that is dead, the link fires at once (PROC-38, PROC-51, PROC-53).
func (n *Node) Link(pid, to wire.PID) error {
	p := n.local(pid)
	if p == nil {
		return ErrNoProcess
	}
	if to.Node != 0 && n.sessionOf(to.Node) == nil {
		return ErrNotConnected
	}
	if _, linked := p.links[to]; linked {
		return nil
	}
	if to.Node == 0 && n.local(to) != nil {
		n.join(p, to)
	} else if s := n.sessionWith(to); s != nil {
		n.join(p, to)
		n.send(s, &wire.Link{From: p.pid(), To: to})
	} else {
		n.deliverExit(p, to, errorReason(noproc))
	}
	return nil
}

// Unlink undoes a link, if there is one.
func (n *Node) Unlink(pid, to wire.PID) error {
	p := n.local(pid)
	if p == nil {
		return ErrNoProcess
	}
	if _, linked := p.links[to]; linked {
		n.unlink(p, to)
		if s := n.sessionWith(to); s != nil {
			n.send(s, &wire.Unlink{From: p.pid(), To: to})
		}
	}
	return nil
}

// tellLinks tells the end of a process over all its links (PROC-39, PROC-52).
func (n *Node) tellLinks(p *process, reason *wire.Reason) {
	for partner := range maps.Clone(p.links) {
		n.unlink(p, partner)
		if partner.Node == 0 {
			if q := n.procs[partner.Local]; q != nil {
				n.deliverExit(q, p.pid(), reason)
			}
		} else if s := n.sessionWith(partner); s != nil {
			n.sendExit(s, p.pid(), partner, reason)
		}
	}
}

// sendExit sends an EXIT, whose reason is another if it does not fit (PROC-28).
func (n *Node) sendExit(s *session, from, to wire.PID, reason *wire.Reason) {
	if n.send(s, &wire.Exit{From: from, To: to, Reason: reason}) != nil {
		n.send(s, &wire.Exit{From: from, To: to, Reason: errorReason(unknownReason)})
	}
}

// deliverExit gives a process an EXIT over a link with another one (PROC-42 to PROC-46, PROC-49).
func (n *Node) deliverExit(p *process, from wire.PID, reason *wire.Reason) {
	fromParent := p.hasParent && p.parent == from
	traps := p.trapsExits || p.supervisor != nil
	harmless := reason.Kind == wire.Normal || reason.Kind == wire.Shutdown
	switch {
	case fromParent && (reason.Kind == wire.Killed || reason.Kind == wire.Shutdown && !traps):
		n.exit(p, reason) // the link stays, and tells the parent (PROC-50)
	case !harmless && !traps:
		if !fromParent {
			n.unlink(p, from)
		}
		n.exit(p, &wire.Reason{Kind: wire.Linked, PID: from, Inner: reason})
	default:
		if !fromParent || reason.Kind != wire.Shutdown {
			n.unlink(p, from)
		}
		n.observer.ProcessExited(p.pid(), from, reason)
		if p.supervisor != nil {
			p.supervisor.heardExit(n, from, reason)
		}
	}
}

// resolve makes the PIDs in a peer's reason this node's, as far as they can be known (PROC-12).
func resolve(s *session, reason *wire.Reason) {
	for r := reason; r != nil; r = r.Inner {
		if r.Kind != wire.Linked {
			continue
		}
		if r.PID.Node == 0 {
			r.PID = s.pid(r.PID.Local)
		} else {
			r.Opaque = true
		}
	}
}

func (n *Node) heardLink(s *session, m *wire.Link) {
	if m.From.Node != 0 { // PROC-10
		return
	}
	partner := s.pid(m.From.Local)
	if p := n.directed(m.To); p != nil {
		n.join(p, partner)
	} else if m.To.Creation == n.creation || m.To.Creation == 0 { // of a former run: no answer (PROC-H1)
		n.sendExit(s, wire.PID{Local: m.To.Local}, partner, errorReason(noproc)) // PROC-40
	}
}

func (n *Node) heardUnlink(s *session, m *wire.Unlink) {
	if p := n.directed(m.To); p != nil && m.From.Node == 0 {
		n.unlink(p, s.pid(m.From.Local))
	}
}

func (n *Node) heardExit(s *session, m *wire.Exit) {
	p := n.directed(m.To)
	if p == nil || m.From.Node != 0 {
		return
	}
	partner := s.pid(m.From.Local)
	if _, linked := p.links[partner]; linked {
		resolve(s, m.Reason)
		n.deliverExit(p, partner, m.Reason)
	}
}

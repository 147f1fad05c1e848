package node

import (
	"maps"

	"snow/wire"
)

// monitor is one that a local process holds.
type monitor struct {
	ref     uint64
	watcher *process
	target  wire.PID
	watched *process // the target, if it is of this node
	session *session // the target's, if it is not
}

// remoteMonitor is one of a local process that a peer's process holds.
type remoteMonitor struct {
	ref     uint64 // the peer's own
	session *session
	watcher wire.PID
	process *process
}

// Monitor has a local process told of the end of another one, under the reference that is returned (PROC-34, PROC-38).
func (n *Node) Monitor(pid, target wire.PID) (ref uint64, err error) {
	p := n.local(pid)
	if p == nil {
		return 0, ErrNoProcess
	}
	if target.Node != 0 && n.sessionOf(target.Node) == nil {
		return 0, ErrNotConnected
	}
	m := &monitor{ref: n.nextNumber(), watcher: p, target: target, watched: n.local(target), session: n.sessionWith(target)}
	if m.watched == nil && m.session == nil {
		n.observer.ProcessDown(pid, m.ref, target, errorReason(noproc))
		return m.ref, nil
	}
	p.monitors[m.ref] = m
	if m.watched != nil {
		m.watched.watchedBy[m] = struct{}{}
	} else {
		m.session.monitorsOut[m.ref] = m
		n.send(m.session, &wire.Monitor{From: pid, To: target, Ref: wire.U64(m.ref)})
	}
	return m.ref, nil
}

// Demonitor undoes a monitor, if it is there (PROC-37).
func (n *Node) Demonitor(pid wire.PID, ref uint64) error {
	p := n.local(pid)
	if p == nil {
		return ErrNoProcess
	}
	if m := p.monitors[ref]; m != nil {
		n.dropMonitor(m)
	}
	return nil
}

// dropMonitor undoes a monitor at both ends.
func (n *Node) dropMonitor(m *monitor) {
	m.forget()
	if m.session != nil {
		n.send(m.session, &wire.Demonitor{From: m.watcher.pid(), To: m.target, Ref: wire.U64(m.ref)})
	}
}

// fireMonitor tells the watcher, once.
func (n *Node) fireMonitor(m *monitor, reason *wire.Reason) {
	m.forget()
	n.observer.ProcessDown(m.watcher.pid(), m.ref, m.target, reason)
}

func (m *monitor) forget() {
	delete(m.watcher.monitors, m.ref)
	if m.watched != nil {
		delete(m.watched.watchedBy, m)
	} else {
		delete(m.session.monitorsOut, m.ref)
	}
}

// tellMonitors tells the end of a process to all who watch it (PROC-29, PROC-33).
func (n *Node) tellMonitors(p *process, reason *wire.Reason) {
	for m := range maps.Clone(p.watchedBy) {
		n.fireMonitor(m, reason)
	}
	for m := range p.remotely {
		delete(m.session.monitorsIn, m.ref)
		n.sendMonitorExit(m.session, p.id, m.watcher, m.ref, reason)
	}
}

// sendMonitorExit sends a MONITOR_EXIT, whose reason is another if it does not fit (PROC-28).
func (n *Node) sendMonitorExit(s *session, monitored uint64, watcher wire.PID, ref uint64, reason *wire.Reason) {
	m := &wire.MonitorExit{Monitored: wire.PID{Local: monitored}, Monitoring: watcher, Ref: wire.U64(ref), Reason: reason}
	if n.send(s, m) != nil {
		m.Reason = errorReason(unknownReason)
		n.send(s, m)
	}
}

func (n *Node) heardMonitor(s *session, m *wire.Monitor) {
	if m.From.Node != 0 { // PROC-10
		return
	}
	ref, watcher := uint64(m.Ref), s.pid(m.From.Local)
	p := n.directed(m.To)
	if p == nil {
		n.sendMonitorExit(s, m.To.Local, watcher, ref, errorReason(noproc)) // PROC-30
		return
	}
	if s.monitorsIn[ref] != nil { // in use: the first stays
		return
	}
	held := &remoteMonitor{ref: ref, session: s, watcher: watcher, process: p}
	s.monitorsIn[ref] = held
	p.remotely[held] = struct{}{}
}

func (n *Node) heardDemonitor(s *session, m *wire.Demonitor) {
	if held := s.monitorsIn[uint64(m.Ref)]; held != nil && m.From.Node == 0 {
		delete(s.monitorsIn, held.ref)
		delete(held.process.remotely, held)
	}
}

func (n *Node) heardMonitorExit(s *session, m *wire.MonitorExit) {
	if held := s.monitorsOut[uint64(m.Ref)]; held != nil {
		resolve(s, m.Reason)
		n.fireMonitor(held, m.Reason)
	}
}

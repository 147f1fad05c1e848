package node

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"strings"

	"snow/wire"
)

const (
	noproc        = "noproc"
	unknownReason = "unknown"
)

func errorReason(text string) *wire.Reason { return &wire.Reason{Kind: wire.Error, Text: text} }

// processes are those of this node.
type processes struct {
	procs       map[uint64]*process // the live ones, by local id
	localNames  map[string]*process
	supervisors map[*supervisor]struct{}
	lastLocal   uint64
	lastNumber  uint64 // of monitors and spawns, over all sessions

	doomed []ending // ends that have been decided and whose effects are still to come
	dying  bool     // the effects of an end are being made
}

type ending struct {
	p      *process
	reason *wire.Reason
}

func (ps *processes) init() {
	ps.procs = map[uint64]*process{}
	ps.localNames = map[string]*process{}
	ps.supervisors = map[*supervisor]struct{}{}
}

func (ps *processes) nextNumber() uint64 {
	ps.lastNumber++
	return ps.lastNumber
}

// process is a live process of this node.
type process struct {
	id         uint64
	function   function
	trapsExits bool
	supervisor *supervisor // not nil if it is one
	parent     wire.PID    // the requester that spawned it with a link
	hasParent  bool

	links      map[wire.PID]struct{}
	monitors   map[uint64]*monitor         // that it holds, by reference
	watchedBy  map[*monitor]struct{}       // by local processes
	remotely   map[*remoteMonitor]struct{} // by other nodes
	watches    map[string]struct{}         // nodes
	localNames map[string]struct{}
	globals    map[*global]struct{}
}

func (p *process) pid() wire.PID { return wire.PID{Local: p.id} }

// function is what a process does.
type function interface {
	// run begins; ends the process if that is all it does.
	run(n *Node, p *process)
	message(n *Node, p *process, message []byte)
}

// makeFunction finds an offered function by its name. requester is who wants it, for the PIDs in its arguments: nil is this node.
func makeFunction(name string, args []byte, requester *session) (function, bool) {
	switch name {
	case "collector":
		return collector{}, true
	case "relay":
		return newRelay(args, requester), true
	case "exit":
		return exiter{args, requester}, true
	case "crash_on_message":
		return crasher{}, true
	}
	return nil, false
}

type collector struct{}

func (collector) run(*Node, *process) {}
func (collector) message(n *Node, p *process, message []byte) {
	n.observer.ProcessMessage(p.pid(), message)
}

// relay forwards each message to its target, if it has one.
type relay struct {
	target wire.PID
	lost   bool
}

func newRelay(args []byte, requester *session) relay {
	if len(args) < 8 {
		return relay{lost: true}
	}
	target := wire.PIDFromBits(binary.LittleEndian.Uint64(args))
	if requester != nil {
		return relay{target: requester.pid(target.Local), lost: target.Node != 0}
	}
	return relay{target: target}
}

func (relay) run(*Node, *process) {}
func (r relay) message(n *Node, _ *process, message []byte) {
	if r.lost {
		return
	}
	if r.target.Node == 0 { // in turn: relays may go in a circle
		n.later = append(n.later, func() { n.Send(r.target, message) })
		return
	}
	n.Send(r.target, message)
}

type exiter struct {
	args      []byte
	requester *session
}

func (e exiter) run(n *Node, p *process) {
	reason, err := wire.DecodeReason(e.args)
	if err != nil {
		reason = errorReason("bad arguments")
	} else if e.requester != nil {
		resolve(e.requester, reason)
	}
	n.exit(p, reason)
}
func (exiter) message(*Node, *process, []byte) {}

type crasher struct{}

func (crasher) run(*Node, *process) {}
func (crasher) message(n *Node, p *process, message []byte) {
	n.exit(p, errorReason(strings.ToValidUTF8(string(message), "\uFFFD")))
}

// local is the live process that a held PID names, or nil.
func (n *Node) local(pid wire.PID) *process {
	if pid.Node != 0 || pid.Creation != 0 {
		return nil
	}
	return n.procs[pid.Local]
}

// directed is the live process that a directed field names, or nil (PROC-4, PROC-5).
func (n *Node) directed(pid wire.PID) *process {
	if pid.Creation != n.creation && (pid.Creation != 0 || pid.Node != 0) {
		return nil
	}
	return n.procs[pid.Local]
}

// create adds a process that does not run yet.
func (n *Node) create(f function) *process {
	for {
		n.lastLocal = n.lastLocal%wire.MaxLocal + 1
		if n.procs[n.lastLocal] == nil {
			break
		}
	}
	p := &process{
		id: n.lastLocal, function: f,
		links:      map[wire.PID]struct{}{},
		monitors:   map[uint64]*monitor{},
		watchedBy:  map[*monitor]struct{}{},
		remotely:   map[*remoteMonitor]struct{}{},
		watches:    map[string]struct{}{},
		localNames: map[string]struct{}{},
		globals:    map[*global]struct{}{},
	}
	n.procs[p.id] = p
	return p
}

// start has the function run, after what the caller has still to do.
func (n *Node) start(p *process) {
	n.later = append(n.later, func() {
		if n.procs[p.id] == p {
			p.function.run(n, p)
		}
	})
}

// Alive says whether a process of this node lives.
func (n *Node) Alive(pid wire.PID) bool { return n.local(pid) != nil }

// Exit ends a local process with that reason, whether it traps exits or not (PROC-48).
func (n *Node) Exit(pid wire.PID, reason *wire.Reason) error {
	p := n.local(pid)
	if p == nil {
		return ErrNoProcess
	}
	n.exit(p, reason)
	return nil
}

// TrapExits says whether the process is told of exits instead of ending.
func (n *Node) TrapExits(pid wire.PID, enabled bool) error {
	p := n.local(pid)
	if p == nil {
		return ErrNoProcess
	}
	p.trapsExits = enabled
	return nil
}

// RegisterLocal gives a process a local name (PROC-23).
func (n *Node) RegisterLocal(pid wire.PID, name string) error {
	p := n.local(pid)
	switch {
	case !validName(name):
		return ErrInvalidName
	case p == nil:
		return ErrNoProcess
	case n.localNames[name] != nil:
		return ErrNameTaken
	}
	n.localNames[name] = p
	p.localNames[name] = struct{}{}
	return nil
}

// Send sends a message to a process, wherever it lives (PROC-17, PROC-19). That it may vanish is no error.
func (n *Node) Send(to wire.PID, message []byte) error {
	if to.Node == 0 {
		if p := n.local(to); p != nil {
			p.function.message(n, p, message)
		}
		return nil
	}
	if s := n.sessionOf(to.Node); s != nil {
		return n.send(s, &wire.Send{Target: to, Message: message})
	}
	return nil
}

// SendNamed sends a message to a local name of a node (PROC-18).
func (n *Node) SendNamed(node, name string, message []byte) error {
	if !validName(name) {
		return ErrInvalidName
	}
	if node == n.config.Name {
		n.deliverNamed(name, message)
	} else if s := n.sessions[node]; s != nil {
		return n.send(s, &wire.RegSend{Name: name, Message: message})
	}
	return nil
}

func (n *Node) deliverNamed(name string, message []byte) {
	if p := n.localNames[name]; p != nil {
		p.function.message(n, p, message)
	}
}

func (n *Node) heardSend(_ *session, m *wire.Send) {
	if p := n.directed(m.Target); p != nil {
		p.function.message(n, p, m.Message)
	}
}

func (n *Node) heardRegSend(m *wire.RegSend) { n.deliverNamed(m.Name, m.Message) }

// exit ends a process. Its effects are there when the outermost exit returns: ends that they cause take their turn in a loop,
// for links may make long chains.
func (n *Node) exit(p *process, reason *wire.Reason) {
	if n.procs[p.id] != p {
		return
	}
	delete(n.procs, p.id)
	n.doomed = append(n.doomed, ending{p, reason})
	if n.dying {
		return
	}
	n.dying = true
	for len(n.doomed) > 0 {
		e := n.doomed[0]
		n.doomed = n.doomed[1:]
		n.finish(e.p, e.reason)
	}
	n.dying = false
}

// finish makes the effects of an end (PROC-24, PROC-29, PROC-39, PROC-45, REG-17).
func (n *Node) finish(p *process, reason *wire.Reason) {
	for name := range p.localNames {
		delete(n.localNames, name)
	}
	for g := range p.globals {
		delete(n.table, g.name)
		n.sendAll(&wire.GlobalUnregister{Name: g.name})
	}
	for node := range p.watches {
		delete(n.watchers[node], p.id)
		if len(n.watchers[node]) == 0 {
			delete(n.watchers, node)
		}
	}
	n.observer.ProcessEnded(p.pid(), reason)
	n.tellMonitors(p, reason)
	for _, m := range maps.Clone(p.monitors) {
		n.dropMonitor(m)
	}
	n.tellLinks(p, reason)
	if p.supervisor != nil {
		p.supervisor.ended(n)
	}
}

// disconnectProcesses fires what goes across a session that has ended (PROC-61 to PROC-64).
func (n *Node) disconnectProcesses(s *session) {
	lost := &wire.Reason{Kind: wire.NoConnection}
	for _, m := range s.monitorsIn {
		delete(m.process.remotely, m)
	}
	s.monitorsIn = nil
	for _, m := range maps.Clone(s.monitorsOut) {
		n.fireMonitor(m, lost)
	}
	// In the order in which they were made: a supervisor hears its children's ends in the order of their start.
	links := slices.SortedFunc(maps.Keys(s.links), func(a, b link) int { return cmp.Compare(s.links[a], s.links[b]) })
	for _, l := range links {
		if p := n.procs[l.local]; p != nil {
			if _, linked := p.links[l.remote]; linked {
				n.unlink(p, l.remote) // first: nobody is there to be told of an end
				n.deliverExit(p, l.remote, lost)
			}
		}
	}
	spawns := s.spawns
	s.spawns = nil
	for _, done := range spawns {
		done(&spawnDone{err: ErrNoConnection})
	}
}

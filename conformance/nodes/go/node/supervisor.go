package node

import (
	"slices"
	"time"

	"snow/wire"
)

// Strategy says which children are restarted when one has ended.
type Strategy string

// The strategies (SUP-4, SUP-9 to SUP-11).
const (
	OneForOne       Strategy = "one_for_one"
	OneForAll       Strategy = "one_for_all"
	RestForOne      Strategy = "rest_for_one"
	SimpleOneForOne Strategy = "simple_one_for_one"
)

// Restart says when a child is restarted.
type Restart string

// The restart types (SUP-5 to SUP-7).
const (
	Permanent Restart = "permanent"
	Transient Restart = "transient"
	Temporary Restart = "temporary"
)

// ChildSpec says how a child is started. An empty Node is the supervisor's own.
type ChildSpec struct {
	ID       string
	Function string
	Args     []byte
	Restart  Restart
	Node     string
}

// SupervisorSpec is what a supervisor is started with. SimpleOneForOne has one child, as its template.
type SupervisorSpec struct {
	Strategy    Strategy
	MaxRestarts int
	Window      time.Duration
	Children    []ChildSpec
}

// Child is a supervisor's child as it is listed.
type Child struct {
	ID      string
	PID     wire.PID
	Running bool
}

// stopPatience is how long a child may take to end when told to (SUP-17).
const stopPatience = 5 * time.Second

// maxEarlyExits bounds what is remembered of exits whose SPAWN_REPLY has still to come.
const maxEarlyExits = 1_024

type phase int

const (
	starting phase = iota
	running
	stopping
	over
)

// supervisor is what a supervisor's process knows. What it does one after the other stands in its plan.
type supervisor struct {
	SupervisorSpec
	process  *process
	children []*child // in the order of their start
	restarts []time.Time
	phase    phase
	plan     []step
	busy     bool // advance is at work

	startAnswer func(error)
	startError  error
	whenOver    []func()

	pending int                       // SPAWNs without their reply
	early   map[wire.PID]*wire.Reason // exits that came before their SPAWN_REPLY (SUP-12)
	endings []func()                  // of children, while others are still being started
}

// step is a part of the plan: to stop a child, or to start it.
type step struct {
	child *child
	stop  bool
}

type childState int

const (
	idle    childState = iota
	waiting            // for its node (SUP-13)
	spawning
	alive
)

type child struct {
	ChildSpec
	state    childState
	pid      wire.PID
	finished bool // it has ended and is not to be restarted
	stopping bool // it has been told to, or will be when its SPAWN is answered
	patience *time.Timer
	attempt  int                   // tells the SPAWN that is awaited from those that were given up
	answer   func(wire.PID, error) // start_child's
}

func (supervisor) run(*Node, *process)             {}
func (supervisor) message(*Node, *process, []byte) {}

// StartSupervisor calls back when all children have been started, or with the error of the first that could not be (SUP-3).
func (n *Node) StartSupervisor(spec SupervisorSpec, done func(wire.PID, error)) {
	s := &supervisor{SupervisorSpec: spec, early: map[wire.PID]*wire.Reason{}}
	s.process = n.create(s)
	s.process.supervisor = s
	n.supervisors[s] = struct{}{}
	s.startAnswer = func(err error) { done(s.process.pid(), err) }
	if spec.Strategy != SimpleOneForOne {
		for _, c := range spec.Children {
			s.children = append(s.children, &child{ChildSpec: c})
		}
	}
	s.planStarts(s.children)
	s.advance(n)
}

func (n *Node) supervisorOf(pid wire.PID) *supervisor {
	if p := n.local(pid); p != nil {
		return p.supervisor
	}
	return nil
}

// StartChild starts one more child of the template, with arguments of its own unless they are nil (SUP-4).
func (n *Node) StartChild(pid wire.PID, args []byte, done func(wire.PID, error)) {
	s := n.supervisorOf(pid)
	if s == nil {
		done(wire.PID{}, ErrNoProcess)
		return
	}
	if s.Strategy != SimpleOneForOne || s.phase != running {
		done(wire.PID{}, ErrMisuse)
		return
	}
	c := &child{ChildSpec: s.Children[0], answer: done}
	if args != nil {
		c.Args = args
	}
	s.children = append(s.children, c)
	s.start(n, c)
}

// Children lists a supervisor's children (SUP-20).
func (n *Node) Children(pid wire.PID) ([]Child, error) {
	s := n.supervisorOf(pid)
	if s == nil {
		return nil, ErrNoProcess
	}
	out := []Child{}
	for _, c := range s.children {
		out = append(out, Child{c.ID, c.pid, c.state == alive})
	}
	return out, nil
}

// StopSupervisor calls back when the supervisor has ended (SUP-19).
func (n *Node) StopSupervisor(pid wire.PID, done func(error)) {
	s := n.supervisorOf(pid)
	if s == nil {
		done(ErrNoProcess)
		return
	}
	s.whenOver = append(s.whenOver, func() { done(nil) })
	s.stop(n)
}

func (s *supervisor) planStarts(children []*child) {
	for _, c := range children {
		if !c.finished {
			s.plan = append(s.plan, step{child: c})
		}
	}
}

func (s *supervisor) planStops(children []*child) {
	for _, c := range slices.Backward(children) {
		s.plan = append(s.plan, step{child: c, stop: true})
	}
}

// stop stops all children and then ends (SUP-15, SUP-19).
func (s *supervisor) stop(n *Node) {
	if s.phase == stopping {
		return
	}
	s.phase, s.plan, s.endings = stopping, nil, nil
	s.planStops(s.children)
	s.advance(n)
}

// advance takes steps of the plan until one has to wait for something.
func (s *supervisor) advance(n *Node) {
	if s.busy || s.phase == over {
		return
	}
	s.busy = true
	for len(s.plan) > 0 && s.phase != over {
		now := s.plan[0]
		if now.stop {
			s.stopChild(n, now.child)
		} else if now.child.state == idle {
			s.start(n, now.child)
		}
		if len(s.plan) == 0 || s.plan[0] != now {
			continue // it has gone wrong, and there is another plan
		}
		if done := now.stop && now.child.state == idle || !now.stop && now.child.state == alive; !done {
			break
		}
		s.plan = s.plan[1:]
	}
	s.busy = false
	if len(s.plan) > 0 {
		return
	}
	switch s.phase {
	case starting:
		s.phase = running
		s.startAnswer(nil)
		endings := s.endings
		s.endings = nil
		for _, ending := range endings {
			ending()
		}
	case stopping:
		n.exit(s.process, &wire.Reason{Kind: wire.Shutdown})
	}
}

// start starts a child, or has it wait for its node.
func (s *supervisor) start(n *Node, c *child) {
	if c.Node == "" || c.Node == n.config.Name {
		pid, err := n.Spawn(c.Function, c.Args, s.process)
		s.started(n, c, pid, err)
		return
	}
	if n.sessions[c.Node] == nil && s.phase == running && c.answer == nil {
		c.state = waiting
		return
	}
	c.state = spawning
	c.attempt++
	attempt := c.attempt
	s.pending++
	n.SpawnOn(c.Node, c.Function, c.Args, s.process, true, func(d *spawnDone) {
		s.pending--
		switch {
		case s.phase == over: // its LINK is answered by PROC-40
		case attempt != c.attempt:
			if d.err == nil {
				s.order(n, d.pid, wire.Killed)
			}
		default:
			s.started(n, c, d.pid, d.err)
		}
		if s.pending == 0 {
			clear(s.early)
		}
	})
}

// started is told what became of a start.
func (s *supervisor) started(n *Node, c *child, pid wire.PID, err error) {
	if c.stopping { // it was to be stopped meanwhile: now it can be
		c.stopping = false
		c.patience.Stop()
	}
	answer := c.answer
	c.answer = nil
	if err != nil {
		c.state = idle
		switch {
		case answer != nil:
			s.children = slices.DeleteFunc(s.children, func(other *child) bool { return other == c })
			answer(wire.PID{}, err)
		case s.phase == starting:
			s.startError = err
			s.stop(n)
		default:
			s.childEnded(n, c, errorReason("refused"))
		}
		s.advance(n)
		return
	}
	c.state, c.pid = alive, pid
	if answer != nil {
		answer(pid, nil)
	}
	if reason, ended := s.early[pid]; ended {
		delete(s.early, pid)
		if len(s.plan) > 0 && s.plan[0] == (step{child: c}) {
			s.plan = s.plan[1:]
		}
		s.childEnded(n, c, reason)
	}
	s.advance(n)
}

// stopChild tells a child to end, unless it has been told (SUP-16); a while later it kills it (SUP-17).
func (s *supervisor) stopChild(n *Node, c *child) {
	if c.state == waiting {
		c.state = idle
	}
	if c.state == idle || c.stopping {
		return
	}
	c.stopping = true
	c.patience = n.after(stopPatience, func() {
		if !c.stopping || s.phase == over {
			return
		}
		if c.state == alive {
			s.order(n, c.pid, wire.Killed)
		}
		c.attempt++ // of a SPAWN that is still not answered nothing is awaited any more
		c.state, c.stopping = idle, false
		if c.answer != nil {
			c.answer(wire.PID{}, ErrNoProcess)
			c.answer = nil
		}
		s.advance(n)
	})
	if c.state == alive {
		s.order(n, c.pid, wire.Shutdown)
	}
}

// order sends a child an EXIT that is no end of the supervisor's.
func (s *supervisor) order(n *Node, pid wire.PID, kind wire.ReasonKind) {
	reason := &wire.Reason{Kind: kind}
	if p := n.local(pid); p != nil {
		n.deliverExit(p, s.process.pid(), reason)
	} else if session := n.sessionWith(pid); session != nil {
		n.sendExit(session, s.process.pid(), pid, reason)
	}
}

// heardExit takes the exit of a linked process, which may be a child, or one whose SPAWN_REPLY has still to come.
func (s *supervisor) heardExit(n *Node, from wire.PID, reason *wire.Reason) {
	for _, c := range s.children {
		if c.state == alive && c.pid == from {
			s.childEnded(n, c, reason)
			s.advance(n)
			return
		}
	}
	if s.pending > 0 && len(s.early) < maxEarlyExits {
		s.early[from] = reason
	}
}

// childEnded restarts what has to be (SUP-5 to SUP-15).
func (s *supervisor) childEnded(n *Node, c *child, reason *wire.Reason) {
	c.state = idle
	if c.stopping {
		c.stopping = false
		c.patience.Stop()
		c.finished = c.Restart == Temporary
		return
	}
	if s.phase == stopping || s.phase == over || slices.Contains(s.plan, step{child: c, stop: true}) {
		return // it was about to be stopped
	}
	if s.phase == starting {
		s.endings = append(s.endings, func() {
			s.childEnded(n, c, reason)
			s.advance(n)
		})
		return
	}
	crashed := reason.Kind != wire.Normal && reason.Kind != wire.Shutdown
	if c.Restart == Temporary || c.Restart == Transient && !crashed {
		c.finished = true
		return
	}
	now := time.Now()
	s.restarts = slices.DeleteFunc(s.restarts, func(at time.Time) bool { return now.Sub(at) > s.Window })
	if len(s.restarts) >= s.MaxRestarts {
		s.stop(n)
		return
	}
	s.restarts = append(s.restarts, now)
	switch s.Strategy {
	case OneForOne, SimpleOneForOne:
		s.start(n, c)
	case OneForAll:
		s.restartFrom(0)
	case RestForOne:
		first := slices.Index(s.children, c)
		for _, planned := range s.plan { // what was still to be started stays so
			first = min(first, slices.Index(s.children, planned.child))
		}
		s.restartFrom(first)
	}
}

func (s *supervisor) restartFrom(first int) {
	s.plan = nil
	s.planStops(s.children[first:])
	for _, c := range s.children[first:] {
		if c.Restart == Temporary && c.state != idle {
			c.finished = true // it is stopped for good (SUP-7)
		}
	}
	s.planStarts(s.children[first:])
}

// supervisorsHearNodeUp starts the children that have waited for that node.
func (n *Node) supervisorsHearNodeUp(name string) {
	for s := range n.supervisors {
		for _, c := range s.children {
			if c.state != waiting || c.Node != name {
				continue
			}
			c.state = idle
			if len(s.plan) == 0 {
				s.start(n, c)
			}
		}
		s.advance(n)
	}
}

// ended is told that the supervisor's process has, for whatever reason.
func (s *supervisor) ended(n *Node) {
	wasStarting := s.phase == starting || s.startError != nil
	s.phase, s.plan = over, nil
	delete(n.supervisors, s)
	for _, c := range s.children {
		if c.patience != nil {
			c.patience.Stop()
		}
		if c.answer != nil {
			c.answer(wire.PID{}, ErrNoProcess)
			c.answer = nil
		}
	}
	if wasStarting {
		if s.startError == nil {
			s.startError = ErrNoProcess
		}
		s.startAnswer(s.startError)
	}
	for _, done := range s.whenOver {
		done()
	}
}

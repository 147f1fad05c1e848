package node

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"snow/wire"
)

// dial is an attempt to connect, from TCP connect until ACK is verified or it has failed.
type dial struct {
	name    string
	cancel  context.CancelFunc
	waiters []*waiter
	listed  bool // a PEER_LIST has caused it
	dropped bool // the peer's own connection has won
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

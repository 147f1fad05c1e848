package node

import (
	"iter"
	"math"

	"snow/wire"
)

// registry is the table of global names, as this node holds it.
type registry struct {
	table map[string]*global
}

// global is an entry of the table. It never changes, so that syncs can be written while the table goes on.
type global struct {
	name string
	pid  wire.PID // as this node holds it: the node id says who owns the name
}

func (r *registry) init() { r.table = map[string]*global{} }

// validName says whether a global or a local name can be told (REG-4).
func validName(name string) bool { return 1 <= len(name) && len(name) <= math.MaxUint16 }

// Register stores a free name for a live process, of this node or of a connected one, and tells all (REG-1 to REG-5).
func (n *Node) Register(name string, pid wire.PID) error {
	if !validName(name) {
		return ErrInvalidName
	}
	if pid.Node == 0 {
		if n.local(pid) == nil {
			return ErrNoProcess
		}
	} else if s := n.sessionOf(pid.Node); s == nil || s.creation != pid.Creation {
		return ErrNotConnected
	}
	if n.table[name] != nil {
		return ErrNameTaken
	}
	g := n.store(name, pid)
	return n.sendAll(&wire.GlobalRegister{Entry: g.entry(n.nameOf(pid.Node))})
}

// Whereis looks a global name up.
func (n *Node) Whereis(name string) (pid wire.PID, ok bool) {
	if g := n.table[name]; g != nil {
		return g.pid, true
	}
	return wire.PID{}, false
}

// Unregister removes a name, whoever owns it, and tells all (REG-7).
func (n *Node) Unregister(name string) error {
	g := n.table[name]
	if g == nil {
		return ErrUnknownName
	}
	n.remove(g)
	return n.sendAll(&wire.GlobalUnregister{Name: name})
}

// Globals gives the whole table.
func (n *Node) Globals() iter.Seq2[string, wire.PID] {
	return func(yield func(string, wire.PID) bool) {
		for name, g := range n.table {
			if !yield(name, g.pid) {
				return
			}
		}
	}
}

func (n *Node) store(name string, pid wire.PID) *global {
	g := &global{name, pid}
	n.table[name] = g
	if pid.Node == 0 {
		n.procs[pid.Local].globals[g] = struct{}{}
	}
	return g
}

func (n *Node) remove(g *global) {
	delete(n.table, g.name)
	if g.pid.Node == 0 {
		if p := n.procs[g.pid.Local]; p != nil {
			delete(p.globals, g)
		}
	}
}

// heardEntry takes a GLOBAL_REGISTER, or an entry of a GLOBAL_SYNC (REG-10 to REG-14, REG-21 to REG-30).
func (n *Node) heardEntry(s *session, e wire.Entry) {
	if e.Name == "" || n.table[e.Name] != nil {
		return
	}
	switch e.Owner {
	case s.name:
		if e.PID.Node == 0 {
			n.store(e.Name, s.pid(e.PID.Local))
		}
	case n.config.Name:
		if p := n.directed(e.PID); p != nil {
			n.store(e.Name, p.pid())
		} else {
			n.sendAll(&wire.GlobalUnregister{Name: e.Name})
		}
	default:
		live := n.sessions[e.Owner]
		if e.PID.Creation == 0 || live != nil && live.creation != e.PID.Creation || !ValidPeer(e.Owner) {
			return
		}
		if id, ok := n.idOf(e.Owner, maxRegistryID); ok {
			n.store(e.Name, wire.PID{Node: id, Creation: e.PID.Creation, Local: e.PID.Local})
		}
	}
}

// heardUnregister takes a GLOBAL_UNREGISTER, and passes nothing on (REG-12, REG-13).
func (n *Node) heardUnregister(name string) {
	if g := n.table[name]; g != nil {
		n.remove(g)
	}
}

// dropOwned removes the names of a node that has disconnected, and tells the others (REG-18).
func (n *Node) dropOwned(s *session) {
	for _, g := range n.table {
		if g.pid.Node == s.id {
			n.remove(g)
			n.sendAll(&wire.GlobalUnregister{Name: g.name})
		}
	}
}

// dropFormerEntries removes what a former run of the peer owned, and tells nobody (REG-20).
func (n *Node) dropFormerEntries(s *session) {
	for _, g := range n.table {
		if g.pid.Node == s.id && g.pid.Creation != s.creation {
			n.remove(g)
		}
	}
}

// entry is how a global name is told (REG-29).
func (g *global) entry(owner string) wire.Entry {
	return wire.Entry{Name: g.name, PID: g.pid, Owner: owner}
}

// syncPiece is about how many bytes of a GLOBAL_SYNC are made at once.
const syncPiece = 64 << 10

// sendTable queues the table as it stands, which is written entry by entry as the peer reads it (MEM-2, REG-15, REG-16).
func (n *Node) sendTable(s *session) {
	if len(n.table) == 0 {
		return
	}
	names := n.names[:len(n.names):len(n.names)] // only ever appended to
	own := n.config.Name
	globals := make([]*global, 0, len(n.table))
	for _, g := range n.table {
		globals = append(globals, g)
	}
	s.conn.out.pushStream(func(yield func([]byte) bool) {
		entryAt := func(i int) wire.Entry {
			if id := globals[i].pid.Node; id != 0 {
				return globals[i].entry(names[id])
			}
			return globals[i].entry(own)
		}
		for begin := 0; begin < len(globals); {
			end, size := begin, 0
			for ; end < len(globals); end++ {
				e := entryAt(end)
				if wire.SyncOverhead+size+e.Size() > wire.Session.Limit() {
					break
				}
				size += e.Size()
			}
			out := wire.AppendSyncHeader(nil, end-begin, size)
			for ; begin < end; begin++ {
				if out = wire.AppendSyncEntry(out, entryAt(begin)); len(out) >= syncPiece {
					if !yield(out) {
						return
					}
					out = make([]byte, 0, 2*syncPiece)
				}
			}
			if !yield(out) {
				return
			}
		}
	})
}

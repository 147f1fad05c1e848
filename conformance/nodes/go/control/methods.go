package control

import (
	"time"

	"snow/node"
	"snow/wire"
)

// methods are those of the control protocol, by name.
var methods map[string]method

func init() {
	methods = map[string]method{
		"initialize": inPlace(initialize),
		"node.start": onNode(start),
		"node.connect": onNode(func(c *control, a *call, p struct{ Node *string }) {
			c.node.Connect(*p.Node, a.done)
		}),
		"node.self": onNode(func(c *control, a *call, _ struct{}) {
			name, creation := c.node.Self()
			a.result(map[string]any{"name": name, "creation": creation})
		}),
		"node.list": onNode(func(c *control, a *call, _ struct{}) {
			nodes := c.node.Connected()
			if nodes == nil {
				nodes = []string{}
			}
			a.result(map[string]any{"nodes": nodes})
		}),
		"barrier": onNode(func(c *control, a *call, _ struct{}) {
			c.node.Barrier(func() { a.done(nil) })
		}),
		"shutdown": onNode(func(c *control, a *call, _ struct{}) {
			a.done(nil)
			c.node.Stop()
		}),

		"global.register": onNode(func(c *control, a *call, p struct {
			Name *string
			PID  *pidJSON
		}) {
			a.done(c.node.Register(*p.Name, c.pidIn(*p.PID)))
		}),
		"global.whereis": onNode(func(c *control, a *call, p struct{ Name *string }) {
			if pid, known := c.node.Whereis(*p.Name); known {
				a.result(map[string]any{"pid": c.pidOut(pid)})
			} else {
				a.result(map[string]any{"pid": nil})
			}
		}),
		"global.unregister": onNode(func(c *control, a *call, p struct{ Name *string }) {
			a.done(c.node.Unregister(*p.Name))
		}),
		"global.names": onNode(func(c *control, a *call, _ struct{}) {
			names := []map[string]any{}
			for name, pid := range c.node.Globals() {
				names = append(names, map[string]any{"name": name, "pid": c.pidOut(pid)})
			}
			a.result(map[string]any{"names": names})
		}),

		"process.spawn": onNode(spawn),
		"process.exit": onNode(func(c *control, a *call, p struct {
			PID    *pidJSON
			Reason *reasonJSON
		}) {
			reason, err := c.reasonIn(p.Reason)
			if err != nil {
				c.fail(a.id, &rpcError{Code: codeParams, Message: err.Error()})
				return
			}
			a.done(c.node.Exit(c.pidIn(*p.PID), reason))
		}),
		"process.send": onNode(func(c *control, a *call, p struct {
			To    *pidJSON
			Bytes *wire.Bytes
		}) {
			a.done(c.node.Send(c.pidIn(*p.To), *p.Bytes))
		}),
		"process.send_named": onNode(func(c *control, a *call, p struct {
			Node, Name *string
			Bytes      *wire.Bytes
		}) {
			a.done(c.node.SendNamed(*p.Node, *p.Name, *p.Bytes))
		}),
		"process.register": onNode(func(c *control, a *call, p struct {
			PID  *pidJSON
			Name *string
		}) {
			a.done(c.node.RegisterLocal(c.pidIn(*p.PID), *p.Name))
		}),
		"process.alive": onNode(func(c *control, a *call, p struct{ PID *pidJSON }) {
			a.result(map[string]any{"alive": c.node.Alive(c.pidIn(*p.PID))})
		}),
		"process.link":   onNode(pair((*node.Node).Link)),
		"process.unlink": onNode(pair((*node.Node).Unlink)),
		"process.monitor": onNode(func(c *control, a *call, p struct {
			PID, Target *pidJSON
		}) {
			ref, err := c.node.Monitor(c.pidIn(*p.PID), c.pidIn(*p.Target))
			a.either(map[string]any{"ref": formatRef(ref)}, err)
		}),
		"process.demonitor": onNode(func(c *control, a *call, p struct {
			PID *pidJSON
			Ref *string
		}) {
			ref, err := parseRef(*p.Ref)
			if err != nil {
				ref = 0 // undoing what is not there changes nothing
			}
			a.done(c.node.Demonitor(c.pidIn(*p.PID), ref))
		}),
		"process.trap_exit": onNode(func(c *control, a *call, p struct {
			PID     *pidJSON
			Enabled *bool
		}) {
			a.done(c.node.TrapExits(c.pidIn(*p.PID), *p.Enabled))
		}),
		"node.monitor": onNode(func(c *control, a *call, p struct {
			PID  *pidJSON
			Node *string
		}) {
			a.done(c.node.WatchNode(c.pidIn(*p.PID), *p.Node))
		}),

		"supervisor.start": onNode(startSupervisor),
		"supervisor.start_child": onNode(func(c *control, a *call, p struct {
			Supervisor *pidJSON
			Args       *wire.Bytes `opt:"-"`
		}) {
			var args []byte
			if p.Args != nil {
				args = *p.Args
			}
			c.node.StartChild(c.pidIn(*p.Supervisor), args, c.givePID(a))
		}),
		"supervisor.children": onNode(func(c *control, a *call, p struct{ Supervisor *pidJSON }) {
			children, err := c.node.Children(c.pidIn(*p.Supervisor))
			list := []map[string]any{}
			for _, child := range children {
				entry := map[string]any{"id": child.ID, "pid": nil}
				if child.Running {
					entry["pid"] = c.pidOut(child.PID)
				}
				list = append(list, entry)
			}
			a.either(map[string]any{"children": list}, err)
		}),
		"supervisor.stop": onNode(func(c *control, a *call, p struct{ Supervisor *pidJSON }) {
			c.node.StopSupervisor(c.pidIn(*p.Supervisor), a.done)
		}),

		"room.broadcast": onNode(func(c *control, a *call, p struct {
			Room, Text *string
			Except     string
		}) {
			failed, err := c.node.Broadcast(*p.Room, *p.Text, p.Except)
			a.either(map[string]any{"failed": failed}, err)
		}),
		"room.join": onNode(func(c *control, a *call, p struct{ Member, Room *string }) {
			a.done(c.node.JoinRoom(*p.Member, *p.Room))
		}),
		"room.leave": onNode(func(c *control, a *call, p struct{ Member, Room *string }) {
			a.done(c.node.LeaveRoom(*p.Member, *p.Room))
		}),

		"codec.decode": inPlace(codecDecode),
		"codec.encode": inPlace(codecEncode),
		"codec.frames": inPlace(codecFrames),
		"codec.proof":  inPlace(codecProof),
		"term.decode":  inPlace(termDecode),
		"term.encode":  inPlace(termEncode),
	}
}

func initialize(struct{}) (any, error) {
	return map[string]any{
		"implementation": "snow-go",
		"version":        "0.1",
		"language":       "Go",
		"protocol":       5,
		"control":        1,
		"capabilities":   []string{"registry", "process", "supervisor", "rooms", "codec", "term"},
	}, nil
}

func start(c *control, a *call, p struct {
	Name              *string
	Cookie            *wire.Bytes
	HeartbeatInterval *int64  `json:"heartbeat_interval_ms" opt:"-"`
	HeartbeatTimeout  *int64  `json:"heartbeat_timeout_ms" opt:"-"`
	HandshakeTimeout  *int64  `json:"handshake_timeout_ms" opt:"-"`
	Listen            *string `opt:"-"`
}) {
	config := node.Config{
		Name:              *p.Name,
		Cookie:            *p.Cookie,
		HeartbeatInterval: duration(p.HeartbeatInterval, 60*time.Second),
		HeartbeatTimeout:  duration(p.HeartbeatTimeout, 15*time.Second),
		HandshakeTimeout:  duration(p.HandshakeTimeout, 7*time.Second),
	}
	if p.Listen != nil {
		config.Listen = *p.Listen
	}
	if err := c.node.Start(config); err != nil {
		c.fail(a.id, err)
		return
	}
	name, creation := c.node.Self()
	a.result(map[string]any{"name": name, "creation": creation, "websocket": c.node.WebSocket()})
}

func duration(milliseconds *int64, otherwise time.Duration) time.Duration {
	if milliseconds == nil {
		return otherwise
	}
	return time.Duration(*milliseconds) * time.Millisecond
}

func (c *control) givePID(a *call) func(wire.PID, error) {
	return func(pid wire.PID, err error) {
		if err != nil {
			c.fail(a.id, err)
			return
		}
		a.result(map[string]any{"pid": c.pidOut(pid)})
	}
}

func spawn(c *control, a *call, p struct {
	Function *string
	Args     wire.Bytes
	Node     string
	From     *pidJSON `opt:"-"`
	Link     bool
}) {
	name, _ := c.node.Self()
	elsewhere := p.Node != "" && p.Node != name
	if p.From == nil && (elsewhere || p.Link) {
		c.fail(a.id, &rpcError{Code: codeParams, Message: "missing parameter from"})
		return
	}
	var from wire.PID
	if p.From != nil {
		if from = c.pidIn(*p.From); !c.node.Alive(from) {
			c.fail(a.id, node.ErrNoProcess)
			return
		}
	}
	c.node.SpawnFor(p.Node, *p.Function, p.Args, from, p.Link, c.givePID(a))
}

func pair(do func(*node.Node, wire.PID, wire.PID) error) func(*control, *call, struct{ PID, To *pidJSON }) {
	return func(c *control, a *call, p struct{ PID, To *pidJSON }) {
		a.done(do(c.node, c.pidIn(*p.PID), c.pidIn(*p.To)))
	}
}

type childJSON struct {
	ID       *string
	Function *string
	Args     wire.Bytes
	Restart  *string
	Node     string
}

func startSupervisor(c *control, a *call, p struct {
	Strategy    *string
	MaxRestarts *int     `json:"max_restarts"`
	MaxSeconds  *float64 `json:"max_seconds"`
	Children    *[]childJSON
}) {
	wrong := func(what string) { c.fail(a.id, &rpcError{Code: codeParams, Message: what}) }
	spec := node.SupervisorSpec{
		Strategy:    node.Strategy(*p.Strategy),
		MaxRestarts: *p.MaxRestarts,
		Window:      time.Duration(*p.MaxSeconds * float64(time.Second)),
	}
	switch spec.Strategy {
	case node.OneForOne, node.OneForAll, node.RestForOne:
	case node.SimpleOneForOne:
		if len(*p.Children) != 1 {
			wrong("simple_one_for_one has one child as its template")
			return
		}
	default:
		wrong("unknown strategy")
		return
	}
	for _, child := range *p.Children {
		if child.ID == nil || child.Function == nil || child.Restart == nil {
			wrong("a child has an id, a function and a restart type")
			return
		}
		restart := node.Restart(*child.Restart)
		if restart != node.Permanent && restart != node.Transient && restart != node.Temporary {
			wrong("unknown restart type")
			return
		}
		spec.Children = append(spec.Children, node.ChildSpec{
			ID: *child.ID, Function: *child.Function, Args: child.Args, Restart: restart, Node: child.Node,
		})
	}
	c.node.StartSupervisor(spec, c.givePID(a))
}

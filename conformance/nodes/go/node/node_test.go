package node

import (
	"strings"
	"testing"
	"time"

	"snow/wire"
)

func TestNames(t *testing.T) {
	for name, valid := range map[string]bool{
		"a@b": true, "a@b:1": true, "a@b:65535": true, "a@b:0009": true, "a@b@c": true, "n@[::1]:4001": true, "n@[::1]": true,
		"": false, "a": false, "@b": false, "a@": false, "a@:1": false, "a@b:": false, "a@b:65536": false, "a@b:+1": false,
		"a@b:1:2": false, "a@b:0": false, "a@b:000": false, "a@::1": false, "a@[]:1": false, "a@[::1": false, "a@[::1]1": false,
		"a@b]": false, "a\x00@b": false, "a@b\u0085": false, "a@\xff": false,
		"a@" + strings.Repeat("h", 4_058): true, "a@" + strings.Repeat("h", 4_059): false,
	} {
		if ValidPeer(name) != valid {
			t.Errorf("%q: valid is not %t", name, valid)
		}
	}
}

// quiet is an observer that keeps the ends of processes.
type quiet struct{ ended chan wire.PID }

func (quiet) SessionOpened(string, uint8)                          {}
func (quiet) SessionClosed(string, uint8)                          {}
func (quiet) ProcessMessage(wire.PID, []byte)                      {}
func (quiet) ProcessDown(wire.PID, uint64, wire.PID, *wire.Reason) {}
func (quiet) ProcessExited(wire.PID, wire.PID, *wire.Reason)       {}
func (q quiet) ProcessEnded(pid wire.PID, _ *wire.Reason)          { q.ended <- pid }
func (quiet) NodeUp(wire.PID, string)                              {}
func (quiet) NodeDown(wire.PID, string)                            {}
func (quiet) Wait()                                                {}
func must[T any](t *testing.T) func(answer T, ok bool) T {
	return func(answer T, ok bool) T {
		t.Helper()
		if !ok {
			t.Fatal("the node has been stopped")
		}
		return answer
	}
}

func startNode(t *testing.T, name string) (*Node, quiet) {
	observer := quiet{make(chan wire.PID, 100)}
	n := New(observer)
	go n.Run()
	t.Cleanup(n.Stop)
	err := must[error](t)(ask(n, func() error {
		return n.Start(Config{
			Name: name + "@127.0.0.1:0", Cookie: []byte("secret"),
			HeartbeatInterval: time.Minute, HeartbeatTimeout: time.Minute, HandshakeTimeout: 10 * time.Second,
		})
	}))
	if err != nil {
		t.Fatal(err)
	}
	return n, observer
}

// connect has one node connect to another, whose name it gives.
func connect(t *testing.T, from, to *Node) (name string) {
	t.Helper()
	name = must[string](t)(ask(to, func() string { return to.config.Name }))
	connected := make(chan error, 1)
	from.Post(func() { from.Connect(name, func(err error) { connected <- err }) })
	if err := wait(t, "answer to connect", connected); err != nil {
		t.Fatal(err)
	}
	return name
}

func wait[T any](t *testing.T, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatalf("no %s", what)
		panic("unreachable")
	}
}

// Children that are lost at once are one restart of rest_for_one: the first one's end is heard first.
func TestChildrenLostAtOnceAreOneRestart(t *testing.T) {
	a, ended := startNode(t, "a")
	b, _ := startNode(t, "b")
	target := connect(t, a, b)
	child := ChildSpec{Function: "collector", Restart: Permanent, Node: target}
	spec := SupervisorSpec{Strategy: RestForOne, MaxRestarts: 1, Window: time.Minute}
	for range 8 {
		spec.Children = append(spec.Children, child)
	}
	type started struct {
		pid wire.PID
		err error
	}
	answers := make(chan started, 1)
	a.Post(func() { a.StartSupervisor(spec, func(pid wire.PID, err error) { answers <- started{pid, err} }) })
	supervisor := wait(t, "answer to start", answers)
	if supervisor.err != nil {
		t.Fatal(supervisor.err)
	}
	b.Stop()
	for deadline := time.Now().Add(20 * time.Second); ; {
		if connected := must[[]string](t)(ask(a, a.Connected)); len(connected) == 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the session has not ended")
		}
		time.Sleep(time.Millisecond)
	}
	if !must[bool](t)(ask(a, func() bool { return a.Alive(supervisor.pid) })) || len(ended.ended) > 0 {
		t.Error("the supervisor has counted one loss more than once")
	}
}

// A queue bounds the bytes that wait, whatever the frames' sizes, and keeps their order.
func TestQueue(t *testing.T) {
	var q queue
	q.init()
	var want []byte
	for i, size := range []int{10, copiedBelow, 1, chunkSize, 2, 3} {
		frame := []byte(strings.Repeat(string(rune('a'+i)), size))
		want = append(want, frame...)
		if !q.push(frame) {
			t.Fatal("refused")
		}
	}
	if q.push(make([]byte, queueLimit)) {
		t.Error("more than the limit was taken")
	}
	q.close()
	var got []byte
	for {
		p, ok := q.pop()
		if !ok {
			break
		}
		got = append(got, p.ready...)
		q.written(len(p.ready))
	}
	if string(got) != string(want) || q.bytes != 0 {
		t.Errorf("%d bytes came out, %d are said to wait; want %d and 0", len(got), q.bytes, len(want))
	}
}

// SUP-12: a link that fires before the SPAWN_REPLY is the end of the child that the reply names, once.
func TestAnExitBeforeItsSpawnReplyCountsOnce(t *testing.T) {
	a, _ := startNode(t, "a")
	b, _ := startNode(t, "b")
	target := connect(t, a, b)
	counted := must[[2]int](t)(ask(a, func() (counts [2]int) {
		var pid wire.PID
		a.StartSupervisor(SupervisorSpec{
			Strategy: OneForOne, MaxRestarts: 5, Window: time.Minute,
			Children: []ChildSpec{{Function: "collector", Restart: Permanent, Node: target}},
		}, func(p wire.PID, _ error) { pid = p })
		var s *supervisor
		for s = range a.supervisors {
		}
		request := wire.U64(a.lastNumber)
		session, child := a.sessions[target], wire.PID{Local: 99}
		a.handle(session, &wire.Link{From: child, To: s.process.pid()})
		a.handle(session, &wire.Exit{From: child, To: s.process.pid(), Reason: errorReason("early")})
		counts[0] = len(s.restarts)
		a.handle(session, &wire.SpawnReply{Request: request, Local: 99})
		counts[1] = len(s.restarts)
		if pid != s.process.pid() {
			t.Error("the start was not answered")
		}
		return counts
	}))
	if counted != [2]int{0, 1} {
		t.Errorf("restarts before and after the reply: %v", counted)
	}
}

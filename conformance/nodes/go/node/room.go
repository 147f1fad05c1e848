package node

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/coder/websocket"

	"snow/wire"
)

// rooms are the WebSocket members of this node (ROOM).
type rooms struct {
	members    map[string]*member
	inRoom     map[string]map[*member]struct{}
	lastMember int
	web        *http.Server
	webAddress string
}

func (r *rooms) init() {
	r.members = map[string]*member{}
	r.inRoom = map[string]map[*member]struct{}{}
}

// member is one WebSocket connection.
type member struct {
	id    string
	conn  *websocket.Conn
	rooms map[string]struct{}
	out   texts
}

const roomsPath = "/rooms/"

// connKey finds a request's tracked connection in its context.
type connKey struct{}

// trackingListener has the connections of members take part in barriers.
type trackingListener struct{ net.Listener }

func (l trackingListener) Accept() (net.Conn, error) {
	accepted, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return track(accepted)
}

// startRooms listens for members at a free port of the address at which the node listens.
func (n *Node) startRooms(address net.Addr) error {
	host, _, err := net.SplitHostPort(address.String())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		return err
	}
	n.webAddress = "ws://" + listener.Addr().String()
	n.web = &http.Server{
		Handler:           http.HandlerFunc(n.serveMember),
		ReadHeaderTimeout: 10 * time.Second,
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ErrorLog: slog.NewLogLogger(slog.Default().Handler(), slog.LevelDebug),
	}
	go n.web.Serve(trackingListener{listener})
	return nil
}

// WebSocket is the URL under which clients find rooms.
func (n *Node) WebSocket() string { return n.webAddress }

func (n *Node) closeRooms() {
	if n.web != nil {
		n.web.Close()
	}
	for _, m := range n.members {
		m.conn.CloseNow()
	}
}

// serveMember takes a client from its request to the end of its connection.
func (n *Node) serveMember(w http.ResponseWriter, r *http.Request) {
	escaped, found := strings.CutPrefix(r.URL.EscapedPath(), roomsPath)
	room, err := url.PathUnescape(escaped)
	if !found || err != nil || !utf8.ValidString(room) {
		http.NotFound(w, r)
		return
	}
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: true})
	if err != nil {
		return
	}
	defer conn.CloseNow()
	conn.SetReadLimit(-1) // what comes is thrown away piece by piece
	tcp := r.Context().Value(connKey{}).(*tracked)
	m, ok := ask(n, func() *member { return n.addMember(conn, tcp, room) })
	if !ok {
		return
	}
	defer tcp.end()
	defer n.Post(func() {
		delete(n.open, tcp)
		n.removeMember(m)
	})
	go m.write(n)
	for {
		_, message, err := conn.Reader(n.ctx)
		if err != nil {
			return
		}
		if _, err := io.Copy(io.Discard, message); err != nil {
			return
		}
	}
}

func (n *Node) addMember(conn *websocket.Conn, tcp *tracked, room string) *member {
	n.open[tcp] = struct{}{}
	n.lastMember++
	m := &member{id: "m" + strconv.Itoa(n.lastMember), conn: conn, rooms: map[string]struct{}{}}
	m.out.waiting.L = &m.out.mu
	n.members[m.id] = m
	greeting, _ := json.Marshal(map[string]string{"member": m.id}) // cannot fail
	m.out.push(string(greeting))
	n.joinRoom(m, room)
	return m
}

func (n *Node) joinRoom(m *member, room string) {
	m.rooms[room] = struct{}{}
	if n.inRoom[room] == nil {
		n.inRoom[room] = map[*member]struct{}{}
	}
	n.inRoom[room][m] = struct{}{}
}

func (n *Node) leaveRoom(m *member, room string) {
	delete(m.rooms, room)
	delete(n.inRoom[room], m)
	if len(n.inRoom[room]) == 0 {
		delete(n.inRoom, room)
	}
}

func (n *Node) removeMember(m *member) {
	for room := range m.rooms {
		n.leaveRoom(m, room)
	}
	delete(n.members, m.id)
	m.out.close()
}

// JoinRoom has a member join another room (ROOM-7).
func (n *Node) JoinRoom(id, room string) error {
	m := n.members[id]
	if m == nil {
		return ErrUnknownMember
	}
	n.joinRoom(m, room)
	return nil
}

// LeaveRoom has a member leave a room (ROOM-8).
func (n *Node) LeaveRoom(id, room string) error {
	m := n.members[id]
	if m == nil {
		return ErrUnknownMember
	}
	n.leaveRoom(m, room)
	return nil
}

// Broadcast sends a text to the room's members everywhere, and counts the local deliveries that failed (ROOM-1 to ROOM-3).
// An empty except is nobody.
func (n *Node) Broadcast(room, text, except string) (failed int, err error) {
	excepted := n.members[except]
	if except != "" && excepted == nil {
		return 0, ErrUnknownMember
	}
	m := &wire.RoomBroadcast{Room: room, Text: text}
	if len(room) > math.MaxUint16 || len(room)+len(text)+roomOverhead > wire.Session.Limit() {
		return 0, ErrTooLarge
	}
	if err := n.sendAll(m); err != nil {
		return 0, err
	}
	return n.deliverRoom(room, text, excepted), nil
}

// roomOverhead is what ROOM_BROADCAST's payload takes besides its texts.
const roomOverhead = 1 + 2 + 4

// deliverRoom gives a text to the local members of a room (ROOM-4).
func (n *Node) deliverRoom(room, text string, except *member) (failed int) {
	for m := range n.inRoom[room] {
		if m == except {
			continue
		}
		if !m.out.push(text) { // ROOM-12
			failed++
			n.removeMember(m)
			go m.conn.CloseNow()
		}
	}
	return failed
}

// write sends what waits for the member.
func (m *member) write(n *Node) {
	for {
		text, ok := m.out.pop()
		if !ok {
			return
		}
		if err := m.conn.Write(n.ctx, websocket.MessageText, []byte(text)); err != nil {
			m.out.close()
			m.conn.CloseNow()
			return
		}
	}
}

// How much may wait for a member (ROOM-12): more than the 1,024 messages and the 32 MiB that are asked for.
const (
	maxTexts     = 2_048
	maxTextBytes = 34 << 20
)

// texts waits for one member.
type texts struct {
	mu      sync.Mutex
	waiting sync.Cond
	list    []string
	bytes   int
	closed  bool
}

// push is false when the member cannot keep up, or has gone.
func (t *texts) push(text string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.list) >= maxTexts || t.bytes+len(text) > maxTextBytes {
		return false
	}
	t.list = append(t.list, text)
	t.bytes += len(text)
	t.waiting.Signal()
	return true
}

func (t *texts) pop() (string, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for len(t.list) == 0 && !t.closed {
		t.waiting.Wait()
	}
	if t.closed {
		return "", false
	}
	text := t.list[0]
	t.list[0] = ""
	t.list = t.list[1:]
	t.bytes -= len(text)
	return text, true
}

func (t *texts) close() {
	t.mu.Lock()
	t.closed, t.list = true, nil
	t.waiting.Signal()
	t.mu.Unlock()
}

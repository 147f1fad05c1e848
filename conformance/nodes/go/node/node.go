// Package node is a node of the Snow distribution protocol. One goroutine, Run, owns its state; all others (a reader and a
// writer for each connection, dials, timers) reach it by posting functions.
package node

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"time"

	"snow/wire"
)

// What the methods of a node answer.
var (
	ErrStarted       = errors.New("the node has been started already")
	ErrNotStarted    = errors.New("the node has not been started")
	ErrInvalidName   = errors.New("invalid name")
	ErrConnect       = errors.New("no session came about")
	ErrNameTaken     = errors.New("the name is taken")
	ErrUnknownName   = errors.New("the name is not registered")
	ErrNoProcess     = errors.New("no such process")
	ErrNotConnected  = errors.New("the node is not connected")
	ErrTooLarge      = errors.New("it does not fit a frame")
	ErrUnknownMember = errors.New("no such member")
	ErrRefused       = errors.New("the function is not offered")
	ErrNoConnection  = errors.New("the session ended first")
	ErrMisuse        = errors.New("this cannot be asked of that supervisor")
)

// Observer is told what happens, by the goroutine that runs the node. It must not block.
type Observer interface {
	SessionOpened(node string, creation uint8)
	SessionClosed(node string, creation uint8)
	ProcessMessage(pid wire.PID, message []byte)
	ProcessDown(pid wire.PID, ref uint64, from wire.PID, reason *wire.Reason)
	ProcessExited(pid, from wire.PID, reason *wire.Reason)
	ProcessEnded(pid wire.PID, reason *wire.Reason)
	NodeUp(pid wire.PID, node string)
	NodeDown(pid wire.PID, node string)

	// Wait blocks, if need be, until what has been told is not too much. Readers of connections call it.
	Wait()
}

// Config is what a node is started with.
type Config struct {
	Name              string
	Cookie            []byte
	Listen            string // host:port, or empty for what the name says
	HeartbeatInterval time.Duration
	HeartbeatTimeout  time.Duration
	HandshakeTimeout  time.Duration
}

// Node is a node. All its methods but New, Run, Post and Stop are for functions that have been posted.
type Node struct {
	observer Observer
	inbox    chan func()
	ctx      context.Context // ends with the node
	stop     context.CancelFunc
	later    []func() // to do before anything else that comes in, in turn

	config   Config
	creation uint8 // 0 until started
	listener net.Listener
	server   *tls.Config
	client   *tls.Config

	membership
	registry
	processes
	rooms
}

// New makes a node that has not been started yet.
func New(observer Observer) *Node {
	ctx, stop := context.WithCancel(context.Background())
	n := &Node{observer: observer, inbox: make(chan func()), ctx: ctx, stop: stop}
	n.config.Name = nobody
	n.membership.init()
	n.registry.init()
	n.processes.init()
	n.rooms.init()
	return n
}

// tasksInARow is how many inner tasks run before something from outside gets its turn again.
const tasksInARow = 1_000

// Run owns the node's state until it is stopped, and then closes all that is open.
func (n *Node) Run() {
	for {
		for range tasksInARow {
			if len(n.later) == 0 {
				break
			}
			task := n.later[0]
			n.later[0] = nil
			n.later = n.later[1:]
			task()
		}
		if len(n.later) > 0 {
			select {
			case task := <-n.inbox:
				task()
			case <-n.ctx.Done():
				n.closeAll()
				return
			default:
			}
			continue
		}
		select {
		case task := <-n.inbox:
			task()
		case <-n.ctx.Done():
			n.closeAll()
			return
		}
	}
}

// Post has the node's goroutine run the function. It returns when that has begun, or at once when the node has been stopped.
func (n *Node) Post(task func()) {
	select {
	case n.inbox <- task:
	case <-n.ctx.Done():
	}
}

// ask runs the function on the node's goroutine and waits for what it gives; ok is false when the node has been stopped.
func ask[T any](n *Node, question func() T) (answer T, ok bool) {
	answers := make(chan T, 1)
	n.Post(func() { answers <- question() })
	select {
	case answer = <-answers:
		return answer, true
	case <-n.ctx.Done():
		return answer, false
	}
}

// after posts the function when the time has passed.
func (n *Node) after(d time.Duration, task func()) *time.Timer {
	return time.AfterFunc(d, func() { n.Post(task) })
}

// Stop ends Run.
func (n *Node) Stop() { n.stop() }

// Done is closed when the node has been told to stop.
func (n *Node) Done() <-chan struct{} { return n.ctx.Done() }

func (n *Node) started() bool { return n.creation != 0 }

// Start gives the node its name and has it listen.
func (n *Node) Start(config Config) error {
	if n.started() {
		return ErrStarted
	}
	host, port, ok := Address(config.Name)
	if !ok || len(config.Cookie) == 0 {
		return ErrInvalidName
	}
	address := config.Listen
	if address == "" {
		address = net.JoinHostPort(host, port)
	}
	certificate, err := newCertificate()
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	if hasPortZero(config.Name) {
		config.Name = withPort(config.Name, listener.Addr())
	}
	if !ValidPeer(config.Name) {
		listener.Close()
		return ErrInvalidName
	}
	if err := n.startRooms(listener.Addr()); err != nil {
		listener.Close()
		return err
	}
	n.config = config
	n.creation = creationAt(time.Now())
	n.listener = listener
	n.server = &tls.Config{
		Certificates:           []tls.Certificate{certificate},
		MinVersion:             tls.VersionTLS12,
		SessionTicketsDisabled: true,
	}
	n.client = &tls.Config{
		ServerName:         serverName,
		InsecureSkipVerify: true, // the cookie is what authenticates (FRAME-5); signatures are still verified (FRAME-6)
		MinVersion:         tls.VersionTLS12,
	}
	go n.accept(listener)
	return nil
}

// creationAt folds seconds into 1..255, so that starts within 254 s differ (HS-22).
func creationAt(now time.Time) uint8 { return uint8(now.Unix()%255) + 1 }

const serverName = "snow-node"

// newCertificate makes the acceptor's self-signed certificate (FRAME-3). Nobody looks at its dates.
func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := x509.Certificate{
		SerialNumber: big.NewInt(1),
		Subject:      pkix.Name{CommonName: serverName},
		DNSNames:     []string{serverName},
		NotBefore:    time.Now().Add(-24 * time.Hour),
		NotAfter:     time.Now().AddDate(10, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}

// Self is the node's name and creation: "nonode@nohost" and 0 before it has been started.
func (n *Node) Self() (name string, creation uint8) { return n.config.Name, n.creation }

// Barrier calls back when the effects of all that the node has received so far are there.
func (n *Node) Barrier(done func()) {
	type wait struct {
		conn *tracked
		mark int
	}
	var waits []wait
	for conn := range n.open {
		if mark := conn.received(); !conn.isFinished(mark) {
			waits = append(waits, wait{conn, mark})
		}
	}
	if len(waits) == 0 {
		n.later = append(n.later, done)
		return
	}
	go func() {
		for _, w := range waits {
			w.conn.waitFinished(w.mark)
		}
		n.Post(func() { n.later = append(n.later, done) })
	}()
}

// closeAll ends all connections, and gives what waits to be written a moment.
func (n *Node) closeAll() {
	if n.listener != nil {
		n.listener.Close()
	}
	n.closeRooms()
	for _, d := range n.dials {
		d.cancel()
	}
	for _, s := range n.sessions {
		s.conn.closeInOrder()
	}
	deadline := time.Now().Add(flushTime / 2)
	for _, s := range n.sessions {
		s.conn.out.waitEmpty(deadline)
	}
	for conn := range n.open {
		conn.Close()
	}
	slog.Debug("stopped", "node", n.config.Name)
}

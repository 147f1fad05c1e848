package node

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"syscall"
	"time"

	"snow/wire"
)

// Proof is the HMAC-SHA256 of a challenge under the cookie.
func Proof(cookie, challenge []byte) (proof wire.Hash) {
	mac := hmac.New(sha256.New, cookie)
	mac.Write(challenge)
	mac.Sum(proof[:0])
	return proof
}

var (
	errHandshake = errors.New("the peer broke the handshake")
	errDropped   = errors.New("the connection is not wanted")
	errProof     = errors.New("the peer's proof is wrong")
)

// expect reads the next message of the handshake, which has to be an M (HS-12 to HS-14).
func expect[M wire.Message](c *conn) (m M, err error) {
	payload, err := wire.ReadFrame(c.in, wire.Handshake)
	if err != nil {
		return m, err
	}
	message, _, err := wire.Decode(wire.Handshake, payload)
	if err != nil {
		return m, err
	}
	m, ok := message.(M)
	if !ok {
		return m, errHandshake
	}
	return m, nil
}

// challenge draws a fresh challenge (HS-19, HS-20) and remembers it until it is answered or the connection ends (HS-27).
func (n *Node) challenge(c *conn) (challenge wire.Hash, ok bool) {
	rand.Read(challenge[:])
	c.challenge = challenge
	_, ok = ask(n, func() bool {
		n.unanswered[challenge] = c
		return true
	})
	return challenge, ok
}

// isReflected says whether the challenge is one of ours, sent on another connection and not answered yet (HS-27).
func (n *Node) isReflected(challenge wire.Hash, c *conn) bool {
	sender, ours := n.unanswered[challenge]
	return ours && sender != c
}

func (n *Node) newConn(tcp *tracked, secure *tls.Conn) *conn {
	c := &conn{tcp: tcp, tls: secure, in: bufio.NewReaderSize(secure, 4<<10)}
	c.out.init()
	return c
}

// forget ends all bookkeeping of a connection, when its goroutine has told all it had to.
func (n *Node) forget(tcp *tracked) {
	n.Post(func() {
		delete(n.open, tcp)
		n.isNoStranger(tcp)
	})
	tcp.end()
}

// maxStrangers is how many accepted connections may be in their handshake: past that the oldest is closed.
const maxStrangers = 4_096

func (n *Node) accept(listener net.Listener) {
	for {
		accepted, err := listener.Accept()
		if err != nil {
			if n.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			slog.Warn("accept failed", "error", err)
			n.Post(n.dropOldestStranger)
			time.Sleep(10 * time.Millisecond) // out of file descriptors, most likely
			continue
		}
		since := time.Now()
		tcp, err := track(accepted)
		if err != nil {
			accepted.Close()
			continue
		}
		n.Post(func() {
			n.open[tcp] = struct{}{}
			n.addStranger(tcp)
		})
		go n.serve(tcp, since)
	}
}

// serve takes an accepted connection through its handshake and its session.
func (n *Node) serve(tcp *tracked, since time.Time) {
	defer n.forget(tcp)
	ctx, cancel := context.WithDeadline(n.ctx, since.Add(n.config.HandshakeTimeout))
	defer cancel()
	c := n.newConn(tcp, tls.Server(tcp, n.server))
	c.setDeadline(ctx)
	s, err := n.acceptHandshake(ctx, c)
	n.Post(func() { delete(n.unanswered, c.challenge) })
	if err != nil {
		n.endHandshake(c, err)
		return
	}
	n.readSession(s)
}

// endHandshake closes silently (HS-9 to HS-14): at once when nobody listens any more, else so that the peer can read all
// that was sent before.
func (n *Node) endHandshake(c *conn, err error) {
	slog.Debug("handshake failed", "peer", c.tcp.RemoteAddr(), "error", err)
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || n.ctx.Err() != nil {
		c.tcp.Close()
		return
	}
	c.linger()
}

func (n *Node) acceptHandshake(ctx context.Context, c *conn) (*session, error) {
	if err := c.tls.HandshakeContext(ctx); err != nil {
		return nil, err
	}
	name, err := expect[*wire.NameMessage](c)
	if err != nil {
		return nil, err
	}
	if name.Creation == 0 || !ValidPeer(name.Name) || name.Name == n.config.Name {
		return nil, errHandshake
	}
	admitted, _ := ask(n, func() bool {
		c.order = n.nextOrder()
		return n.admits(name.Name, name.Creation, c)
	})
	if !admitted {
		return nil, errDropped
	}
	ours, ok := n.challenge(c)
	if !ok {
		return nil, errDropped
	}
	if err := c.writeNow(&wire.Challenge{Name: n.config.Name, Creation: n.creation, Challenge: ours}); err != nil {
		return nil, err
	}
	reply, err := expect[*wire.Reply](c)
	if err != nil {
		return nil, err
	}
	expected := Proof(n.config.Cookie, ours[:])
	right := hmac.Equal(expected[:], reply.Proof[:])
	s, _ := ask(n, func() *session {
		delete(n.unanswered, ours)
		if !right || n.isReflected(reply.Challenge, c) || !n.admits(name.Name, name.Creation, c) {
			return nil
		}
		c.tcp.SetDeadline(time.Time{})
		return n.begin(c, name.Name, name.Creation, &wire.Ack{Proof: Proof(n.config.Cookie, reply.Challenge[:])})
	})
	if !right {
		return nil, errProof
	}
	if s == nil {
		return nil, errDropped
	}
	return s, nil
}

// dial is an attempt to connect, from TCP connect until ACK is verified or it has failed.
type dial struct {
	name    string
	cancel  context.CancelFunc
	waiters []*waiter
	listed  bool // a PEER_LIST has caused it
	dropped bool // the peer's own connection has won
}

// runDial connects, and has a session served for as long as it lasts.
func (n *Node) runDial(ctx context.Context, d *dial) {
	s, greeted, err := n.dialHandshake(ctx, d)
	if err != nil {
		// The acceptor of a larger node's dial may have closed it in favour of its own (MEM-18).
		n.Post(func() { n.dialFailed(d, greeted && isClosedByPeer(err), err) })
		return
	}
	n.readSession(s)
	n.forget(s.conn.tcp)
}

func isClosedByPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// dialHandshake opens a session; greeted says whether NAME was sent.
func (n *Node) dialHandshake(ctx context.Context, d *dial) (s *session, greeted bool, err error) {
	host, port, _ := Address(d.name)
	var dialer net.Dialer
	connected, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(host, port))
	if err != nil {
		return nil, false, err
	}
	tcp, err := track(connected)
	if err != nil {
		connected.Close()
		return nil, false, err
	}
	n.Post(func() { n.open[tcp] = struct{}{} })
	c := n.newConn(tcp, tls.Client(tcp, n.client))
	c.setDeadline(ctx)
	stopWatching := context.AfterFunc(ctx, func() { tcp.Close() })
	defer func() {
		stopWatching()
		n.Post(func() { delete(n.unanswered, c.challenge) })
		if err != nil {
			if ctx.Err() != nil {
				tcp.Close()
			} else {
				go n.endHandshake(c, err)
			}
			n.forget(tcp)
		}
	}()
	if err := c.tls.HandshakeContext(ctx); err != nil {
		return nil, false, err
	}
	if err := c.writeNow(&wire.NameMessage{Name: n.config.Name, Creation: n.creation}); err != nil {
		return nil, true, err
	}
	theirs, err := expect[*wire.Challenge](c)
	if err != nil {
		return nil, true, err
	}
	if theirs.Name != d.name || theirs.Creation == 0 {
		return nil, true, errHandshake
	}
	reflected, _ := ask(n, func() bool {
		c.order = n.nextOrder()
		return n.isReflected(theirs.Challenge, c)
	})
	if reflected {
		return nil, true, errHandshake
	}
	ours, ok := n.challenge(c)
	if !ok {
		return nil, true, errDropped
	}
	reply := &wire.Reply{Proof: Proof(n.config.Cookie, theirs.Challenge[:]), Challenge: ours}
	if err := c.writeNow(reply); err != nil {
		return nil, true, err
	}
	ack, err := expect[*wire.Ack](c)
	if err != nil {
		return nil, true, err
	}
	expected := Proof(n.config.Cookie, ours[:])
	if !hmac.Equal(expected[:], ack.Proof[:]) {
		return nil, true, errProof
	}
	s, _ = ask(n, func() *session {
		if d.dropped || !stopWatching() {
			return nil
		}
		d.cancel()
		n.endDial(d)
		c.tcp.SetDeadline(time.Time{})
		return n.begin(c, theirs.Name, theirs.Creation, nil)
	})
	if s == nil {
		return nil, true, errDropped
	}
	return s, true, nil
}

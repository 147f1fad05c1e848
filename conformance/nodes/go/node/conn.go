package node

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"snow/wire"
)

// tracked is a TCP connection that knows how much of what has come its reader has dealt with.
//
// Whoever reads asks for more only after having dealt with all complete frames before, so a call of Read says so.
// A barrier, and a heartbeat that is about to give up, wait for what the kernel has taken in by then (received).
type tracked struct {
	*net.TCPConn
	raw syscall.RawConn

	mu       sync.Mutex
	changed  sync.Cond
	read     int // bytes taken from the kernel
	finished int // of these, bytes that have been dealt with
	ended    bool
}

func track(conn net.Conn) (*tracked, error) {
	tcp := conn.(*net.TCPConn)
	raw, err := tcp.SyscallConn()
	t := &tracked{TCPConn: tcp, raw: raw}
	t.changed.L = &t.mu
	return t, err
}

// Read is net.Conn's, with the bytes counted at the moment at which they leave the kernel's buffer.
func (t *tracked) Read(b []byte) (n int, err error) {
	t.mu.Lock()
	t.finished = t.read
	t.changed.Broadcast()
	t.mu.Unlock()
	if len(b) == 0 {
		return 0, nil
	}
	waited := t.raw.Read(func(fd uintptr) bool {
		t.mu.Lock() // not over I/O: the file descriptor does not block
		defer t.mu.Unlock()
		for {
			n, err = syscall.Read(int(fd), b)
			if err != syscall.EINTR {
				break
			}
		}
		t.read += max(n, 0)
		return err != syscall.EAGAIN
	})
	switch {
	case waited != nil:
		return 0, waited
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}

// received is the number of bytes that have come so far, read or not.
func (t *tracked) received() (total int) {
	t.raw.Control(func(fd uintptr) {
		t.mu.Lock()
		defer t.mu.Unlock()
		total = t.read + unread(fd)
	})
	return total
}

// isFinished says whether that many bytes have been dealt with; no more will be when the connection has ended.
func (t *tracked) isFinished(mark int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended || t.finished >= mark
}

func (t *tracked) waitFinished(mark int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for !t.ended && t.finished < mark {
		t.changed.Wait()
	}
}

// end says that its reader has gone, and has told the node all that it had to.
func (t *tracked) end() {
	t.mu.Lock()
	t.ended = true
	t.changed.Broadcast()
	t.mu.Unlock()
}

// conn is a connection with another node: TLS, and frames on it. Its reader is one goroutine, its writer another.
type conn struct {
	tcp *tracked
	tls *tls.Conn
	in  *bufio.Reader
	out queue

	challenge wire.Hash // the one that this side has sent
	order     uint64    // when NAME or CHALLENGE was read, among all connections (MEM-27)
}

// writeNow sends one message of the handshake, within the connection's deadline.
func (c *conn) writeNow(m wire.Message) error {
	frame, err := wire.Frame(m)
	if err != nil {
		return err
	}
	_, err = c.tls.Write(frame)
	return err
}

const (
	flushTime  = time.Second            // for what waits when a connection is closed in good order
	lingerTime = 500 * time.Millisecond // for the peer to read that, before unread input makes the kernel reset
)

// writeQueue is the session's writer. It ends when the queue has been closed and is empty, or when writing fails:
// then the reader will find the end of the connection, behind all that has come.
func (c *conn) writeQueue() {
	for {
		p, ok := c.out.pop()
		if !ok {
			c.linger()
			return
		}
		if err := c.writePiece(p); err != nil {
			if c.out.abort() {
				c.tcp.Close()
			}
			return
		}
	}
}

func (c *conn) writePiece(p piece) error {
	if p.stream == nil {
		_, err := c.tls.Write(p.ready)
		c.out.written(len(p.ready))
		return err
	}
	for b := range p.stream {
		if _, err := c.tls.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// linger ends the connection so that the peer gets all that was written: the end of our side first,
// and the close only when the peer has ended its own, or a while later.
func (c *conn) linger() {
	c.tcp.SetDeadline(time.Now().Add(lingerTime))
	c.tls.CloseWrite()
	c.tcp.CloseWrite()
	io.Copy(io.Discard, onlyReader{c.tcp.TCPConn})
	c.tcp.Close()
}

// onlyReader hides TCPConn's WriteTo, which would keep io.Copy from being a plain loop.
type onlyReader struct{ io.Reader }

// closeInOrder has the writer write what waits, within a second, and then close.
func (c *conn) closeInOrder() {
	c.tcp.SetWriteDeadline(time.Now().Add(flushTime))
	if c.out.close() { // the writer has given up
		c.tcp.Close()
	}
}

// closeNow drops what waits.
func (c *conn) closeNow() {
	c.out.abort()
	c.tcp.Close()
}

// setDeadline bounds the handshake in both directions.
func (c *conn) setDeadline(ctx context.Context) {
	if deadline, ok := ctx.Deadline(); ok {
		c.tcp.SetDeadline(deadline)
	}
}

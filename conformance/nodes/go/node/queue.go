package node

import (
	"iter"
	"sync"
	"time"
)

const (
	// queueLimit is how many bytes may wait for one peer (MEM-38 asks for 32 MiB at least, RES-7 for 256 at most).
	queueLimit = 48 << 20

	chunkSize   = 64 << 10
	copiedBelow = 4 << 10 // frames that are smaller share chunks, others are queued as they are
)

// piece is some bytes of a queue: ready, or made when their turn comes.
type piece struct {
	ready  []byte
	stream iter.Seq[[]byte]
}

// queue holds what waits to be written to one peer. The node's loop pushes and never waits; the writer pops.
type queue struct {
	mu      sync.Mutex
	waiting sync.Cond
	pieces  []piece
	tail    []byte // the chunk that small frames are being added to: it stands behind all pieces
	bytes   int
	closed  bool
}

func (q *queue) init() { q.waiting.L = &q.mu }

// push adds a whole frame, and is false when the peer has too much waiting already.
func (q *queue) push(frame []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return true // nobody misses it: the connection is ending
	}
	if q.bytes+len(frame) > queueLimit {
		return false
	}
	q.bytes += len(frame)
	if len(frame) < copiedBelow {
		if len(q.tail)+len(frame) > chunkSize {
			q.seal()
		}
		if q.tail == nil {
			q.tail = make([]byte, 0, max(len(frame), 256))
		}
		q.tail = append(q.tail, frame...)
	} else {
		q.seal()
		q.pieces = append(q.pieces, piece{ready: frame})
	}
	q.waiting.Signal()
	return true
}

// pushStream adds bytes that are made when they are written; they do not count towards the limit (MEM-38).
func (q *queue) pushStream(stream iter.Seq[[]byte]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.seal()
	q.pieces = append(q.pieces, piece{stream: stream})
	q.waiting.Signal()
}

func (q *queue) seal() {
	if q.tail != nil {
		q.pieces = append(q.pieces, piece{ready: q.tail})
		q.tail = nil
	}
}

// pop waits for the next piece; it is false when there will be none.
func (q *queue) pop() (piece, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.pieces) == 0 && q.tail == nil && !q.closed {
		q.waiting.Wait()
	}
	if len(q.pieces) == 0 {
		q.seal()
	}
	if len(q.pieces) == 0 {
		return piece{}, false
	}
	p := q.pieces[0]
	q.pieces[0] = piece{}
	q.pieces = q.pieces[1:]
	return p, true
}

// written says that so many bytes of ready pieces wait no longer.
func (q *queue) written(n int) {
	q.mu.Lock()
	q.bytes = max(0, q.bytes-n)
	q.mu.Unlock()
}

// close takes no more; what waits is still popped. It says whether the queue was closed already.
func (q *queue) close() (wasClosed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wasClosed = q.closed
	q.closed = true
	q.waiting.Signal()
	return wasClosed
}

// abort takes no more, and drops what waits. It says whether the queue was closed already.
func (q *queue) abort() (wasClosed bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	wasClosed = q.closed
	q.closed, q.pieces, q.tail, q.bytes = true, nil, nil, 0
	q.waiting.Signal()
	return wasClosed
}

// waitEmpty waits until nothing is left to be popped, until the deadline at most.
func (q *queue) waitEmpty(deadline time.Time) {
	for time.Now().Before(deadline) {
		q.mu.Lock()
		empty := len(q.pieces) == 0 && q.tail == nil && q.bytes == 0
		q.mu.Unlock()
		if empty {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

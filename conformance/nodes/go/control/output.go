package control

import (
	"bufio"
	"encoding/json"
	"io"
	"sync"
	"time"
)

// output writes lines in the order in which they are given, from a goroutine of its own, so that nobody waits for it.
type output struct {
	mu      sync.Mutex
	changed sync.Cond
	lines   [][]byte
	bytes   int
	closed  bool
	done    chan struct{}
}

func newOutput(w io.Writer) *output {
	o := &output{done: make(chan struct{})}
	o.changed.L = &o.mu
	go o.write(w)
	return o
}

func (o *output) write(w io.Writer) {
	defer close(o.done)
	out := bufio.NewWriterSize(w, 64<<10)
	for {
		o.mu.Lock()
		for len(o.lines) == 0 && !o.closed {
			o.changed.Wait()
		}
		lines := o.lines
		o.lines = nil
		closed := o.closed
		o.mu.Unlock()
		written := 0
		for i, line := range lines {
			out.Write(line)
			written += len(line)
			lines[i] = nil
		}
		out.Flush()
		o.mu.Lock()
		o.bytes -= written
		o.changed.Broadcast()
		o.mu.Unlock()
		if closed && len(lines) == 0 {
			return
		}
	}
}

func (o *output) put(line []byte) {
	o.mu.Lock()
	o.lines = append(o.lines, line)
	o.bytes += len(line)
	o.changed.Broadcast()
	o.mu.Unlock()
}

func (o *output) putJSON(v any) {
	line, err := json.Marshal(v)
	if err != nil {
		panic(err) // what this package makes always marshals
	}
	o.put(append(line, '\n'))
}

// close waits until all lines have been written, for a while at most.
func (o *output) close(patience time.Duration) {
	o.mu.Lock()
	o.closed = true
	o.changed.Broadcast()
	o.mu.Unlock()
	select {
	case <-o.done:
	case <-time.After(patience):
	}
}

// waitingLimit is how many bytes of notifications may wait before what peers send is not read any more (RES-8).
const waitingLimit = 32 << 20

func (o *output) wait() {
	o.mu.Lock()
	for o.bytes > waitingLimit && !o.closed {
		o.changed.Wait()
	}
	o.mu.Unlock()
}

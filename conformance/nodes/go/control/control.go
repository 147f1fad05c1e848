// Package control lets a harness drive a node: JSON-RPC lines in, answers and notifications out.
package control

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"

	"snow/node"
	"snow/wire"
)

type control struct {
	node *node.Node
	out  *output
	seq  uint64 // of the last notification; the node's goroutine's
}

// Serve reads requests until the input ends or the node is asked to stop.
func Serve(in io.Reader, out io.Writer) {
	c := &control{out: newOutput(out)}
	c.node = node.New(c)
	ended := make(chan struct{})
	go func() {
		c.node.Run()
		close(ended)
	}()
	go func() {
		c.read(in)
		c.node.Stop()
	}()
	<-ended
	c.out.close(5 * time.Second)
}

func (c *control) read(in io.Reader) {
	lines := bufio.NewReaderSize(in, 64<<10)
	for {
		line, err := lines.ReadBytes('\n')
		if line = bytes.TrimSpace(line); len(line) > 0 {
			c.handle(line)
		}
		if err != nil || c.stopped() {
			return
		}
	}
}

func (c *control) stopped() bool {
	select {
	case <-c.node.Done():
		return true
	default:
		return false
	}
}

func (c *control) handle(line []byte) {
	null := json.RawMessage("null")
	var r request
	if err := json.Unmarshal(line, &r); err != nil {
		code := codeRequest
		if !json.Valid(line) {
			code = codeParse
		}
		c.fail(null, &rpcError{Code: code, Message: err.Error()})
		return
	}
	if _, err := strconv.ParseInt(string(r.ID), 10, 64); err != nil || r.Method == nil {
		c.fail(null, &rpcError{Code: codeRequest, Message: "a request has an integer id and a method"})
		return
	}
	method, known := methods[*r.Method]
	if !known {
		c.fail(r.ID, &rpcError{Code: codeMethod, Message: "unknown method " + *r.Method})
		return
	}
	if len(r.Params) == 0 {
		r.Params = json.RawMessage("{}")
	}
	method(c, &call{c, r.ID}, r.Params)
}

func (c *control) fail(id json.RawMessage, err error) {
	c.out.putJSON(answer{Version: "2.0", ID: id, Error: asRPC(err)})
}

// call is a request that is to be answered, once.
type call struct {
	control *control
	id      json.RawMessage
}

func (a *call) result(v any) {
	a.control.out.putJSON(answer{Version: "2.0", ID: a.id, Result: v})
}

// done answers {}, or the error.
func (a *call) done(err error) { a.either(struct{}{}, err) }

func (a *call) either(v any, err error) {
	if err != nil {
		a.control.fail(a.id, err)
	} else {
		a.result(v)
	}
}

type method func(c *control, a *call, params json.RawMessage)

// onNode makes a method that the node's goroutine answers, with its parameters as a P.
func onNode[P any](do func(c *control, a *call, p P)) method {
	return func(c *control, a *call, params json.RawMessage) {
		p, err := read[P](params)
		if err != nil {
			c.fail(a.id, err)
			return
		}
		c.node.Post(func() { do(c, a, p) })
	}
}

// inPlace makes a method that needs no node.
func inPlace[P any](do func(p P) (any, error)) method {
	return func(c *control, a *call, params json.RawMessage) {
		p, err := read[P](params)
		if err != nil {
			c.fail(a.id, err)
			return
		}
		a.either(do(p))
	}
}

// read takes parameters. Fields that are pointers have to be there, unless they are tagged `opt:"-"`.
func read[P any](params json.RawMessage) (p P, err error) {
	if err := json.Unmarshal(params, &p); err != nil {
		return p, &rpcError{Code: codeParams, Message: err.Error()}
	}
	if missing := missingField(reflect.ValueOf(p)); missing != "" {
		return p, &rpcError{Code: codeParams, Message: "missing parameter " + missing}
	}
	return p, nil
}

func missingField(v reflect.Value) string {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if _, optional := field.Tag.Lookup("opt"); !optional && v.Field(i).Kind() == reflect.Pointer && v.Field(i).IsNil() {
			return field.Tag.Get("json")
		}
	}
	return ""
}

func (c *control) notify(method string, params map[string]any) {
	c.seq++
	params["seq"] = c.seq
	c.out.putJSON(notification{"2.0", method, params})
}

// SessionOpened and the others are node.Observer's.
func (c *control) SessionOpened(name string, creation uint8) {
	c.notify("session.opened", map[string]any{"node": name, "creation": creation})
}

// SessionClosed tells that a session has ended.
func (c *control) SessionClosed(name string, creation uint8) {
	c.notify("session.closed", map[string]any{"node": name, "creation": creation})
}

// ProcessMessage tells of a collector's message. The line is made at once, since messages may be large.
func (c *control) ProcessMessage(pid wire.PID, message []byte) {
	c.seq++
	who, _ := json.Marshal(c.pidOut(pid)) // always marshals
	line := make([]byte, 0, 2*len(message)+len(who)+128)
	line = fmt.Appendf(line, `{"jsonrpc":"2.0","method":"process.message","params":{"seq":%d,"pid":%s,"bytes":"`, c.seq, who)
	line = hex.AppendEncode(line, message)
	c.out.put(append(line, "\"}}\n"...))
}

// ProcessDown tells that a monitor has fired.
func (c *control) ProcessDown(pid wire.PID, ref uint64, from wire.PID, reason *wire.Reason) {
	c.notify("process.down", map[string]any{
		"pid": c.pidOut(pid), "ref": formatRef(ref), "from": c.pidOut(from), "reason": c.reasonOut(reason),
	})
}

// ProcessExited tells of an exit that was delivered as a message.
func (c *control) ProcessExited(pid, from wire.PID, reason *wire.Reason) {
	c.notify("process.exited", map[string]any{
		"pid": c.pidOut(pid), "from": c.pidOut(from), "reason": c.reasonOut(reason),
	})
}

// ProcessEnded tells of an end.
func (c *control) ProcessEnded(pid wire.PID, reason *wire.Reason) {
	c.notify("process.ended", map[string]any{"pid": c.pidOut(pid), "reason": c.reasonOut(reason)})
}

// NodeUp tells a watcher of a session's begin.
func (c *control) NodeUp(pid wire.PID, name string) {
	c.notify("node.up", map[string]any{"pid": c.pidOut(pid), "node": name})
}

// NodeDown tells a watcher of a session's end.
func (c *control) NodeDown(pid wire.PID, name string) {
	c.notify("node.down", map[string]any{"pid": c.pidOut(pid), "node": name})
}

// Wait holds up readers of connections while too much waits to be written.
func (c *control) Wait() { c.out.wait() }

func formatRef(ref uint64) string { return strconv.FormatUint(ref, 10) }

func parseRef(text string) (uint64, error) {
	ref, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
	if err != nil {
		return 0, errors.New("no reference of this node")
	}
	return ref, nil
}

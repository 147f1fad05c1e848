package control

import (
	"encoding/json"
	"errors"

	"snow/node"
	"snow/wire"
)

// pidJSON is a PID as the control protocol has it. Node is nil when it cannot be known (PROC-12).
type pidJSON struct {
	Node     *string `json:"node"`
	Creation uint8   `json:"creation"`
	Local    uint64  `json:"local"`
}

// nowhere is the node id of PIDs of nodes that the node has never heard of: such a process cannot be reached.
// It is never given: ids end before it.
const nowhere = 65_535

func (c *control) pidOut(pid wire.PID) pidJSON {
	name, creation := c.node.NameOf(pid.Node), pid.Creation
	if pid == (wire.PID{Local: pid.Local}) {
		_, creation = c.node.Self()
	}
	return pidJSON{&name, creation, pid.Local}
}

// pidIn is the PID as the node holds it.
func (c *control) pidIn(p pidJSON) wire.PID {
	name, creation := c.node.Self()
	switch {
	case p.Node == nil:
		return wire.PID{Node: nowhere, Creation: p.Creation, Local: p.Local}
	case *p.Node == name && p.Creation == creation, *p.Node == "nonode@nohost" && p.Creation == 0:
		return wire.PID{Local: p.Local}
	case *p.Node == name: // of a former run
		return wire.PID{Creation: p.Creation, Local: p.Local}
	}
	id, known := c.node.IDOf(*p.Node)
	if !known {
		id = nowhere
	}
	return wire.PID{Node: id, Creation: p.Creation, Local: p.Local}
}

// reasonJSON is a reason as the control protocol has it.
type reasonJSON struct {
	Kind   wire.ReasonKind `json:"kind"`
	Text   *string         `json:"text,omitempty"`
	PID    *pidJSON        `json:"pid,omitempty"`
	Reason *reasonJSON     `json:"reason,omitempty"`
}

// maxReasonLevels is where a reason is cut in JSON, which cannot carry any depth.
const maxReasonLevels = 500

func (c *control) reasonOut(r *wire.Reason) *reasonJSON {
	var outermost *reasonJSON
	place := &outermost
	for level := 1; r != nil; r, level = r.Inner, level+1 {
		if level == maxReasonLevels {
			r = &wire.Reason{Kind: wire.Error, Text: "nested too deep"}
		}
		out := &reasonJSON{Kind: r.Kind}
		switch r.Kind {
		case wire.Error, wire.Custom:
			out.Text = &r.Text
		case wire.Linked:
			pid := pidJSON{Creation: r.PID.Creation, Local: r.PID.Local}
			if !r.Opaque {
				pid = c.pidOut(r.PID)
			}
			out.PID = &pid
		}
		*place = out
		place = &out.Reason
	}
	return outermost
}

var errReason = errors.New("a reason lacks what its kind asks for")

func (c *control) reasonIn(in *reasonJSON) (*wire.Reason, error) {
	var outermost *wire.Reason
	place := &outermost
	for ; in != nil; in = in.Reason {
		r := &wire.Reason{Kind: in.Kind}
		switch in.Kind {
		case wire.Error, wire.Custom:
			if in.Text == nil {
				return nil, errReason
			}
			r.Text = *in.Text
		case wire.Linked:
			if in.PID == nil || in.Reason == nil {
				return nil, errReason
			}
			r.PID = c.pidIn(*in.PID)
			r.Opaque = in.PID.Node == nil
		}
		*place = r
		if in.Kind != wire.Linked {
			break
		}
		place = &r.Inner
	}
	return outermost, nil
}

// The errors' codes.
const (
	codeParse       = -32700
	codeRequest     = -32600
	codeMethod      = -32601
	codeParams      = -32602
	codeFailed      = -32000
	codeUndecodable = -32020
	codeUnencodable = -32021
)

var codes = []struct {
	err  error
	code int
}{
	{node.ErrNotStarted, -32001},
	{node.ErrStarted, -32002},
	{node.ErrInvalidName, -32003},
	{node.ErrConnect, -32004},
	{node.ErrNameTaken, -32005},
	{node.ErrUnknownName, -32006},
	{node.ErrNoProcess, -32007},
	{node.ErrNotConnected, -32008},
	{node.ErrTooLarge, -32009},
	{node.ErrUnknownMember, -32010},
	{node.ErrRefused, -32011},
	{node.ErrNoConnection, -32012},
	{node.ErrMisuse, codeParams},
}

// rpcError is JSON-RPC's.
type rpcError struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

func (e *rpcError) Error() string { return e.Message }

func asRPC(err error) *rpcError {
	var already *rpcError
	if errors.As(err, &already) {
		return already
	}
	for _, known := range codes {
		if errors.Is(err, known.err) {
			return &rpcError{Code: known.code, Message: err.Error()}
		}
	}
	return &rpcError{Code: codeFailed, Message: err.Error()}
}

func kindError(code int, kind string) error {
	return &rpcError{Code: code, Message: kind, Data: map[string]string{"kind": kind}}
}

// request is a line of standard input.
type request struct {
	ID     json.RawMessage `json:"id"`
	Method *string         `json:"method"`
	Params json.RawMessage `json:"params"`
}

type answer struct {
	Version string          `json:"jsonrpc"`
	ID      json.RawMessage `json:"id"`
	Result  any             `json:"result,omitempty"`
	Error   *rpcError       `json:"error,omitempty"`
}

type notification struct {
	Version string         `json:"jsonrpc"`
	Method  string         `json:"method"`
	Params  map[string]any `json:"params"`
}

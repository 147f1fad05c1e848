package wire

import (
	"encoding/json"
	"errors"
	"fmt"
)

// ReasonKind says why a process ended; its number is the tag on the wire.
type ReasonKind uint8

// The kinds of reasons.
const (
	Normal ReasonKind = iota
	Error
	Killed
	Linked
	Shutdown
	Custom
	NoConnection
)

var reasonNames = [...]string{"normal", "error", "killed", "linked", "shutdown", "custom", "noconnection"}

func (k ReasonKind) String() string { return reasonNames[k] }

// MarshalText writes the kind's name.
func (k ReasonKind) MarshalText() ([]byte, error) { return []byte(reasonNames[k]), nil }

// UnmarshalText reads the kind's name.
func (k *ReasonKind) UnmarshalText(text []byte) error {
	for i, name := range reasonNames {
		if name == string(text) {
			*k = ReasonKind(i)
			return nil
		}
	}
	return fmt.Errorf("unknown reason %q", text)
}

func (k ReasonKind) hasText() bool { return k == Error || k == Custom }

// maxReasonLevels is how deep a reason is read (PROC-25).
const maxReasonLevels = 64

// Reason is why a process ended. Reasons are never changed once made, so that they may be shared.
type Reason struct {
	Kind  ReasonKind `json:"kind"`
	Text  string     `json:"text"`   // of error and custom
	PID   PID        `json:"pid"`    // of linked
	Inner *Reason    `json:"reason"` // of linked

	// Opaque marks a PID that is in another node's numbering: shown, never routed by (PROC-12).
	Opaque bool `json:"-"`
}

// MarshalJSON leaves out the fields that the kind does not have.
func (r *Reason) MarshalJSON() ([]byte, error) {
	fields := map[string]any{"kind": r.Kind}
	switch {
	case r.Kind.hasText():
		fields["text"] = r.Text
	case r.Kind == Linked:
		fields["pid"], fields["reason"] = r.PID, r.Inner
	}
	return json.Marshal(fields)
}

// errReason is a reason that cannot be read, in a message that otherwise can.
var errReason = errors.New("unreadable reason")

// DecodeReason reads a reason as it stands on the wire; what follows it does not matter.
func DecodeReason(b []byte) (*Reason, error) {
	r := reader{rest: b}
	reason := r.reason()
	return reason, r.err
}

// reason goes through all levels, however many, in a loop; it keeps 64 and puts an error in the place of the others (PROC-25).
func (r *reader) reason() *Reason {
	if r.err != nil {
		return nil
	}
	var outermost *Reason
	place := &outermost
	for level := 1; ; level++ {
		var read Reason // allocated only when it is kept
		read.Kind = ReasonKind(r.u8())
		if int(read.Kind) >= len(reasonNames) {
			r.err = errReason
		}
		if read.Kind.hasText() {
			read.Text = r.string64()
		}
		if read.Kind == Linked {
			read.PID = r.pid()
		}
		if r.err != nil {
			r.err = errReason
			return nil
		}
		if level <= maxReasonLevels {
			kept := read
			if level == maxReasonLevels && read.Kind == Linked {
				kept = Reason{Kind: Error, Text: "nested too deep"}
			}
			*place = &kept
			place = &kept.Inner
		}
		if read.Kind != Linked {
			return outermost
		}
	}
}

func (w *writer) reason(r *Reason) {
	for ; r != nil; r = r.Inner {
		w.u8(uint8(r.Kind))
		if r.Kind.hasText() {
			w.string64(r.Text)
		}
		if r.Kind == Linked {
			w.pid(r.PID)
			if r.Inner == nil {
				w.err = ErrUnencodable
			}
		}
	}
}

// Size is the number of bytes that the reason takes on the wire.
func (r *Reason) Size() int {
	size := 0
	for ; r != nil; r = r.Inner {
		size++
		if r.Kind.hasText() {
			size += 8 + len(r.Text)
		}
		if r.Kind == Linked {
			size += 8
		}
	}
	return size
}

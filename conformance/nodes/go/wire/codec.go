// Package wire is the form of frames and messages as bytes. It does no I/O and knows no state.
package wire

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"unicode/utf8"
)

// Phase is the part of a connection's life that says which tags mean what, and how long a frame may be.
type Phase int

// A connection is in its handshake until ACK has been sent or verified, and in its session from then on.
const (
	Handshake Phase = iota
	Session
)

// Limit is the largest payload of a frame in that phase, in bytes, inclusive.
func (p Phase) Limit() int {
	if p == Handshake {
		return 4_096
	}
	return 16_777_216
}

// HeaderSize is the number of bytes of a frame's length.
const HeaderSize = 4

// What Decode finds wrong with a payload, and Encode with a message.
var (
	ErrEmpty       = errors.New("empty payload")
	ErrUnknownTag  = errors.New("unknown tag")
	ErrMalformed   = errors.New("malformed message")
	ErrUnencodable = errors.New("a text is longer than its length can say")
)

// Bytes is written in JSON as lower-case hexadecimal digits.
type Bytes []byte

// MarshalJSON writes hexadecimal digits.
func (b Bytes) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 2*len(b)+2)
	out = append(out, '"')
	out = hex.AppendEncode(out, b)
	return append(out, '"'), nil
}

// UnmarshalJSON reads hexadecimal digits.
func (b *Bytes) UnmarshalJSON(text []byte) error {
	if len(text) < 2 || text[0] != '"' {
		return errors.New("bytes are a string of hexadecimal digits")
	}
	out := make([]byte, hex.DecodedLen(len(text)-2))
	if _, err := hex.Decode(out, text[1:len(text)-1]); err != nil {
		return err
	}
	*b = out
	return nil
}

// U64 is written in JSON as a string of decimal digits, and read from a number, too, as golden vectors have it.
type U64 uint64

// MarshalJSON writes a string of digits.
func (u U64) MarshalJSON() ([]byte, error) {
	return strconv.AppendQuote(nil, strconv.FormatUint(uint64(u), 10)), nil
}

// UnmarshalJSON reads a number or a string of digits.
func (u *U64) UnmarshalJSON(text []byte) error {
	if len(text) >= 2 && text[0] == '"' {
		text = text[1 : len(text)-1]
	}
	n, err := strconv.ParseUint(string(text), 10, 64)
	*u = U64(n)
	return err
}

// PID is a process as the wire has it (PROC-1): 16 bits, 8 bits and 40 bits.
type PID struct {
	Node     uint16 `json:"node_id"`
	Creation uint8  `json:"creation"`
	Local    uint64 `json:"local"`
}

const localBits = 40

// MaxLocal is the greatest local id; the next one is 1 again.
const MaxLocal = 1<<localBits - 1

// Bits puts the 64 bits of a PID together.
func (p PID) Bits() uint64 {
	return uint64(p.Node)<<48 | uint64(p.Creation)<<localBits | p.Local&MaxLocal
}

// PIDFromBits takes a PID's 64 bits apart.
func PIDFromBits(bits uint64) PID {
	return PID{Node: uint16(bits >> 48), Creation: uint8(bits >> localBits), Local: bits & MaxLocal}
}

// reader takes fields off the front of a payload. After the first error it gives zeros.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n uint64) []byte {
	if r.err != nil || n > uint64(len(r.rest)) {
		r.err = ErrMalformed
		return nil
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() uint16 {
	if b := r.take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

func (r *reader) u32() uint32 {
	if b := r.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) pid() PID { return PIDFromBits(r.u64()) }

func (r *reader) text(n uint64) string {
	b := r.take(n)
	if !utf8.Valid(b) {
		r.err = ErrMalformed
		return ""
	}
	return string(b)
}

func (r *reader) string16() string { return r.text(uint64(r.u16())) }
func (r *reader) string32() string { return r.text(uint64(r.u32())) }
func (r *reader) string64() string { return r.text(r.u64()) }
func (r *reader) bytes16() []byte  { return r.take(uint64(r.u16())) }

func (r *reader) remaining() []byte { return r.take(uint64(len(r.rest))) }

// writer puts fields behind each other. After the first error what it holds is worth nothing.
type writer struct {
	out []byte
	err error
}

func (w *writer) u8(v uint8)     { w.out = append(w.out, v) }
func (w *writer) u16(v uint16)   { w.out = binary.LittleEndian.AppendUint16(w.out, v) }
func (w *writer) u32(v uint32)   { w.out = binary.LittleEndian.AppendUint32(w.out, v) }
func (w *writer) u64(v uint64)   { w.out = binary.LittleEndian.AppendUint64(w.out, v) }
func (w *writer) pid(p PID)      { w.u64(p.Bits()) }
func (w *writer) bytes(b []byte) { w.out = append(w.out, b...) }
func (w *writer) text(s string)  { w.out = append(w.out, s...) }

func (w *writer) fits(n, limit int) {
	if n > limit {
		w.err = ErrUnencodable
	}
}

func (w *writer) string16(s string) {
	w.fits(len(s), math.MaxUint16)
	w.u16(uint16(len(s)))
	w.text(s)
}

func (w *writer) string32(s string) {
	w.fits(len(s), math.MaxUint32)
	w.u32(uint32(len(s)))
	w.text(s)
}

func (w *writer) string64(s string) {
	w.u64(uint64(len(s)))
	w.text(s)
}

func (w *writer) bytes16(b []byte) {
	w.fits(len(b), math.MaxUint16)
	w.u16(uint16(len(b)))
	w.bytes(b)
}

// Decode reads a payload. What stands behind the message is left over, and no error (FRAME-20, HS-15).
// A message that is returned together with an error is one whose reason cannot be read (PROC-26, PROC-27).
func Decode(phase Phase, payload []byte) (m Message, leftOver []byte, err error) {
	if len(payload) == 0 {
		return nil, nil, ErrEmpty
	}
	kind, known := kindsByTag[payload[0]]
	if !known || kind.phase != phase {
		return nil, nil, ErrUnknownTag
	}
	m = kind.make()
	r := reader{rest: payload[1:]}
	m.decode(&r)
	if r.err == errReason {
		return m, nil, ErrMalformed
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	return m, r.rest, nil
}

// Encode writes a payload, without its frame's length.
func Encode(m Message) ([]byte, error) {
	frame, err := Frame(m)
	if err != nil {
		return nil, err
	}
	return frame[HeaderSize:], nil
}

// Frame writes a message behind its frame's length. It does not look at any phase's limit.
func Frame(m Message) ([]byte, error) {
	w := writer{out: make([]byte, HeaderSize, HeaderSize+m.sizeHint())}
	w.u8(kindsByName[Name(m)].tag)
	m.encode(&w)
	binary.LittleEndian.PutUint32(w.out, uint32(len(w.out)-HeaderSize))
	return w.out, w.err
}

// FromJSON reads the fields of the message of that name.
func FromJSON(name string, fields []byte) (Message, error) {
	kind, known := kindsByName[name]
	if !known {
		return nil, errors.New("unknown message " + name)
	}
	m := kind.make()
	return m, json.Unmarshal(fields, m)
}

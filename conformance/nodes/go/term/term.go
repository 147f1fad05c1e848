// Package term is the Snow Term Format: values as bytes (TERM). It never looks beyond one value.
package term

import (
	"encoding/binary"
	"errors"
	"math"
	"unicode/utf8"

	"snow/wire"
)

// Value is one of the types below.
type Value interface{ tag() byte }

// The kinds of values. Maps, sets and fields keep the order in which they stand (TERM-2).
type (
	Int     int64
	Float   uint64 // its bits, so that no arithmetic loses any (TERM-3)
	Bool    bool
	String  string
	Unit    struct{}
	List    []Value
	Set     []Value
	Tuple   []Value
	PID     wire.PID
	None    struct{}
	Closure struct{} // has no binary form

	Map struct {
		KeyType uint8
		Entries []Entry
	}
	Entry struct{ Key, Value Value }

	Struct struct {
		Name   string
		Fields []Field
	}
	Field struct {
		Name  string
		Value Value
	}

	Sum struct {
		Name    string
		Variant uint8
		Values  []Value
	}

	Some struct{ Value Value }
	Ok   struct{ Value Value }
	Err  struct{ Value Value }
)

const (
	version = 1

	tagInt     = 1
	tagFloat   = 2
	tagTrue    = 3
	tagFalse   = 4
	tagString  = 5
	tagUnit    = 6
	tagList    = 10
	tagMap     = 11
	tagSet     = 12
	tagTuple   = 13
	tagStruct  = 20
	tagSum     = 21
	tagPID     = 30
	tagSome    = 40
	tagNone    = 41
	tagOk      = 42
	tagErr     = 43
	tagClosure = 0xFF

	maxString = 16_777_216
	maxItems  = 1_000_000

	// maxDepth is the number of levels that are read and written (TERM-14): it bounds the recursion.
	maxDepth = 128
)

func (Int) tag() byte   { return tagInt }
func (Float) tag() byte { return tagFloat }
func (b Bool) tag() byte {
	if b {
		return tagTrue
	}
	return tagFalse
}
func (String) tag() byte  { return tagString }
func (Unit) tag() byte    { return tagUnit }
func (List) tag() byte    { return tagList }
func (Map) tag() byte     { return tagMap }
func (Set) tag() byte     { return tagSet }
func (Tuple) tag() byte   { return tagTuple }
func (Struct) tag() byte  { return tagStruct }
func (Sum) tag() byte     { return tagSum }
func (PID) tag() byte     { return tagPID }
func (Some) tag() byte    { return tagSome }
func (None) tag() byte    { return tagNone }
func (Ok) tag() byte      { return tagOk }
func (Err) tag() byte     { return tagErr }
func (Closure) tag() byte { return tagClosure }

// What a reader tells apart; the texts are the spec's names.
var (
	ErrUnexpectedEnd      = errors.New("unexpected_end")
	ErrInvalidTag         = errors.New("invalid_tag")
	ErrUnsupportedVersion = errors.New("unsupported_version")
	ErrClosure            = errors.New("closure")
	ErrTooLarge           = errors.New("too_large")
	ErrInvalidUTF8        = errors.New("invalid_utf8")
	ErrTooDeep            = errors.New("too_deep")
)

// Decode reads a term, and gives what stands behind it, which is no error.
func Decode(b []byte) (v Value, leftOver []byte, err error) {
	r := reader{rest: b}
	if n := r.u8(); r.err == nil && n != version {
		return nil, nil, ErrUnsupportedVersion
	}
	v = r.value(1)
	return v, r.rest, r.err
}

// reader takes parts off the front; the first error stays, and nothing is read behind it.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *reader) take(n int) []byte {
	if r.err == nil && n > len(r.rest) {
		r.err = ErrUnexpectedEnd
	}
	if r.err != nil {
		return nil
	}
	out := r.rest[:n]
	r.rest = r.rest[n:]
	return out
}

func (r *reader) u8() uint8 {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) u16() int {
	if b := r.take(2); b != nil {
		return int(binary.LittleEndian.Uint16(b))
	}
	return 0
}

func (r *reader) u32() int {
	if b := r.take(4); b != nil {
		return int(binary.LittleEndian.Uint32(b))
	}
	return 0
}

func (r *reader) u64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) text(n int) string {
	b := r.take(n)
	if !utf8.Valid(b) {
		r.fail(ErrInvalidUTF8)
	}
	return string(b)
}

func (r *reader) name() string { return r.text(r.u16()) }

// limited reads a length or a count that the format bounds (TERM-11, TERM-12).
func (r *reader) limited(limit int) int {
	n := r.u32()
	if n > limit {
		r.fail(ErrTooLarge)
	}
	return n
}

// values reads so many values one level below depth. They are not allocated for before they are there (TERM-16).
func (r *reader) values(count, depth int) []Value {
	out := []Value{}
	for ; count > 0 && r.err == nil; count-- {
		out = append(out, r.value(depth+1))
	}
	return out
}

func (r *reader) value(depth int) Value {
	if depth > maxDepth {
		r.fail(ErrTooDeep)
	}
	tag := r.u8()
	if r.err != nil {
		return nil
	}
	switch tag {
	case tagInt:
		return Int(r.u64())
	case tagFloat:
		return Float(r.u64())
	case tagTrue, tagFalse:
		return Bool(tag == tagTrue)
	case tagString:
		return String(r.text(r.limited(maxString)))
	case tagUnit:
		return Unit{}
	case tagList:
		return List(r.values(r.limited(maxItems), depth))
	case tagSet:
		return Set(r.values(r.limited(maxItems), depth))
	case tagTuple:
		return Tuple(r.values(int(r.u8()), depth))
	case tagMap:
		m := Map{KeyType: r.u8()}
		for count := r.limited(maxItems); count > 0 && r.err == nil; count-- {
			m.Entries = append(m.Entries, Entry{r.value(depth + 1), r.value(depth + 1)})
		}
		return m
	case tagStruct:
		s := Struct{Name: r.name()}
		for count := r.u16(); count > 0 && r.err == nil; count-- {
			s.Fields = append(s.Fields, Field{r.name(), r.value(depth + 1)})
		}
		return s
	case tagSum:
		return Sum{r.name(), r.u8(), r.values(r.u16(), depth)}
	case tagPID:
		return PID(wire.PIDFromBits(r.u64()))
	case tagSome:
		return Some{r.value(depth + 1)}
	case tagNone:
		return None{}
	case tagOk:
		return Ok{r.value(depth + 1)}
	case tagErr:
		return Err{r.value(depth + 1)}
	case tagClosure:
		r.fail(ErrClosure)
	default:
		r.fail(ErrInvalidTag)
	}
	return nil
}

// Encode writes a term. What no reader has to read is refused: closures (TERM-10), and what is too large or too deep.
func Encode(v Value) ([]byte, error) {
	w := writer{out: []byte{version}}
	w.value(v, 1)
	return w.out, w.err
}

type writer struct {
	out []byte
	err error
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

func (w *writer) u8(v int)     { w.out = append(w.out, byte(v)) }
func (w *writer) u16(v int)    { w.out = binary.LittleEndian.AppendUint16(w.out, uint16(v)) }
func (w *writer) u32(v int)    { w.out = binary.LittleEndian.AppendUint32(w.out, uint32(v)) }
func (w *writer) u64(v uint64) { w.out = binary.LittleEndian.AppendUint64(w.out, v) }

func (w *writer) count(n, limit int) int {
	if n > limit {
		w.fail(ErrTooLarge)
	}
	return n
}

func (w *writer) name(s string) {
	w.u16(w.count(len(s), math.MaxUint16))
	w.out = append(w.out, s...)
}

func (w *writer) values(items []Value, depth int) {
	for _, item := range items {
		if w.err != nil {
			return
		}
		w.value(item, depth+1)
	}
}

func (w *writer) value(v Value, depth int) {
	if depth > maxDepth {
		w.fail(ErrTooDeep)
		return
	}
	w.u8(int(v.tag()))
	switch v := v.(type) {
	case Int:
		w.u64(uint64(v))
	case Float:
		w.u64(uint64(v))
	case String:
		w.u32(w.count(len(v), maxString))
		w.out = append(w.out, v...)
	case List:
		w.u32(w.count(len(v), maxItems))
		w.values(v, depth)
	case Set:
		w.u32(w.count(len(v), maxItems))
		w.values(v, depth)
	case Tuple:
		w.u8(w.count(len(v), math.MaxUint8))
		w.values(v, depth)
	case Map:
		w.u8(int(v.KeyType))
		w.u32(w.count(len(v.Entries), maxItems))
		for _, e := range v.Entries {
			w.values([]Value{e.Key, e.Value}, depth)
		}
	case Struct:
		w.name(v.Name)
		w.u16(w.count(len(v.Fields), math.MaxUint16))
		for _, f := range v.Fields {
			w.name(f.Name)
			w.value(f.Value, depth+1)
		}
	case Sum:
		w.name(v.Name)
		w.u8(int(v.Variant))
		w.u16(w.count(len(v.Values), math.MaxUint16))
		w.values(v.Values, depth)
	case PID:
		w.u64(wire.PID(v).Bits())
	case Some:
		w.value(v.Value, depth+1)
	case Ok:
		w.value(v.Value, depth+1)
	case Err:
		w.value(v.Value, depth+1)
	case Closure:
		w.fail(ErrClosure)
	}
}

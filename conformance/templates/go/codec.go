// The bytes of every message: one table of layouts, and what reads and writes it. Knows no sockets and no control lines.

package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	handshakeLimit = 4096
	sessionLimit   = 16 << 20
)

// A field of a layout. Its kind is the type in the tables of spec/*.md: u8 to u64, pid, bytes[N], bytes(u16), bytes(rest),
// string(u16|u32|u64) or reason. Where there are records, it is a list of them, and the kind is that of their count.
type field struct {
	name, kind string
	records    []field
}

type layout struct {
	name   string
	fields []field
}

// fields holds a message's values by name: uint64, string, []byte, pid, []fields, or fields with a "kind" for a reason.
type fields map[string]any

type pid struct {
	NodeID   uint64 `json:"node_id"`
	Creation uint64 `json:"creation"`
	Local    uint64 `json:"local"`
}

// decodeError is what spec/control.md calls data.kind: empty, unknown_tag or malformed.
type decodeError string

func (e decodeError) Error() string { return string(e) }

var (
	text    = func(name string) field { return field{name, "string(u16)", nil} }
	ofPid   = func(name string) field { return field{name, "pid", nil} }
	of      = func(name, kind string) field { return field{name, kind, nil} }
	entry   = []field{text("name"), ofPid("pid"), text("owner")}
	link    = []field{ofPid("from"), ofPid("to")}
	monitor = []field{ofPid("from"), ofPid("to"), of("ref", "u64")}
)

// layouts has phase, tag, and then the name and fields of the message.
var layouts = map[string]map[byte]layout{
	"handshake": {
		0x01: {"NAME", []field{text("name"), of("creation", "u8")}},
		0x02: {"CHALLENGE", []field{text("name"), of("creation", "u8"), of("challenge", "bytes[32]")}},
		0x03: {"REPLY", []field{of("proof", "bytes[32]"), of("challenge", "bytes[32]")}},
		0x04: {"ACK", []field{of("proof", "bytes[32]")}},
	},
	"session": {
		0x10: {"SEND", []field{ofPid("target"), of("message", "bytes(rest)")}},
		0x11: {"REG_SEND", []field{text("name"), of("message", "bytes(rest)")}},
		0x12: {"PEER_LIST", []field{{"peers", "u16", []field{text("name")}}}},
		0x13: {"LINK", link},
		0x14: {"UNLINK", link},
		0x15: {"EXIT", []field{ofPid("from"), ofPid("to"), of("reason", "reason")}},
		0x16: {"MONITOR", monitor},
		0x17: {"DEMONITOR", monitor},
		0x18: {"MONITOR_EXIT", []field{ofPid("monitored"), ofPid("monitoring"), of("ref", "u64"), of("reason", "reason")}},
		0x19: {"SPAWN", []field{of("request", "u64"), ofPid("requester"), of("link", "u8"), of("function", "bytes(u16)"), of("args", "bytes(rest)")}},
		0x1A: {"SPAWN_REPLY", []field{of("request", "u64"), of("status", "u8"), of("local", "u64")}},
		0x1B: {"GLOBAL_REGISTER", entry},
		0x1C: {"GLOBAL_UNREGISTER", []field{text("name")}},
		0x1D: {"GLOBAL_SYNC", []field{{"entries", "u32", entry}}},
		0x1E: {"ROOM_BROADCAST", []field{text("room"), of("text", "string(u32)")}},
		0xF0: {"PING", []field{of("nonce", "bytes[8]")}},
		0xF1: {"PONG", []field{of("nonce", "bytes[8]")}},
	},
}

var reasons = map[byte]layout{
	0: {"normal", nil},
	1: {"error", []field{of("text", "string(u64)")}},
	2: {"killed", nil},
	3: {"linked", []field{ofPid("pid"), of("reason", "reason")}},
	4: {"shutdown", nil},
	5: {"custom", []field{of("text", "string(u64)")}},
	6: {"noconnection", nil},
}

// tagOf finds a layout by its name.
func tagOf(table map[byte]layout, name string) (byte, layout, bool) {
	for tag, found := range table {
		if found.name == name {
			return tag, found, true
		}
	}
	return 0, layout{}, false
}

func messageNamed(name string) (byte, layout, bool) {
	if tag, found, ok := tagOf(layouts["handshake"], name); ok {
		return tag, found, true
	}
	return tagOf(layouts["session"], name)
}

// reader takes bytes from the front, and nothing more after the first error.
type reader struct {
	data []byte
	err  error
}

func (r *reader) take(count uint64) []byte {
	if r.err != nil || count > uint64(len(r.data)) {
		r.err = decodeError("malformed")
		return nil
	}
	taken := r.data[:count]
	r.data = r.data[count:]
	return taken
}

// integer reads u8 to u64.
func (r *reader) integer(kind string) uint64 {
	var wide [8]byte
	copy(wide[:], r.take(widths[kind]))
	return binary.LittleEndian.Uint64(wide[:])
}

var widths = map[string]uint64{"u8": 1, "u16": 2, "u32": 4, "u64": 8}

// inner is u16 of string(u16), and 32 of bytes[32].
func inner(kind string) string { return kind[strings.IndexAny(kind, "([")+1 : len(kind)-1] }

func (r *reader) fields(of []field) fields {
	read := fields{}
	for _, one := range of {
		read[one.name] = r.value(one)
	}
	return read
}

func (r *reader) value(of field) any {
	switch kind := of.kind; {
	case of.records != nil:
		// An announced count is no promise: nothing is allocated for it.
		list := []fields{}
		for count := r.integer(kind); count > 0 && r.err == nil; count-- {
			list = append(list, r.fields(of.records))
		}
		return list
	case kind[0] == 'u':
		return r.integer(kind)
	case kind == "pid":
		whole := r.integer("u64")
		return pid{whole >> 48, whole >> 40 & 0xFF, whole & (1<<40 - 1)}
	case kind == "reason":
		reason, known := reasons[byte(r.integer("u8"))]
		if !known {
			r.err = decodeError("malformed")
			return nil
		}
		read := r.fields(reason.fields)
		read["kind"] = reason.name
		return read
	case kind == "bytes(rest)":
		return r.take(uint64(len(r.data)))
	case strings.HasPrefix(kind, "bytes["):
		count, _ := strconv.ParseUint(inner(kind), 10, 64)
		return r.take(count)
	case strings.HasPrefix(kind, "bytes("):
		return r.take(r.integer(inner(kind)))
	default:
		data := r.take(r.integer(inner(kind)))
		if !utf8.Valid(data) {
			r.err = decodeError("malformed")
		}
		return string(data)
	}
}

// write appends the values of a layout. They have been checked by whoever made them.
func write(to []byte, of []field, values fields) []byte {
	for _, one := range of {
		to = writeValue(to, one, values[one.name])
	}
	return to
}

func writeInteger(to []byte, kind string, value uint64) []byte {
	return append(to, binary.LittleEndian.AppendUint64(nil, value)[:widths[kind]]...)
}

func writeValue(to []byte, of field, value any) []byte {
	switch value := value.(type) {
	case []fields:
		to = writeInteger(to, of.kind, uint64(len(value)))
		for _, record := range value {
			to = write(to, of.records, record)
		}
		return to
	case uint64:
		return writeInteger(to, of.kind, value)
	case pid:
		return writeInteger(to, "u64", value.NodeID<<48|value.Creation<<40|value.Local)
	case fields:
		tag, reason, _ := tagOf(reasons, value["kind"].(string))
		return write(append(to, tag), reason.fields, value)
	case string:
		return append(writeInteger(to, inner(of.kind), uint64(len(value))), value...)
	case []byte:
		if of.kind == "bytes(u16)" {
			to = writeInteger(to, "u16", uint64(len(value)))
		}
		return append(to, value...)
	}
	panic(fmt.Sprintf("%s has no value", of.name))
}

// decode returns the message, its values and the bytes left over, which receivers ignore.
func decode(phase string, payload []byte) (layout, fields, []byte, error) {
	if len(payload) == 0 {
		return layout{}, nil, nil, decodeError("empty")
	}
	message, known := layouts[phase][payload[0]]
	if !known {
		return layout{}, nil, nil, decodeError("unknown_tag")
	}
	r := reader{data: payload[1:]}
	values := r.fields(message.fields)
	return message, values, r.data, r.err
}

// frames cuts all whole payloads out of a stream, and says how it ends: complete, incomplete or too_long.
func frames(phase string, stream []byte) (found [][]byte, end string) {
	limit := uint32(sessionLimit)
	if phase == "handshake" {
		limit = handshakeLimit
	}
	for len(stream) >= 4 {
		length := binary.LittleEndian.Uint32(stream)
		if length > limit {
			return found, "too_long"
		}
		if uint32(len(stream)-4) < length {
			return found, "incomplete"
		}
		found = append(found, stream[4:4+length])
		stream = stream[4+length:]
	}
	if len(stream) > 0 {
		return found, "incomplete"
	}
	return found, "complete"
}

func proof(cookie, challenge []byte) []byte {
	mac := hmac.New(sha256.New, cookie)
	mac.Write(challenge)
	return mac.Sum(nil)
}

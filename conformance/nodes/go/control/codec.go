package control

import (
	"encoding/binary"
	"encoding/json"
	"errors"

	"snow/node"
	"snow/term"
	"snow/wire"
)

func phaseOf(name string) (wire.Phase, error) {
	switch name {
	case "handshake":
		return wire.Handshake, nil
	case "session":
		return wire.Session, nil
	}
	return 0, &rpcError{Code: codeParams, Message: "unknown phase " + name}
}

func codecDecode(p struct {
	Phase *string
	Bytes *wire.Bytes
}) (any, error) {
	phase, err := phaseOf(*p.Phase)
	if err != nil {
		return nil, err
	}
	m, leftOver, err := wire.Decode(phase, *p.Bytes)
	switch {
	case errors.Is(err, wire.ErrEmpty):
		return nil, kindError(codeUndecodable, "empty")
	case errors.Is(err, wire.ErrUnknownTag):
		return nil, kindError(codeUndecodable, "unknown_tag")
	case err != nil:
		return nil, kindError(codeUndecodable, "malformed")
	}
	return map[string]any{"message": wire.Name(m), "fields": m, "left_over": wire.Bytes(leftOver)}, nil
}

func codecEncode(p struct {
	Message *string
	Fields  *json.RawMessage
}) (any, error) {
	m, err := wire.FromJSON(*p.Message, *p.Fields)
	if err != nil {
		return nil, &rpcError{Code: codeParams, Message: err.Error()}
	}
	payload, err := wire.Encode(m)
	return map[string]any{"bytes": wire.Bytes(payload)}, err
}

func codecFrames(p struct {
	Phase *string
	Bytes *wire.Bytes
}) (any, error) {
	phase, err := phaseOf(*p.Phase)
	if err != nil {
		return nil, err
	}
	frames, end := []wire.Bytes{}, ""
	for rest := []byte(*p.Bytes); end == ""; {
		switch {
		case len(rest) == 0:
			end = "complete"
		case len(rest) < wire.HeaderSize:
			end = "incomplete"
		default:
			length := uint64(binary.LittleEndian.Uint32(rest))
			behind := rest[wire.HeaderSize:]
			switch {
			case length > uint64(phase.Limit()):
				end = "too_long"
			case length > uint64(len(behind)):
				end = "incomplete"
			default:
				frames = append(frames, behind[:length])
				rest = behind[length:]
			}
		}
	}
	return map[string]any{"frames": frames, "end": end}, nil
}

func codecProof(p struct{ Cookie, Challenge *wire.Bytes }) (any, error) {
	return map[string]any{"proof": node.Proof(*p.Cookie, *p.Challenge)}, nil
}

func termDecode(p struct{ Bytes *wire.Bytes }) (any, error) {
	value, leftOver, err := term.Decode(*p.Bytes)
	if err != nil {
		return nil, kindError(codeUndecodable, err.Error())
	}
	return map[string]any{"term": json.RawMessage(term.AppendJSON(nil, value)), "left_over": wire.Bytes(leftOver)}, nil
}

func termEncode(p struct{ Term *json.RawMessage }) (any, error) {
	value, err := term.FromJSON(*p.Term)
	if err != nil {
		return nil, &rpcError{Code: codeParams, Message: err.Error()}
	}
	out, err := term.Encode(value)
	if err != nil {
		return nil, kindError(codeUnencodable, err.Error())
	}
	return map[string]any{"bytes": wire.Bytes(out)}, nil
}

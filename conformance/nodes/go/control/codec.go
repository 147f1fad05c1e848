package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

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
	frames := []wire.Bytes{}
	stream := bytes.NewReader(*p.Bytes)
	for {
		payload, err := wire.ReadFrame(stream, phase)
		if err == nil {
			frames = append(frames, payload)
			continue
		}
		end := "incomplete"
		switch err {
		case io.EOF:
			end = "complete"
		case wire.ErrTooLong:
			end = "too_long"
		}
		return map[string]any{"frames": frames, "end": end}, nil
	}
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

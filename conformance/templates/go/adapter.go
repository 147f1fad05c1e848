// The control lines of my-node: requests on standard input, answers on standard output (spec/control.md). Knows no bytes of the protocol.

package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// capabilities grows as methods come; what is claimed is judged.
var capabilities = []string{"codec"}

type request struct {
	ID     int64          `json:"id"`
	Method string         `json:"method"`
	Params map[string]any `json:"params"`
}

// rpcError is an error that a request is answered with.
type rpcError struct {
	Code    int            `json:"code"`
	Message string         `json:"message"`
	Data    map[string]any `json:"data,omitempty"`
}

func (e *rpcError) Error() string { return e.Message }

// Next: node.start, node.self, node.connect, node.list, barrier. A request that takes long must hold up no other: answer
// node.connect from a goroutine of its own, and let one goroutine alone write the answers.
var methods = map[string]func(params map[string]any) (any, error){
	"initialize":   initialize,
	"codec.decode": codecDecode,
	"codec.encode": codecEncode,
	"codec.frames": codecFrames,
	"codec.proof":  codecProof,
	"shutdown":     func(map[string]any) (any, error) { return map[string]any{}, nil },
}

func initialize(map[string]any) (any, error) {
	return map[string]any{
		"implementation": "my-node", "version": "0.1.0", "language": "Go",
		"protocol": 5, "control": 1, "capabilities": capabilities,
	}, nil
}

func codecDecode(params map[string]any) (any, error) {
	message, values, leftOver, err := decode(params["phase"].(string), unhex(params["bytes"]))
	if err != nil {
		return nil, &rpcError{-32020, "undecodable", map[string]any{"kind": err.Error()}}
	}
	return map[string]any{
		"message": message.name, "fields": toJSON(message.fields, values), "left_over": hex.EncodeToString(leftOver),
	}, nil
}

func codecEncode(params map[string]any) (any, error) {
	tag, message, known := messageNamed(params["message"].(string))
	if !known {
		return nil, errors.New("no such message")
	}
	values := fromJSON(message.fields, params["fields"].(map[string]any))
	return map[string]any{"bytes": hex.EncodeToString(write([]byte{tag}, message.fields, values))}, nil
}

func codecFrames(params map[string]any) (any, error) {
	found, end := frames(params["phase"].(string), unhex(params["bytes"]))
	payloads := []string{}
	for _, payload := range found {
		payloads = append(payloads, hex.EncodeToString(payload))
	}
	return map[string]any{"frames": payloads, "end": end}, nil
}

func codecProof(params map[string]any) (any, error) {
	return map[string]any{"proof": hex.EncodeToString(proof(unhex(params["cookie"]), unhex(params["challenge"])))}, nil
}

// toJSON writes values as control lines have them: bytes in hexadecimal, 64 bits as strings of digits.
func toJSON(of []field, values fields) map[string]any {
	written := map[string]any{}
	for _, one := range of {
		switch value := values[one.name].(type) {
		case []byte:
			written[one.name] = hex.EncodeToString(value)
		case []fields:
			list := []any{}
			for _, record := range value {
				list = append(list, toJSON(one.records, record))
			}
			written[one.name] = list
		case fields:
			_, reason, _ := tagOf(reasons, value["kind"].(string))
			inner := toJSON(reason.fields, value)
			inner["kind"] = value["kind"]
			written[one.name] = inner
		case uint64:
			written[one.name] = value
			if one.kind == "u64" {
				written[one.name] = strconv.FormatUint(value, 10)
			}
		default:
			written[one.name] = value
		}
	}
	return written
}

// fromJSON reads them back. What has the wrong type panics, and is answered as invalid params.
func fromJSON(of []field, written map[string]any) fields {
	values := fields{}
	for _, one := range of {
		value := written[one.name]
		switch {
		case one.records != nil:
			list := []fields{}
			for _, record := range value.([]any) {
				list = append(list, fromJSON(one.records, record.(map[string]any)))
			}
			values[one.name] = list
		case one.kind == "reason":
			reason := value.(map[string]any)
			_, layout, _ := tagOf(reasons, reason["kind"].(string))
			values[one.name] = fromJSON(layout.fields, reason)
			values[one.name].(fields)["kind"] = reason["kind"]
		case one.kind == "pid":
			parts := value.(map[string]any)
			values[one.name] = pid{number(parts["node_id"]), number(parts["creation"]), number(parts["local"])}
		case one.kind[0] == 'u':
			values[one.name] = number(value)
		case strings.HasPrefix(one.kind, "bytes"):
			values[one.name] = unhex(value)
		default:
			values[one.name] = value.(string)
		}
	}
	return values
}

func number(value any) uint64 {
	read, err := strconv.ParseUint(fmt.Sprint(value), 10, 64)
	if err != nil {
		panic(err)
	}
	return read
}

func unhex(value any) []byte {
	data, err := hex.DecodeString(value.(string))
	if err != nil {
		panic(err)
	}
	return data
}

func answer(asked request) (result any, err error) {
	method, known := methods[asked.Method]
	if !known {
		return nil, &rpcError{Code: -32601, Message: "unknown method " + asked.Method}
	}
	defer func() {
		if wrong := recover(); wrong != nil {
			err = &rpcError{Code: -32602, Message: fmt.Sprint("invalid params: ", wrong)}
		}
	}()
	return method(asked.Params)
}

func main() {
	input := bufio.NewReader(os.Stdin)
	output := json.NewEncoder(os.Stdout)
	for {
		line, err := input.ReadString('\n')
		if err != nil {
			return // The end of input means stop.
		}
		decoder := json.NewDecoder(strings.NewReader(line))
		decoder.UseNumber()
		var asked request
		if err := decoder.Decode(&asked); err != nil {
			fmt.Fprintln(os.Stderr, "no request:", err)
			continue
		}
		said := map[string]any{"jsonrpc": "2.0", "id": asked.ID}
		var refused *rpcError
		switch result, err := answer(asked); {
		case err == nil:
			said["result"] = result
		case errors.As(err, &refused):
			said["error"] = refused
		default:
			said["error"] = &rpcError{Code: -32000, Message: err.Error()}
		}
		output.Encode(said)
		if asked.Method == "shutdown" {
			return
		}
	}
}

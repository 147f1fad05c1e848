package term

import (
	"encoding/json"
	"fmt"
	"strconv"

	"snow/wire"
)

// AppendJSON writes a value in the control protocol's form. Its depth is bounded by Decode's.
func AppendJSON(out []byte, v Value) []byte {
	switch v := v.(type) {
	case Int:
		out = fmt.Appendf(out, `{"kind":"int","value":"%d"`, int64(v))
	case Float:
		out = fmt.Appendf(out, `{"kind":"float","value":"%016x"`, uint64(v))
	case Bool:
		out = fmt.Appendf(out, `{"kind":"%t"`, bool(v))
	case String:
		out = appendText(append(out, `{"kind":"string","text":`...), string(v))
	case Unit:
		out = append(out, `{"kind":"unit"`...)
	case List:
		out = appendItems(append(out, `{"kind":"list","items":`...), v)
	case Set:
		out = appendItems(append(out, `{"kind":"set","items":`...), v)
	case Tuple:
		out = appendItems(append(out, `{"kind":"tuple","items":`...), v)
	case Map:
		out = fmt.Appendf(out, `{"kind":"map","key_type":%d,"entries":[`, v.KeyType)
		for i, e := range v.Entries {
			out = AppendJSON(append(comma(out, i), `{"key":`...), e.Key)
			out = AppendJSON(append(out, `,"value":`...), e.Value)
			out = append(out, '}')
		}
		out = append(out, ']')
	case Struct:
		out = appendText(append(out, `{"kind":"struct","name":`...), v.Name)
		out = append(out, `,"fields":[`...)
		for i, f := range v.Fields {
			out = appendText(append(comma(out, i), `{"name":`...), f.Name)
			out = AppendJSON(append(out, `,"value":`...), f.Value)
			out = append(out, '}')
		}
		out = append(out, ']')
	case Sum:
		out = appendText(append(out, `{"kind":"sum","name":`...), v.Name)
		out = fmt.Appendf(out, `,"variant":%d,"values":`, v.Variant)
		out = appendItems(out, v.Values)
	case PID:
		out = fmt.Appendf(out, `{"kind":"pid","pid":{"node_id":%d,"creation":%d,"local":%d}`, v.Node, v.Creation, v.Local)
	case Some:
		out = AppendJSON(append(out, `{"kind":"some","value":`...), v.Value)
	case None:
		out = append(out, `{"kind":"none"`...)
	case Ok:
		out = AppendJSON(append(out, `{"kind":"ok","value":`...), v.Value)
	case Err:
		out = AppendJSON(append(out, `{"kind":"err","value":`...), v.Value)
	case Closure:
		out = append(out, `{"kind":"closure"`...)
	}
	return append(out, '}')
}

func appendItems(out []byte, items []Value) []byte {
	out = append(out, '[')
	for i, item := range items {
		out = AppendJSON(comma(out, i), item)
	}
	return append(out, ']')
}

func comma(out []byte, index int) []byte {
	if index > 0 {
		out = append(out, ',')
	}
	return out
}

func appendText(out []byte, s string) []byte {
	text, _ := json.Marshal(s) // strings always marshal
	return append(out, text...)
}

// form is a value as JSON has it: the fields of all kinds.
type form struct {
	Kind    string            `json:"kind"`
	Value   json.RawMessage   `json:"value"`
	Text    *string           `json:"text"`
	Items   []json.RawMessage `json:"items"`
	KeyType uint8             `json:"key_type"`
	Entries []struct {
		Key   json.RawMessage `json:"key"`
		Value json.RawMessage `json:"value"`
	} `json:"entries"`
	Name   string `json:"name"`
	Fields []struct {
		Name  string          `json:"name"`
		Value json.RawMessage `json:"value"`
	} `json:"fields"`
	Variant uint8             `json:"variant"`
	Values  []json.RawMessage `json:"values"`
	PID     wire.PID          `json:"pid"`
}

// FromJSON reads a value from the control protocol's form. Integers may be numbers, too, as in golden vectors.
func FromJSON(text []byte) (Value, error) {
	var f form
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, err
	}
	switch f.Kind {
	case "int":
		n, err := strconv.ParseInt(unquote(f.Value), 10, 64)
		return Int(n), err
	case "float":
		n, err := strconv.ParseUint(unquote(f.Value), 16, 64)
		return Float(n), err
	case "true", "false":
		return Bool(f.Kind == "true"), nil
	case "string":
		if f.Text == nil {
			return nil, fmt.Errorf("a string without text")
		}
		return String(*f.Text), nil
	case "unit":
		return Unit{}, nil
	case "list":
		items, err := fromItems(f.Items)
		return List(items), err
	case "set":
		items, err := fromItems(f.Items)
		return Set(items), err
	case "tuple":
		items, err := fromItems(f.Items)
		return Tuple(items), err
	case "map":
		m := Map{KeyType: f.KeyType}
		for _, e := range f.Entries {
			pair, err := fromItems([]json.RawMessage{e.Key, e.Value})
			if err != nil {
				return nil, err
			}
			m.Entries = append(m.Entries, Entry{pair[0], pair[1]})
		}
		return m, nil
	case "struct":
		s := Struct{Name: f.Name}
		for _, field := range f.Fields {
			v, err := FromJSON(field.Value)
			if err != nil {
				return nil, err
			}
			s.Fields = append(s.Fields, Field{field.Name, v})
		}
		return s, nil
	case "sum":
		values, err := fromItems(f.Values)
		return Sum{f.Name, f.Variant, values}, err
	case "pid":
		return PID(f.PID), nil
	case "some":
		v, err := FromJSON(f.Value)
		return Some{v}, err
	case "none":
		return None{}, nil
	case "ok":
		v, err := FromJSON(f.Value)
		return Ok{v}, err
	case "err":
		v, err := FromJSON(f.Value)
		return Err{v}, err
	case "closure":
		return Closure{}, nil
	}
	return nil, fmt.Errorf("unknown kind of value %q", f.Kind)
}

func unquote(raw []byte) string {
	if len(raw) >= 2 && raw[0] == '"' {
		raw = raw[1 : len(raw)-1]
	}
	return string(raw)
}

func fromItems(raw []json.RawMessage) ([]Value, error) {
	out := make([]Value, 0, len(raw))
	for _, item := range raw {
		v, err := FromJSON(item)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

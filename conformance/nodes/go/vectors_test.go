package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"snow/node"
	"snow/term"
	"snow/wire"
)

// blob is some bytes: long ones are known by their hash.
type blob struct {
	Plain  *wire.Bytes
	Length int
	SHA256 wire.Bytes
}

// UnmarshalJSON reads hexadecimal digits, or a length and a hash.
func (b *blob) UnmarshalJSON(text []byte) error {
	if text[0] == '"' {
		b.Plain = new(wire.Bytes)
		return b.Plain.UnmarshalJSON(text)
	}
	type plain blob
	return json.Unmarshal(text, (*plain)(b))
}

type segment struct{ Hex blob }

func blobs(segments []segment) (out []blob) {
	for _, s := range segments {
		out = append(out, s.Hex)
	}
	return out
}

type stream struct {
	ID, Phase, End string
	Parts          []struct {
		Frame, Bytes *wire.Bytes
		Length       uint32
	}
	Cuts           []int
	Chunks, Frames []blob
}

type vector struct {
	ID       string
	Phase    string
	Message  string
	Fields   json.RawMessage
	Term     json.RawMessage
	Sendable *bool
	Verdict  string
	LeftOver wire.Bytes `json:"left_over"`
	Payload  *wire.Bytes
	Segments []segment
}

type side struct {
	Name              string
	Creation          uint8
	Cookie, Challenge wire.Bytes
}

type family struct {
	Vectors     []vector
	Terms       []vector
	Streams     []stream
	Transcripts []struct {
		ID                  string
		Initiator, Acceptor side
		Outcome             string
		Steps               []struct {
			From, Message string
			Segments      []segment
			HMAC          *struct {
				Key           blob
				Input, Output wire.Bytes
			}
			Expected wire.Bytes
		}
	}
}

// vectorsDir is SNOW_VECTORS, or a folder to which the vectors have been exported.
func vectorsDir(t *testing.T) string {
	if dir := os.Getenv("SNOW_VECTORS"); dir != "" {
		return dir
	}
	dir := t.TempDir()
	export := exec.Command("cargo", "xtask", "vectors", "export", "--json", dir)
	export.Stderr = os.Stderr
	if err := export.Run(); err != nil {
		t.Fatalf("exporting the vectors: %v", err)
	}
	return dir
}

func load(t *testing.T) map[string]family {
	paths, err := filepath.Glob(filepath.Join(vectorsDir(t), "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	families := map[string]family{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var f family
		if err := json.Unmarshal(expanded(t, text), &f); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		families[strings.TrimSuffix(filepath.Base(path), ".json")] = f
	}
	return families
}

// expand gives the value for which a shorthand ({repeat, times}, {nest, times, around}) stands.
func expand(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = expand(v[i])
		}
	case map[string]any:
		if what, ok := v["repeat"]; ok {
			return repeat(expand(what), count(v["times"]))
		}
		if what, ok := v["nest"]; ok {
			inner := expand(v["around"])
			for range count(v["times"]) {
				inner = fill(what, inner)
			}
			return inner
		}
		for key := range v {
			v[key] = expand(v[key])
		}
	}
	return v
}

func count(times any) int {
	n, _ := times.(json.Number).Int64()
	return int(n)
}

func repeat(what any, times int) any {
	if text, ok := what.(string); ok {
		return strings.Repeat(text, times)
	}
	out := []any{}
	for range times {
		out = append(out, what.([]any)...)
	}
	return out
}

// fill copies a value with another one in the place of its null.
func fill(v, inner any) any {
	switch v := v.(type) {
	case nil:
		return inner
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = fill(v[i], inner)
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for key := range v {
			out[key] = fill(v[key], inner)
		}
		return out
	}
	return v
}

func expanded(t *testing.T, text json.RawMessage) []byte {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(expand(v))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// same compares bytes with a vector's parts, of which long ones are known by their hash; left-over bytes are among them.
func same(t *testing.T, b []byte, parts []blob) {
	t.Helper()
	for _, s := range parts {
		length := s.Length
		if s.Plain != nil {
			length = len(*s.Plain)
		}
		if length > len(b) {
			t.Fatalf("%d bytes are missing", length-len(b))
		}
		part := b[:length]
		b = b[length:]
		if hash := sha256.Sum256(part); s.Plain != nil && !bytes.Equal(part, *s.Plain) || s.Plain == nil && !bytes.Equal(hash[:], s.SHA256) {
			t.Fatalf("%x is not what the vector has", part[:min(64, len(part))])
		}
	}
	if len(b) > 0 {
		t.Fatalf("%d bytes too many", len(b))
	}
}

func phase(name string) wire.Phase {
	if name == "handshake" {
		return wire.Handshake
	}
	return wire.Session
}

func TestVectors(t *testing.T) {
	counts := map[string]int{}
	for name, f := range load(t) {
		for _, v := range f.Vectors {
			counts["messages"]++
			t.Run(v.ID, func(t *testing.T) { checkMessage(t, v) })
		}
		for _, v := range f.Terms {
			counts["terms"]++
			t.Run(v.ID, func(t *testing.T) { checkTerm(t, v) })
		}
		for _, s := range f.Streams {
			counts["streams"]++
			t.Run(s.ID, func(t *testing.T) { checkStream(t, s) })
		}
		for _, transcript := range f.Transcripts {
			counts["transcripts"]++
			for _, step := range transcript.Steps {
				if step.HMAC == nil {
					continue
				}
				counts["proofs"]++
				key := transcript.Initiator.Cookie
				if step.From == "acceptor" {
					key = transcript.Acceptor.Cookie
				}
				same(t, key, []blob{step.HMAC.Key})
				proof := node.Proof(key, step.HMAC.Input)
				if !bytes.Equal(proof[:], step.HMAC.Output) {
					t.Errorf("%s: proof of %s is %x", transcript.ID, step.Message, proof)
				}
			}
		}
		counts["families"]++
		t.Logf("%s: %d messages, %d terms, %d streams, %d transcripts",
			name, len(f.Vectors), len(f.Terms), len(f.Streams), len(f.Transcripts))
	}
	for _, what := range []string{"families", "messages", "terms", "streams", "transcripts", "proofs"} {
		if counts[what] == 0 {
			t.Errorf("no %s were seen", what)
		}
	}
	t.Logf("checked: %v", counts)
}

func checkStream(t *testing.T, s stream) {
	var whole []byte
	for _, part := range s.Parts {
		switch {
		case part.Frame != nil:
			whole = binary.LittleEndian.AppendUint32(whole, uint32(len(*part.Frame)))
			whole = append(whole, *part.Frame...)
		case part.Bytes != nil:
			whole = append(whole, *part.Bytes...)
		default:
			whole = binary.LittleEndian.AppendUint32(whole, part.Length)
		}
	}
	var pieces []io.Reader
	begin := 0
	for i, end := range append(s.Cuts, len(whole)) {
		same(t, whole[begin:end], s.Chunks[i:i+1])
		pieces = append(pieces, bytes.NewReader(whole[begin:end]))
		begin = end
	}
	end := ""
	for input := io.MultiReader(pieces...); end == ""; {
		payload, err := wire.ReadFrame(input, phase(s.Phase))
		switch err {
		case nil:
			if len(s.Frames) == 0 {
				t.Fatalf("one frame too many: %x", payload)
			}
			same(t, payload, s.Frames[:1])
			s.Frames = s.Frames[1:]
		case io.EOF:
			end = "complete"
		case wire.ErrTooLong:
			end = "too_long"
		default:
			end = "incomplete"
		}
	}
	if end != s.End || len(s.Frames) > 0 {
		t.Fatalf("ended %s, with %d frames to come; want %s", end, len(s.Frames), s.End)
	}
}

func checkMessage(t *testing.T, v vector) {
	if v.Payload != nil {
		m, leftOver, err := wire.Decode(phase(v.Phase), *v.Payload)
		verdict := "valid"
		switch {
		case errors.Is(err, wire.ErrEmpty):
			verdict = "empty"
		case errors.Is(err, wire.ErrUnknownTag):
			verdict = "unknown_tag"
		case err != nil:
			verdict = "malformed"
		}
		if verdict != v.Verdict {
			t.Fatalf("decoded as %s, want %s", verdict, v.Verdict)
		}
		if err != nil {
			return
		}
		if wire.Name(m) != v.Message || !bytes.Equal(leftOver, v.LeftOver) {
			t.Fatalf("decoded as %s with %x left over", wire.Name(m), leftOver)
		}
		want, err := wire.FromJSON(v.Message, v.Fields)
		if err != nil {
			t.Fatal(err)
		}
		got, _ := json.Marshal(m)
		wanted, _ := json.Marshal(want)
		if !bytes.Equal(got, wanted) {
			t.Fatalf("decoded as %s, want %s", got, wanted)
		}
	}
	if v.Verdict == "valid" && (v.Sendable == nil || *v.Sendable) && len(v.Fields) > 0 {
		m, err := wire.FromJSON(v.Message, v.Fields)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := wire.Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		if v.Payload != nil && !bytes.Equal(append(payload, v.LeftOver...), *v.Payload) {
			t.Fatalf("encoded as %x, want %x", payload, *v.Payload)
		}
		if v.Payload == nil && len(v.Segments) > 0 {
			same(t, append(payload, v.LeftOver...), blobs(v.Segments))
		}
	}
}

func checkTerm(t *testing.T, v vector) {
	var want term.Value
	if len(v.Term) > 0 {
		var err error
		if want, err = term.FromJSON(v.Term); err != nil {
			t.Fatal(err)
		}
	}
	if v.Payload != nil {
		got, leftOver, err := term.Decode(*v.Payload)
		verdict := "valid"
		if err != nil {
			verdict = err.Error()
		}
		if verdict != v.Verdict {
			t.Fatalf("decoded as %s, want %s", verdict, v.Verdict)
		}
		if err == nil {
			if !bytes.Equal(leftOver, v.LeftOver) {
				t.Fatalf("%x left over", leftOver)
			}
			if a, b := term.AppendJSON(nil, got), term.AppendJSON(nil, want); !bytes.Equal(a, b) {
				t.Fatalf("decoded as %s, want %s", a, b)
			}
		}
	}
	switch v.Verdict {
	case "refused":
		if _, err := term.Encode(want); !errors.Is(err, term.ErrClosure) {
			t.Fatalf("a closure was not refused: %v", err)
		}
	case "valid":
		out, err := term.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, v.LeftOver...)
		if v.Payload != nil && !bytes.Equal(out, *v.Payload) {
			t.Fatalf("encoded as %s, want %s", hex.EncodeToString(out), hex.EncodeToString(*v.Payload))
		}
		if v.Payload == nil {
			same(t, out, blobs(v.Segments))
		}
	}
}

package wire

import (
	"encoding/binary"
	"errors"
	"io"
)

// ErrTooLong is a frame that is announced longer than its phase allows.
var ErrTooLong = errors.New("a frame is announced longer than the limit")

// firstPiece is how much is allocated on an announced length alone (FRAME-23).
const firstPiece = 16 << 10

// ReadFrame gives the next payload of a stream, which may be empty. What it allocates grows with what has come.
// The error is io.EOF when the stream ends between frames, io.ErrUnexpectedEOF when it ends within one, and ErrTooLong.
func ReadFrame(stream io.Reader, phase Phase) ([]byte, error) {
	var header [HeaderSize]byte
	if _, err := io.ReadFull(stream, header[:]); err != nil {
		return nil, err
	}
	announced := binary.LittleEndian.Uint32(header[:])
	if announced > uint32(phase.Limit()) {
		return nil, ErrTooLong
	}
	length := int(announced)
	payload := make([]byte, min(length, firstPiece))
	for filled := 0; filled < length; {
		if filled == len(payload) {
			grown := make([]byte, min(length, 2*filled))
			copy(grown, payload)
			payload = grown
		}
		n, err := io.ReadFull(stream, payload[filled:])
		if filled += n; err == io.EOF {
			return nil, io.ErrUnexpectedEOF
		} else if err != nil {
			return nil, err
		}
	}
	return payload, nil
}

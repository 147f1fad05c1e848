package wire

import (
	"encoding/binary"
	"iter"
	"reflect"
)

// Message is one of the structs below. Its fields are named in JSON as in the tables of the spec.
type Message interface {
	decode(*reader)
	encode(*writer)
	sizeHint() int // bytes, about: to allocate once
}

type kind struct {
	tag   uint8
	name  string
	phase Phase
	make  func() Message
}

// TagGlobalSync is known by its number, since its entries are read one by one.
const TagGlobalSync = 0x1D

var kinds = []kind{
	{0x01, "NAME", Handshake, func() Message { return new(NameMessage) }},
	{0x02, "CHALLENGE", Handshake, func() Message { return new(Challenge) }},
	{0x03, "REPLY", Handshake, func() Message { return new(Reply) }},
	{0x04, "ACK", Handshake, func() Message { return new(Ack) }},
	{0x10, "SEND", Session, func() Message { return new(Send) }},
	{0x11, "REG_SEND", Session, func() Message { return new(RegSend) }},
	{0x12, "PEER_LIST", Session, func() Message { return new(PeerList) }},
	{0x13, "LINK", Session, func() Message { return new(Link) }},
	{0x14, "UNLINK", Session, func() Message { return new(Unlink) }},
	{0x15, "EXIT", Session, func() Message { return new(Exit) }},
	{0x16, "MONITOR", Session, func() Message { return new(Monitor) }},
	{0x17, "DEMONITOR", Session, func() Message { return new(Demonitor) }},
	{0x18, "MONITOR_EXIT", Session, func() Message { return new(MonitorExit) }},
	{0x19, "SPAWN", Session, func() Message { return new(Spawn) }},
	{0x1A, "SPAWN_REPLY", Session, func() Message { return new(SpawnReply) }},
	{0x1B, "GLOBAL_REGISTER", Session, func() Message { return new(GlobalRegister) }},
	{0x1C, "GLOBAL_UNREGISTER", Session, func() Message { return new(GlobalUnregister) }},
	{TagGlobalSync, "GLOBAL_SYNC", Session, func() Message { return new(GlobalSync) }},
	{0x1E, "ROOM_BROADCAST", Session, func() Message { return new(RoomBroadcast) }},
	{0xF0, "PING", Session, func() Message { return new(Ping) }},
	{0xF1, "PONG", Session, func() Message { return new(Pong) }},
}

var (
	kindsByTag  = map[uint8]kind{}
	kindsByName = map[string]kind{}
	namesByType = map[reflect.Type]string{}
)

func init() {
	for _, k := range kinds {
		kindsByTag[k.tag] = k
		kindsByName[k.name] = k
		namesByType[reflect.TypeOf(k.make())] = k.name
	}
}

// Name is the message's name in the spec.
func Name(m Message) string { return namesByType[reflect.TypeOf(m)] }

// Nonce is what PONG repeats of PING.
type Nonce [8]byte

// MarshalJSON writes hexadecimal digits.
func (n Nonce) MarshalJSON() ([]byte, error) { return Bytes(n[:]).MarshalJSON() }

// UnmarshalJSON reads hexadecimal digits.
func (n *Nonce) UnmarshalJSON(text []byte) error { return unmarshalArray(n[:], text) }

// Hash holds a challenge or a proof.
type Hash [32]byte

// MarshalJSON writes hexadecimal digits.
func (h Hash) MarshalJSON() ([]byte, error) { return Bytes(h[:]).MarshalJSON() }

// UnmarshalJSON reads hexadecimal digits.
func (h *Hash) UnmarshalJSON(text []byte) error { return unmarshalArray(h[:], text) }

func unmarshalArray(array, text []byte) error {
	var b Bytes
	if err := b.UnmarshalJSON(text); err != nil {
		return err
	}
	if len(b) != len(array) {
		return ErrUnencodable
	}
	copy(array, b)
	return nil
}

func (r *reader) hash() (h Hash) {
	copy(h[:], r.take(uint64(len(h))))
	return h
}

func (r *reader) nonce() (n Nonce) {
	copy(n[:], r.take(uint64(len(n))))
	return n
}

// NameMessage is NAME.
type NameMessage struct {
	Name     string `json:"name"`
	Creation uint8  `json:"creation"`
}

func (m *NameMessage) decode(r *reader) { m.Name, m.Creation = r.string16(), r.u8() }
func (m *NameMessage) encode(w *writer) { w.string16(m.Name); w.u8(m.Creation) }
func (m *NameMessage) sizeHint() int    { return 4 + len(m.Name) }

// Challenge is CHALLENGE.
type Challenge struct {
	Name      string `json:"name"`
	Creation  uint8  `json:"creation"`
	Challenge Hash   `json:"challenge"`
}

func (m *Challenge) decode(r *reader) {
	m.Name, m.Creation, m.Challenge = r.string16(), r.u8(), r.hash()
}

func (m *Challenge) encode(w *writer) {
	w.string16(m.Name)
	w.u8(m.Creation)
	w.bytes(m.Challenge[:])
}
func (m *Challenge) sizeHint() int { return 36 + len(m.Name) }

// Reply is REPLY.
type Reply struct {
	Proof     Hash `json:"proof"`
	Challenge Hash `json:"challenge"`
}

func (m *Reply) decode(r *reader) { m.Proof, m.Challenge = r.hash(), r.hash() }
func (m *Reply) encode(w *writer) { w.bytes(m.Proof[:]); w.bytes(m.Challenge[:]) }
func (m *Reply) sizeHint() int    { return 65 }

// Ack is ACK.
type Ack struct {
	Proof Hash `json:"proof"`
}

func (m *Ack) decode(r *reader) { m.Proof = r.hash() }
func (m *Ack) encode(w *writer) { w.bytes(m.Proof[:]) }
func (m *Ack) sizeHint() int    { return 33 }

// PeerList is PEER_LIST.
type PeerList struct {
	Peers []Peer `json:"peers"`
}

// Peer is an entry of PEER_LIST.
type Peer struct {
	Name string `json:"name"`
}

func (m *PeerList) decode(r *reader) {
	m.Peers = []Peer{}
	for count := r.u16(); count > 0 && r.err == nil; count-- {
		m.Peers = append(m.Peers, Peer{r.string16()})
	}
}

func (m *PeerList) encode(w *writer) {
	w.fits(len(m.Peers), 1<<16-1)
	w.u16(uint16(len(m.Peers)))
	for _, p := range m.Peers {
		w.string16(p.Name)
	}
}
func (m *PeerList) sizeHint() int { return 3 + 32*len(m.Peers) }

// Ping is PING.
type Ping struct {
	Nonce Nonce `json:"nonce"`
}

func (m *Ping) decode(r *reader) { m.Nonce = r.nonce() }
func (m *Ping) encode(w *writer) { w.bytes(m.Nonce[:]) }
func (m *Ping) sizeHint() int    { return 9 }

// Pong is PONG.
type Pong struct {
	Nonce Nonce `json:"nonce"`
}

func (m *Pong) decode(r *reader) { m.Nonce = r.nonce() }
func (m *Pong) encode(w *writer) { w.bytes(m.Nonce[:]) }
func (m *Pong) sizeHint() int    { return 9 }

// Send is SEND.
type Send struct {
	Target  PID   `json:"target"`
	Message Bytes `json:"message"`
}

func (m *Send) decode(r *reader) { m.Target, m.Message = r.pid(), r.remaining() }
func (m *Send) encode(w *writer) { w.pid(m.Target); w.bytes(m.Message) }
func (m *Send) sizeHint() int    { return 9 + len(m.Message) }

// RegSend is REG_SEND.
type RegSend struct {
	Name    string `json:"name"`
	Message Bytes  `json:"message"`
}

func (m *RegSend) decode(r *reader) { m.Name, m.Message = r.string16(), r.remaining() }
func (m *RegSend) encode(w *writer) { w.string16(m.Name); w.bytes(m.Message) }
func (m *RegSend) sizeHint() int    { return 3 + len(m.Name) + len(m.Message) }

// Link is LINK.
type Link struct {
	From PID `json:"from"`
	To   PID `json:"to"`
}

func (m *Link) decode(r *reader) { m.From, m.To = r.pid(), r.pid() }
func (m *Link) encode(w *writer) { w.pid(m.From); w.pid(m.To) }
func (m *Link) sizeHint() int    { return 17 }

// Unlink is UNLINK.
type Unlink struct {
	From PID `json:"from"`
	To   PID `json:"to"`
}

func (m *Unlink) decode(r *reader) { m.From, m.To = r.pid(), r.pid() }
func (m *Unlink) encode(w *writer) { w.pid(m.From); w.pid(m.To) }
func (m *Unlink) sizeHint() int    { return 17 }

// Exit is EXIT.
type Exit struct {
	From   PID     `json:"from"`
	To     PID     `json:"to"`
	Reason *Reason `json:"reason"`
}

func (m *Exit) decode(r *reader) { m.From, m.To, m.Reason = r.pid(), r.pid(), r.reason() }
func (m *Exit) encode(w *writer) { w.pid(m.From); w.pid(m.To); w.reason(m.Reason) }
func (m *Exit) sizeHint() int    { return 17 + m.Reason.Size() }

// Monitor is MONITOR.
type Monitor struct {
	From PID `json:"from"`
	To   PID `json:"to"`
	Ref  U64 `json:"ref"`
}

func (m *Monitor) decode(r *reader) { m.From, m.To, m.Ref = r.pid(), r.pid(), U64(r.u64()) }
func (m *Monitor) encode(w *writer) { w.pid(m.From); w.pid(m.To); w.u64(uint64(m.Ref)) }
func (m *Monitor) sizeHint() int    { return 25 }

// Demonitor is DEMONITOR.
type Demonitor struct {
	From PID `json:"from"`
	To   PID `json:"to"`
	Ref  U64 `json:"ref"`
}

func (m *Demonitor) decode(r *reader) { m.From, m.To, m.Ref = r.pid(), r.pid(), U64(r.u64()) }
func (m *Demonitor) encode(w *writer) { w.pid(m.From); w.pid(m.To); w.u64(uint64(m.Ref)) }
func (m *Demonitor) sizeHint() int    { return 25 }

// MonitorExit is MONITOR_EXIT.
type MonitorExit struct {
	Monitored  PID     `json:"monitored"`
	Monitoring PID     `json:"monitoring"`
	Ref        U64     `json:"ref"`
	Reason     *Reason `json:"reason"`
}

func (m *MonitorExit) decode(r *reader) {
	m.Monitored, m.Monitoring, m.Ref, m.Reason = r.pid(), r.pid(), U64(r.u64()), r.reason()
}

func (m *MonitorExit) encode(w *writer) {
	w.pid(m.Monitored)
	w.pid(m.Monitoring)
	w.u64(uint64(m.Ref))
	w.reason(m.Reason)
}
func (m *MonitorExit) sizeHint() int { return 25 + m.Reason.Size() }

// Spawn is SPAWN.
type Spawn struct {
	Request   U64   `json:"request"`
	Requester PID   `json:"requester"`
	Link      uint8 `json:"link"`
	Function  Bytes `json:"function"`
	Args      Bytes `json:"args"`
}

func (m *Spawn) decode(r *reader) {
	m.Request, m.Requester, m.Link = U64(r.u64()), r.pid(), r.u8()
	m.Function, m.Args = r.bytes16(), r.remaining()
}

func (m *Spawn) encode(w *writer) {
	w.u64(uint64(m.Request))
	w.pid(m.Requester)
	w.u8(m.Link)
	w.bytes16(m.Function)
	w.bytes(m.Args)
}
func (m *Spawn) sizeHint() int { return 20 + len(m.Function) + len(m.Args) }

// SpawnReply is SPAWN_REPLY.
type SpawnReply struct {
	Request U64   `json:"request"`
	Status  uint8 `json:"status"`
	Local   U64   `json:"local"`
}

func (m *SpawnReply) decode(r *reader) {
	m.Request, m.Status, m.Local = U64(r.u64()), r.u8(), U64(r.u64())
}

func (m *SpawnReply) encode(w *writer) {
	w.u64(uint64(m.Request))
	w.u8(m.Status)
	w.u64(uint64(m.Local))
}
func (m *SpawnReply) sizeHint() int { return 18 }

// Entry is a global name: an entry of GLOBAL_SYNC, and all that GLOBAL_REGISTER holds.
type Entry struct {
	Name  string `json:"name"`
	PID   PID    `json:"pid"`
	Owner string `json:"owner"`
}

func (e *Entry) decode(r *reader) { e.Name, e.PID, e.Owner = r.string16(), r.pid(), r.string16() }
func (e *Entry) encode(w *writer) { w.string16(e.Name); w.pid(e.PID); w.string16(e.Owner) }

// Size is the number of bytes that the entry takes in a GLOBAL_SYNC.
func (e *Entry) Size() int { return 12 + len(e.Name) + len(e.Owner) }

// GlobalRegister is GLOBAL_REGISTER.
type GlobalRegister struct{ Entry }

func (m *GlobalRegister) sizeHint() int { return 1 + m.Size() }

// GlobalUnregister is GLOBAL_UNREGISTER.
type GlobalUnregister struct {
	Name string `json:"name"`
}

func (m *GlobalUnregister) decode(r *reader) { m.Name = r.string16() }
func (m *GlobalUnregister) encode(w *writer) { w.string16(m.Name) }
func (m *GlobalUnregister) sizeHint() int    { return 3 + len(m.Name) }

// GlobalSync is GLOBAL_SYNC. A node reads it by SyncEntries and writes it by AppendSyncHeader and AppendSyncEntry:
// as a whole it is for small ones only.
type GlobalSync struct {
	Entries []Entry `json:"entries"`
}

func (m *GlobalSync) decode(r *reader) {
	m.Entries = []Entry{}
	for count := r.u32(); count > 0 && r.err == nil; count-- {
		var e Entry
		e.decode(r)
		m.Entries = append(m.Entries, e)
	}
}

func (m *GlobalSync) encode(w *writer) {
	w.u32(uint32(len(m.Entries)))
	for _, e := range m.Entries {
		e.encode(w)
	}
}
func (m *GlobalSync) sizeHint() int { return SyncOverhead + 64*len(m.Entries) }

// SyncOverhead is what a GLOBAL_SYNC's payload takes besides its entries: tag and count.
const SyncOverhead = 5

// SyncEntries gives the entries of a GLOBAL_SYNC one by one, up to the first that is malformed.
func SyncEntries(payload []byte) iter.Seq[Entry] {
	return func(yield func(Entry) bool) {
		r := reader{rest: payload[1:]}
		for count := r.u32(); count > 0; count-- {
			var e Entry
			if e.decode(&r); r.err != nil || !yield(e) {
				return
			}
		}
	}
}

// AppendSyncHeader begins the frame of a GLOBAL_SYNC of so many entries, which take that many bytes together.
func AppendSyncHeader(out []byte, count, size int) []byte {
	out = binary.LittleEndian.AppendUint32(out, uint32(SyncOverhead+size))
	out = append(out, TagGlobalSync)
	return binary.LittleEndian.AppendUint32(out, uint32(count))
}

// AppendSyncEntry writes the next entry.
func AppendSyncEntry(out []byte, e Entry) []byte {
	w := writer{out: out}
	e.encode(&w)
	return w.out
}

// RoomBroadcast is ROOM_BROADCAST.
type RoomBroadcast struct {
	Room string `json:"room"`
	Text string `json:"text"`
}

func (m *RoomBroadcast) decode(r *reader) { m.Room, m.Text = r.string16(), r.string32() }
func (m *RoomBroadcast) encode(w *writer) { w.string16(m.Room); w.string32(m.Text) }
func (m *RoomBroadcast) sizeHint() int    { return 7 + len(m.Room) + len(m.Text) }

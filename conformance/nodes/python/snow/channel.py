"""One TCP connection with TLS on it: frames in, frames out, both bounded.

TLS runs on memory BIOs rather than in asyncio's own SSL transport, so that the clock of HS-28 runs from TCP accept, a stalled
connection costs no 256 KiB buffer (RES-6), and what waits for a peer is counted in one place (MEM-38, RES-7).
"""

import asyncio
import datetime
import os
import ssl
import tempfile
from collections import deque
from collections.abc import Callable, Iterator

SERVER_NAME = "snow-node"
READ_AHEAD = 256 * 1024  # plaintext that is kept while its reader is busy
PATIENCE = (
    64 * 1024 * 1024
)  # bytes that wait for a peer before it is given up; MEM-38 asks for 32 MiB, RES-7 allows 256
LINGER = 1.0  # seconds in which the last bytes may still leave
_PIECE = 64 * 1024


class Closed(Exception):
    """The connection has ended, or has to end."""


def acceptor_context() -> ssl.SSLContext:
    """TLS 1.2 and 1.3, a fresh self-signed P-256 certificate, no question for the client's (FRAME-1, FRAME-3, FRAME-7)."""
    from cryptography import x509  # here, since a node that only decodes vectors needs neither
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, SERVER_NAME)])
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + 3650 * day)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, none = serialization.Encoding.PEM, serialization.NoEncryption()
    context = _context(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:  # the ssl module reads certificates from files only
        file.write(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, none) + certificate.public_bytes(pem))
        file.flush()
        context.load_cert_chain(file.name)
    return context


def initiator_context() -> ssl.SSLContext:
    """Takes any certificate, of any key size; OpenSSL still verifies the handshake's signature (FRAME-5, FRAME-6)."""
    context = _context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    return context


def _context(protocol: int) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if protocol == ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    return context


class Channel(asyncio.Protocol):
    """Frames over TLS. One task reads; anybody sends, and sending never waits."""

    def __init__(self, context: ssl.SSLContext, accepted: Callable[["Channel"], None] | None = None):
        self.loop = asyncio.get_running_loop()
        self.born = self.loop.time()
        self.closed = False  # here or by the transport: nothing more is sent
        self.overflow: Callable[[], None] = self.abort  # called once when more than PATIENCE waits
        self.waiting = 0  # bytes of frames that the peer has not taken, streams apart
        self._accepted = accepted
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._incoming, self._outgoing, accepted is not None, None if accepted else SERVER_NAME
        )
        self._secure = False
        self._over = False  # nothing more will be decrypted
        self._plain = bytearray()
        self._reader: asyncio.Future | None = None  # of the task that waits for bytes
        self._idle: list[asyncio.Future] = []
        self._queue: deque[bytes | bytearray | Iterator[bytes]] = deque()
        self._current = memoryview(b"")
        self._counted = False  # whether _current is part of `waiting`
        self._full = False
        self._flushing = False  # soon
        self._overflown = False
        self.gone = self.loop.create_future()  # done when the file descriptor is given back

    # What the event loop calls.

    def connection_made(self, transport):
        self.transport = transport
        transport.set_write_buffer_limits(high=4 * _PIECE)
        if self._accepted:
            self._accepted(self)
        else:
            self._pump()

    def data_received(self, data):
        if not self._over:
            self._incoming.write(data)
            self._pump()
        if self._reader is None and len(self._plain) > READ_AHEAD:
            self.transport.pause_reading()

    def eof_received(self):
        self._end_of_input()  # and the transport closes itself: a half-closed connection is a closed one (MEM-40)

    def connection_lost(self, error):
        self.closed = True
        self._end_of_input()
        if not self.gone.done():
            self.gone.set_result(None)

    def pause_writing(self):
        self._full = True

    def resume_writing(self):
        self._full = False
        self._flush()

    # Reading.

    def _pump(self):
        """Decrypts all that has come; an error or close_notify ends the input, behind the frames before it (RES-1)."""
        try:
            if not self._secure:
                self._tls.do_handshake()
                self._secure = True
            while piece := self._tls.read(_PIECE):
                self._plain += piece
            self._end_of_input()
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLError, OSError):
            self._end_of_input()
        if self._outgoing.pending and not self.closed:
            self.transport.write(self._outgoing.read())
        self._wake()

    def _end_of_input(self):
        self._over = True
        self._wake()

    def _wake(self):
        if self._reader is not None:
            if not self._reader.done():
                self._reader.set_result(None)
            self._reader = None

    async def _more(self):
        if self._over:
            raise Closed
        self._reader = self.loop.create_future()
        self._release()
        self.transport.resume_reading()
        await self._reader

    async def secure(self):
        """Waits for the end of the TLS handshake."""
        while not self._secure:
            await self._more()

    async def read_frame(self, limit: int) -> bytes:
        """The next payload; Closed at the end, and at a length over the limit before its payload (FRAME-8 to FRAME-15)."""
        plain = self._plain
        while True:
            if len(plain) >= 4:
                length = int.from_bytes(plain[:4], "little")
                if length > limit:
                    self._over = True
                    raise Closed
                if len(plain) >= 4 + length:
                    with memoryview(plain) as view:
                        payload = bytes(view[4 : 4 + length])
                    del plain[: 4 + length]
                    return payload
            await self._more()

    async def read_up(self):
        """Waits until all that has been received so far has been handled."""
        if self._reader is None and not self.closed:
            self._idle.append(self.loop.create_future())
            await self._idle[-1]

    def _release(self):
        while self._idle:
            self._idle.pop().set_result(None)

    # Writing.

    def send(self, frames: bytes):
        """Queues whole frames. What is small is joined: a million PONGs are no million objects."""
        if self.closed or self._overflown:
            return
        self.waiting += len(frames)
        if self.waiting > PATIENCE:
            self._overflown = True
            self.loop.call_soon(self.overflow)
            return
        tail = self._queue[-1] if self._queue else None
        if isinstance(tail, bytearray) and len(tail) + len(frames) <= _PIECE:
            tail += frames
        else:
            self._queue.append(bytearray(frames) if len(frames) < _PIECE else frames)
        if len(frames) >= _PIECE or len(self._queue) > 1:
            self._flush()
        elif not self._flushing:  # what one event causes leaves in one piece
            self._flushing = True
            self.loop.call_soon(self._flush)

    def send_first(self, frames: bytes):
        """Queues frames before all that wait and have not begun: a PING does not queue behind a long table."""
        if not self.closed:
            self.waiting += len(frames)
            self._queue.appendleft(frames)
            self._flush()

    def stream(self, pieces: Iterator[bytes]):
        """Queues frames that are made while they leave, and do not count as waiting (MEM-38)."""
        if not self.closed:
            self._queue.append(pieces)
            self._flush()

    def _next(self) -> bool:
        while self._queue:
            head = self._queue[0]
            if isinstance(head, (bytes, bytearray)):
                self._queue.popleft()
                self._current, self._counted = memoryview(head), True
                return True
            piece = next(head, None)
            if piece is not None:
                self._current, self._counted = memoryview(piece), False
                return True
            self._queue.popleft()
        return False

    def _flush(self):
        self._flushing = False
        try:
            while not self._full and not self.closed and (self._current or self._next()):
                count = self._tls.write(self._current[:_PIECE])
                self._current = self._current[count:]
                self.waiting -= count * self._counted
                if self._outgoing.pending >= _PIECE or not (self._current or self._queue):
                    self.transport.write(self._outgoing.read())
        except (ssl.SSLError, OSError):
            self._end_of_input()
        if self._outgoing.pending and not self.closed:
            self.transport.write(self._outgoing.read())

    # Ending.

    def close(self):
        """Ends the connection; what has been encrypted already may still leave, for LINGER seconds."""
        if self.closed:
            return
        self._flush()
        self.closed = True
        self._stop()
        try:
            self._tls.unwrap()
        except (ssl.SSLError, OSError, ValueError):
            pass
        if self._outgoing.pending:
            self.transport.write(self._outgoing.read())
        self.transport.close()
        self.loop.call_later(LINGER, self.transport.abort)

    def abort(self):
        """Ends the connection at once."""
        self.closed = True
        self._stop()
        self.transport.abort()

    def _stop(self):
        self._queue.clear()
        self._current = memoryview(b"")
        self._plain.clear()
        self._end_of_input()
        self._release()


def raise_file_limit():
    """Lets the process open as many connections as it may (RES-4)."""
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard if hard > 0 else 65_536


def random_bytes(count: int) -> bytes:
    """From the operating system's secure source (HS-20, MEM-34)."""
    return os.urandom(count)

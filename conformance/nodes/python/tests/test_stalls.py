"""What 1,000 stalled connections cost, and what a peer that reads nothing costs (RES-4 to RES-7). Prints what it measured."""

import hashlib
import hmac
import json
import os
import pathlib
import socket
import subprocess
import sys
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from snow import wire  # noqa: E402
from snow.channel import initiator_context, raise_file_limit  # noqa: E402

COOKIE = b"secret"


class Driven:
    """A node, driven over the control protocol, one request after the other."""

    def __init__(self, **start):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "snow"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=HERE.parent
        )
        self.name = self.ask("node.start", name="n@127.0.0.1:0", cookie=COOKIE.hex(), **start)["name"]
        self.port = int(self.name.rpartition(":")[2])

    def ask(self, method, **params):
        self.process.stdin.write(
            json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n"
        )
        self.process.stdin.flush()
        while line := self.process.stdout.readline():
            answer = json.loads(line)
            if "id" in answer:
                return answer["result"]
        raise AssertionError("the node has ended")

    @property
    def memory(self) -> int:
        """MiB in RAM."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) // 1024

    @property
    def files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(10)


class Peer:
    """One blocking connection to a node, up to a step of the handshake."""

    def __init__(self, port: int, step: str, name: str = "p@127.0.0.1:1"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        if step == "tcp":
            return
        if step == "hello":
            self.socket.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(20))
            return
        self.socket = CONTEXT.wrap_socket(self.socket, server_hostname="snow-node")
        if step == "tls":
            return
        self.send("NAME", name=name, creation=7)
        challenge = self.receive()[1]["challenge"]
        if step == "challenge":
            return
        self.send("REPLY", proof=hmac.digest(COOKIE, challenge, hashlib.sha256), challenge=bytes(32))
        assert self.receive()[0] == "ACK"

    def send(self, message, **fields):
        self.socket.sendall(wire.frame(wire.encode(message, fields)))

    def receive(self):
        data = b""
        while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "little"):
            piece = self.socket.recv(4096)
            assert piece, "closed"
            data += piece
        return wire.decode("handshake" if data[4] < 0x10 else "session", data[4:])


CONTEXT = initiator_context()


class Stalls(unittest.TestCase):
    def setUp(self):
        raise_file_limit()

    def test_a_thousand_stalled_connections(self):
        for step in ("tcp", "hello", "tls", "challenge"):
            with self.subTest(step):
                node = Driven(handshake_timeout_ms=120_000)
                before, files = node.memory, node.files
                stalled = [Peer(node.port, step) for _ in range(1000)]
                began = time.monotonic()
                joined = Peer(node.port, "session", "q@127.0.0.1:2")
                took = time.monotonic() - began
                took_memory = node.memory - before
                print(f"\n1,000 stalled at {step}: {took_memory} MiB, a peer joined in {took * 1000:.0f} ms", end="")
                self.assertEqual(["q@127.0.0.1:2"], node.ask("node.list")["nodes"])
                self.assertLess(took_memory, 512)
                for each in (*stalled, joined):
                    each.socket.close()
                deadline = time.monotonic() + 10
                while node.files > files and time.monotonic() < deadline:
                    time.sleep(0.1)
                self.assertLessEqual(node.files, files)
                self.assertEqual(0, node.stop())

    def test_a_peer_that_reads_nothing(self):
        node = Driven()
        peer = Peer(node.port, "session")
        before = top = node.memory
        for _ in range(40):
            node.ask("room.broadcast", room="r", text="x" * (4 << 20))
            top = max(top, node.memory)
        print(f"\n160 MiB for a peer that reads nothing: {top - before} MiB at most", end="")
        self.assertLess(top - before, 256)
        self.assertEqual([], node.ask("node.list")["nodes"])
        peer.socket.close()
        self.assertEqual(0, node.stop())

    def test_a_flood_of_pings_whose_pongs_are_not_read(self):
        node = Driven()
        peer = Peer(node.port, "session")
        before = top = node.memory
        ping = wire.frame(wire.encode("PING", {"nonce": bytes(8)}))
        peer.socket.settimeout(60)
        try:
            for _ in range(60):  # 6,000,000
                peer.socket.sendall(ping * 100_000)
                top = max(top, node.memory)
        except OSError:
            pass  # it was given up, as it may be
        print(f"\na flood of PINGs: {top - before} MiB at most", end="")
        self.assertLess(top - before, 256)
        peer.socket.close()
        self.assertEqual(0, node.stop())


if __name__ == "__main__":
    unittest.main()

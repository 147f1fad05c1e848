"""Decodes and encodes every golden vector. Needs no third-party package:

    SNOW_VECTORS=DIR python -m unittest discover tests      # DIR from `cargo xtask vectors export --json DIR`

Without SNOW_VECTORS the vectors are exported into a temporary folder first.
"""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from snow import codec, term, wire  # noqa: E402


def exported() -> pathlib.Path:
    folder = os.environ.get("SNOW_VECTORS")
    if not folder:
        folder = tempfile.mkdtemp(prefix="snow-vectors-")
        subprocess.run(
            ["cargo", "xtask", "vectors", "export", "--json", folder], check=True, cwd=HERE, stdout=subprocess.DEVNULL
        )
    return pathlib.Path(folder)


def expand(value):
    """What vectors abbreviate, in full: `repeat` and `nest`."""
    match value:
        case {"repeat": part, "times": times}:
            return expand(part) * times
        case {"nest": shell, "times": times, "around": inner}:
            inner = expand(inner)
            for _ in range(times):
                inner = fill(shell, inner)
            return inner
        case dict():
            return {key: expand(each) for key, each in value.items()}
        case list():
            return [expand(each) for each in value]
    return value


def fill(shell, inner):
    """The shell with its null replaced."""
    match shell:
        case None:
            return inner
        case dict():
            return {key: fill(each, inner) for key, each in shell.items()}
        case list():
            return [fill(each, inner) for each in shell]
    return shell


def as_text(value):
    """Numbers as strings, as the control protocol has the wide ones."""
    match value:
        case dict():
            return {key: as_text(each) for key, each in value.items()}
        case list():
            return [as_text(each) for each in value]
    return str(value)


class Vectors(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        files = [json.loads(path.read_text()) for path in sorted(exported().glob("*.json"))]
        cls.found = {
            kind: [each for file in files for each in file[kind]]
            for kind in ("vectors", "terms", "streams", "transcripts")
        }

    def each(self, kind, check):
        self.assertTrue(self.found[kind])
        for vector in self.found[kind]:
            with self.subTest(vector["id"]):
                check(vector)

    def bytes_of(self, vector, encoded=b""):
        """A vector's payload; of the longest ones the export has their segments, and of long segments the hash."""
        if isinstance(vector.get("payload"), str):
            return bytes.fromhex(vector["payload"])
        if mutation := vector.get("mutation"):  # one segment, so many times
            return b"".join(self.repeated(segment, mutation["times"]) for segment in vector["segments"])
        at = 0
        for segment in vector["segments"]:
            match segment["hex"]:
                case {"length": length, "sha256": digest}:
                    self.assertEqual(digest, hashlib.sha256(encoded[at : at + length]).hexdigest())
                case content:
                    length = len(content) // 2
                    self.assertEqual(content, encoded[at : at + length].hex())
            at += length
        self.assertEqual(at, len(encoded))
        return encoded

    @staticmethod
    def repeated(segment, times):
        if isinstance(segment["hex"], str):
            return bytes.fromhex(segment["hex"])
        return bytes.fromhex(segment["meaning"].split(": ")[1]) * times

    def test_messages(self):
        self.each("vectors", self.message)

    def message(self, vector):
        if vector["verdict"] != "valid":
            with self.assertRaises(wire.Undecodable) as caught:
                codec.decode(vector["phase"], self.bytes_of(vector))
            self.assertEqual(vector["verdict"], caught.exception.kind)
            return
        fields, left_over = expand(vector["fields"]), vector.get("left_over", "")
        encoded = bytes.fromhex(codec.encode(vector["message"], fields)["bytes"]) + bytes.fromhex(left_over)
        payload = self.bytes_of(vector, encoded)
        self.assertEqual(encoded, payload)
        decoded = codec.decode(vector["phase"], payload)
        self.assertEqual((vector["message"], left_over), (decoded["message"], decoded["left_over"]))
        self.assertEqual(as_text(fields), as_text(decoded["fields"]))

    def test_terms(self):
        self.each("terms", self.term)

    def term(self, vector):
        verdict, left_over = vector["verdict"], vector.get("left_over", "")
        if verdict == "refused":
            with self.assertRaises(term.TermError) as caught:
                term.encode(expand(vector["term"]))
            self.assertEqual("closure", caught.exception.kind)
        elif verdict == "valid":
            value = expand(vector["term"])
            encoded = term.encode(value) + bytes.fromhex(left_over)
            payload = self.bytes_of(vector, encoded)
            self.assertEqual(encoded, payload)
            decoded, rest = term.decode(payload)
            self.assertEqual((as_text(value), left_over), (as_text(decoded), rest.hex()))
        else:
            with self.assertRaises(term.TermError) as caught:
                term.decode(self.bytes_of(vector))
            self.assertEqual(verdict, caught.exception.kind)

    def test_streams(self):
        self.each("streams", self.stream)

    def stream(self, vector):
        parts = [self.part(each) for each in vector["parts"]]
        stream = b"".join(parts)
        chunks = [each if isinstance(each, str) else each["sha256"] for each in vector["chunks"]]
        if len(chunks) == 1:
            self.assertIn(chunks[0], (stream.hex(), hashlib.sha256(stream).hexdigest()))
        else:
            self.assertEqual("".join(chunks), stream.hex())
        found = codec.frames(vector["phase"], stream)
        self.assertEqual(vector["end"], found["end"])
        for expected, frame in zip(vector["frames"], found["frames"], strict=True):
            hashed = hashlib.sha256(bytes.fromhex(frame)).hexdigest()
            self.assertIn(expected if isinstance(expected, str) else expected["sha256"], (frame, hashed))

    @staticmethod
    def part(part):
        match part:
            case {"frame": content}:
                return wire.frame(bytes.fromhex(expand(content)))
            case {"length": length}:
                return length.to_bytes(4, "little")
            case {"bytes": content}:
                return bytes.fromhex(expand(content))
        raise AssertionError(part)

    def test_transcripts(self):
        self.each("transcripts", self.transcript)

    def transcript(self, vector):
        for step in vector["steps"]:
            payload = b"".join(bytes.fromhex(segment["hex"]) for segment in step["segments"])
            message, fields, _ = wire.decode("handshake", payload)
            self.assertEqual((step["message"], payload), (message, wire.encode(message, fields)))
            if proof := step.get("hmac"):
                self.assertEqual(
                    proof["output"], codec.proof(bytes.fromhex(proof["key"]), bytes.fromhex(proof["input"]))["proof"]
                )
                self.assertEqual(proof["output"], fields["proof"].hex())


if __name__ == "__main__":
    unittest.main()

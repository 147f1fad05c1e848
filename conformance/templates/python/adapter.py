"""The control lines of my-node: requests on standard input, answers on standard output (spec/control.md). Knows no bytes of the protocol."""

import json
import sys

import codec

CAPABILITIES = ["codec"]  # claim more as methods come; what is claimed is judged


class Refused(Exception):
    """An error that a request is answered with: its code, its message and its data."""

    def __init__(self, code, message, data=None):
        super().__init__(message)
        self.answer = {"code": code, "message": message} | ({"data": data} if data else {})


def initialize(params):
    return {
        "implementation": "my-node", "version": "0.1.0", "language": "Python",
        "protocol": 5, "control": 1, "capabilities": CAPABILITIES,
    }


def codec_decode(params):
    try:
        name, fields, left_over = codec.decode(params["phase"], bytes.fromhex(params["bytes"]))
    except codec.Undecodable as error:
        raise Refused(-32020, "undecodable", {"kind": str(error)}) from None
    _, layout = codec.MESSAGES[name]
    return {"message": name, "fields": to_json(layout, fields), "left_over": left_over.hex()}


def codec_encode(params):
    _, layout = codec.MESSAGES[params["message"]]
    return {"bytes": codec.encode(params["message"], from_json(layout, params["fields"])).hex()}


def codec_frames(params):
    frames, end = codec.frames(params["phase"], bytes.fromhex(params["bytes"]))
    return {"frames": [frame.hex() for frame in frames], "end": end}


def codec_proof(params):
    return {"proof": codec.proof(bytes.fromhex(params["cookie"]), bytes.fromhex(params["challenge"])).hex()}


METHODS = {
    "initialize": initialize,
    "codec.decode": codec_decode,
    "codec.encode": codec_encode,
    "codec.frames": codec_frames,
    "codec.proof": codec_proof,
    "shutdown": lambda params: {},
    # Next: node.start, node.self, node.connect, node.list, barrier. A request that takes long must hold up no other:
    # answer `node.connect` from a thread of its own.
}


def to_json(layout, fields):
    """On control lines bytes are hexadecimal, and 64 bits are strings of digits: many JSON readers round them."""
    return {name: convert(kind, fields[name], bytes.hex, str, to_json) for name, kind in layout}


def from_json(layout, fields):
    return {name: convert(kind, fields[name], bytes.fromhex, int, from_json) for name, kind in layout}


def convert(kind, value, of_bytes, of_u64, of_fields):
    if isinstance(kind, tuple):
        return [of_fields(kind[1], record) for record in value]
    if kind == "reason":
        return {"kind": value["kind"], **of_fields(codec.KINDS[value["kind"]][1], value)}
    if kind == "u64":
        return of_u64(value)
    return of_bytes(value) if kind.startswith("bytes") else value


def answer(request):
    method = METHODS.get(request["method"])
    if method is None:
        return {"error": {"code": -32601, "message": f"unknown method {request['method']}"}}
    try:
        return {"result": method(request.get("params", {}))}
    except Refused as refused:
        return {"error": refused.answer}
    except (KeyError, TypeError, ValueError) as error:
        return {"error": {"code": -32602, "message": f"invalid params: {error!r}"}}


def main():
    # A stray print() must not end up between control lines.
    lines, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin.buffer:
        request = json.loads(line)
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], **answer(request)}), file=lines, flush=True)
        if request["method"] == "shutdown":
            break


if __name__ == "__main__":
    main()

"""HTTP/1.1 as bytes: request heads and chunked bodies in, answers out. No sockets.

Strict on purpose: a request that RFC 9112 does not allow raises BadRequest, which is counted, so
that a test of a proxy in front can ask for "none".
"""
import dataclasses
import json
import re

MAX_HEAD = 4 << 20
MAX_BODY = 64 << 20

_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) HTTP/1\.([01])")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(;[^\x00-\x08\x0a-\x1f\x7f]*)?")

REASONS = {
    100: "Continue", 101: "Switching Protocols", 103: "Early Hints", 200: "OK", 204: "No Content",
    304: "Not Modified", 400: "Bad Request", 404: "Not Found", 413: "Content Too Large",
    429: "Too Many Requests", 431: "Request Header Fields Too Large", 500:
    "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}


class BadRequest(Exception):
    """What the peer did wrong, in words."""


@dataclasses.dataclass(slots=True)
class Request:
    """One request. `head` is as received, with the blank line; names are lower case in `first`."""

    head: bytes
    method: str
    target: bytes
    version: str
    fields: list                 # (name, value) as received, without the blanks around the value
    first: dict                  # lower-case name -> first value
    framing: str                 # "none", "length" or "chunked"
    length: int                  # Content-Length, 0 without
    body: bytes = b""
    path: bytes = b""
    query: bytes = b""
    kind: str = "other"          # the class: submit solve poll read report other
    params: dict = dataclasses.field(default_factory=dict)
    number: int = 0              # on its connection, from 1

    def wants_close(self):
        connection = self.first.get(b"connection", b"").lower()
        if self.version == "1.0":
            return b"keep-alive" not in connection
        return b"close" in connection


def parse_head(head):
    """A Request from the bytes up to and including the blank line."""
    lines = head[:-4].split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(lines[0])
    if match is None:
        raise BadRequest(f"request line {lines[0][:100]!r}")
    fields, first = [], {}
    for line in lines[1:]:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise BadRequest(f"field line {line[:100]!r}")
        name, value = field.groups()
        value = value.rstrip(b" \t")
        fields.append((name, value))
        lower = name.lower()
        if lower not in first:
            first[lower] = value
        elif lower in (b"host", b"content-length", b"transfer-encoding"):
            raise BadRequest(f"two fields {lower.decode()}")
    target = match[2]
    version = "1." + match[3].decode()
    if version == "1.1" and b"host" not in first:
        raise BadRequest("no Host")
    framing, length = _framing(first, version)
    path, _, query = target.partition(b"?")
    return Request(head, match[1].decode(), target, version, fields, first, framing, length,
                   path=path, query=query)


def _framing(first, version):
    coding = first.get(b"transfer-encoding")
    length = first.get(b"content-length")
    if coding is not None:
        if length is not None:
            raise BadRequest("Content-Length and Transfer-Encoding")
        if coding.lower() != b"chunked" or version == "1.0":
            raise BadRequest(f"Transfer-Encoding {coding[:100]!r} in HTTP/{version}")
        return "chunked", 0
    if length is None:
        return "none", 0
    if not length.isdigit() or int(length) > MAX_BODY:
        raise BadRequest(f"Content-Length {length[:100]!r}")
    return "length", int(length)


class Body:
    """Collects the body of one request. feed() takes from a buffer and says whether it is whole."""

    def __init__(self, request):
        self.chunked = request.framing == "chunked"
        self.wanted = request.length
        self.parts = bytearray()
        self._chunk_left = 0         # of the chunk being read, its CRLF included
        self._in_trailers = False

    def feed(self, buffer):
        if self.chunked:
            return self._feed_chunked(buffer)
        missing = self.wanted - len(self.parts)
        self.parts += buffer[:missing]
        del buffer[:missing]
        return len(self.parts) == self.wanted

    def _feed_chunked(self, buffer):
        while True:
            if self._chunk_left:
                if not self._feed_chunk(buffer):
                    return False
                continue
            line = _take_line(buffer)
            if line is None:
                return False
            if self._in_trailers:
                if not line:
                    return True
                if _FIELD.fullmatch(line) is None:
                    raise BadRequest(f"trailer {line[:100]!r}")
                continue
            size = _CHUNK_SIZE.fullmatch(line)
            if size is None:
                raise BadRequest(f"chunk size {line[:100]!r}")
            size = int(size[1], 16)
            if len(self.parts) + size > MAX_BODY:
                raise BadRequest("body too large")
            self._in_trailers = size == 0
            self._chunk_left = size + 2 if size else 0

    def _feed_chunk(self, buffer):
        data = min(len(buffer), self._chunk_left - 2) if self._chunk_left > 2 else 0
        self.parts += buffer[:data]
        del buffer[:data]
        self._chunk_left -= data
        if self._chunk_left > 2 or len(buffer) < 2:
            return False
        if buffer[:2] != b"\r\n":
            raise BadRequest("chunk without CRLF at its end")
        del buffer[:2]
        self._chunk_left = 0
        return True


def _take_line(buffer):
    end = buffer.find(b"\r\n")
    if end < 0:
        if len(buffer) > 65536:
            raise BadRequest("endless line in a chunked body")
        return None
    line = bytes(buffer[:end])
    del buffer[:end + 2]
    return line


@dataclasses.dataclass(slots=True)
class Answer:
    """What the site answers; `hold_s` is how long it lets one wait for it."""

    status: int = 200
    body: bytes = b""
    kind: str = "text/plain; charset=utf-8"
    hold_s: float = 0.0
    fields: list = dataclasses.field(default_factory=list)  # (name, value) in text


def json_answer(value, status=200):
    return Answer(status, json.dumps(value).encode() + b"\n", "application/json")


def head_bytes(answer, *, version="1.1", length=None, extra=()):
    """The head of an answer, `extra` fields after its own. `length` goes into Content-Length;
    None: no such field."""
    lines = [f"HTTP/{version} {answer.status} {REASONS.get(answer.status, 'Unknown')}"]
    if answer.kind and answer.status not in (204, 304):
        lines.append(f"Content-Type: {answer.kind}")
    lines += [f"{name}: {value}" for name, value in answer.fields]
    lines += [f"{name}: {value}" for name, value in extra]
    if length is not None:
        lines.append(f"Content-Length: {length}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunks(body, size, extension=b""):
    """The body in chunks of `size`, without the last (empty) one."""
    for start in range(0, len(body), size):
        piece = body[start:start + size]
        yield b"%x%s\r\n%s\r\n" % (len(piece), extension, piece)

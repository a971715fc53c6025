"""Parameters of a request, from its query and its body together, and the class they make.

All the encodings of API.md: query, application/x-www-form-urlencoded, multipart/form-data,
application/json. Names and values are text; the body comes after the query and wins. Values over
4 KiB (images) are left as they are, not percent-decoded.
"""
import json
import re
import urllib.parse

_BOUNDARY = re.compile(rb'boundary="?([^";]+)"?', re.IGNORECASE)
_PART_NAME = re.compile(rb'[;\s]name="?([^";\r\n]*)"?', re.IGNORECASE)

_READS = {"getbalance", "threadsinfo"}
_REPEATABLE = _READS | {"get", ""}


def read(request):
    """Fills request.params and request.kind from what has been read of it."""
    params = from_urlencoded(request.query) if request.query else {}
    if request.body:
        params.update(_from_body(request))
    request.params = params
    request.kind = classify(request.path, params)


def classify(path, params):
    """submit, solve, poll, read, report or other, as DESIGN.md has it."""
    if path == b"/in.php":
        return "submit"
    if path == b"/solve.php":
        return "solve"
    if path != b"/res.php":
        return "other"
    action = params.get("action", "")
    if action not in _REPEATABLE:
        return "report"
    return "read" if action in _READS else "poll"


def from_urlencoded(data):
    params = {}
    for pair in data.split(b"&"):
        name, _, value = pair.partition(b"=")
        if name:
            params[_decoded(name)] = _decoded(value)
    return params


def _decoded(value):
    text = value.decode("latin-1")
    if len(value) > 4096 or not (b"%" in value or b"+" in value):
        return text
    return urllib.parse.unquote_plus(text)


def _from_body(request):
    kind = request.first.get(b"content-type", b"").lower()
    if kind.startswith(b"application/x-www-form-urlencoded"):
        return from_urlencoded(request.body)
    if kind.startswith(b"multipart/form-data"):
        boundary = _BOUNDARY.search(request.first[b"content-type"])
        return _from_multipart(request.body, boundary[1]) if boundary else {}
    if kind.startswith(b"application/json"):
        return _from_json(request.body)
    return {}


def _from_multipart(body, boundary):
    params = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, value = part.partition(b"\r\n\r\n")
        name = _PART_NAME.search(head)
        if name:
            params[name[1].decode("latin-1")] = value.removesuffix(b"\r\n").decode("latin-1")
    return params


def _from_json(body):
    try:
        value = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(value, dict):
        return {}
    return {name: item if isinstance(item, str) else json.dumps(item)
            for name, item in value.items()}

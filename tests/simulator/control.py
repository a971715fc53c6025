"""The control port: plain HTTP, JSON in and out, one request a connection.

    GET  /counters    connections, handshakes, requests (counters.py)
    GET  /submits     how often each submit and each poll arrived, and what was paid for
    GET  /requests    the last requests: ?last=N, ?path=PREFIX, ?uniq=TEXT
    GET  /connections the open ones
    GET  /faults      the rules with how often each fitted (seen) and acted
    POST /faults      a rule or a list of rules; answers with their numbers
    DELETE /faults    forgets all rules, ends every `refuse`, sends what `hold` holds
    GET  /settings    POST /settings: {"idle_timeout": 1, …} changes live ones
    POST /close       {"how": "fin", "which": "idle" | "all", "idle_s": 0}: ends connections now
    POST /refuse      {"seconds": 5, "address": "::1"}, both may be left out
    POST /accept      ends every `refuse`
    POST /hole        {"open": true}: what comes from now on is lost on the way; false: no more
    POST /reset       counts from zero

A mistake is answered 400 with {"error": …}.
"""
import asyncio
import json

from .http1 import BadRequest, Body, head_bytes, json_answer, parse_head
from .params import from_urlencoded
from .settings import ENDINGS

_MAX_HEAD = 65536


class Control:
    """`server` is borrowed."""

    def __init__(self, server):
        self.server = server
        self._routes = {
            ("GET", "/"): self._help,
            ("GET", "/counters"): self._counters,
            ("GET", "/submits"): self._submits,
            ("GET", "/requests"): self._requests,
            ("GET", "/connections"): self._connections,
            ("GET", "/faults"): self._get_faults,
            ("POST", "/faults"): self._add_faults,
            ("DELETE", "/faults"): self._clear_faults,
            ("GET", "/settings"): self._get_settings,
            ("POST", "/settings"): self._change_settings,
            ("POST", "/close"): self._close,
            ("POST", "/refuse"): self._refuse,
            ("POST", "/accept"): self._accept,
            ("POST", "/hole"): self._hole,
            ("POST", "/reset"): self._reset,
        }
        self._listening = None

    async def start(self, address, port):
        self._listening = await asyncio.start_server(self._on_connection, address, port,
                                                     limit=_MAX_HEAD, backlog=128)
        return self._listening.sockets[0].getsockname()[1]

    async def _on_connection(self, reader, writer):
        try:
            answer = self._answered(*await _read_request(reader))
            writer.write(head_bytes(answer, length=len(answer.body),
                                    extra=[("Connection", "close")]) + answer.body)
            await writer.drain()
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, BadRequest, OSError):
            pass
        finally:
            writer.close()

    def _answered(self, request, body):
        path = request.path.decode("latin-1")
        route = self._routes.get((request.method, path))
        if route is None:
            known = ", ".join(" ".join(route) for route in self._routes)
            return json_answer({"error": f"there are: {known}"}, 404)
        try:
            values = json.loads(body) if body else {}
            return json_answer(route(values, from_urlencoded(request.query)))
        except ValueError as error:
            return json_answer({"error": str(error)}, 400)

    def _help(self, _values, _query):
        return {"see": __doc__.splitlines()}

    def _counters(self, _values, _query):
        return self.server.counters.as_dict()

    def _submits(self, _values, _query):
        return self.server.counters.submits_as_dict(self.server.api.made)

    def _requests(self, _values, query):
        path, uniq = query.get("path", ""), query.get("uniq")
        found = [record for record in self.server.counters.records
                 if (uniq is None or record.uniq == uniq)
                 and record.head.split(b" ", 2)[1].decode("latin-1").startswith(path)]
        return [record.as_dict() for record in found[-int(query.get("last", 100)):]]

    def _connections(self, _values, _query):
        found = self.server.counters.open_now()
        return [one.as_dict() for one in sorted(found, key=lambda one: one.number)]

    def _get_faults(self, _values, _query):
        return [rule.as_dict() for rule in self.server.faults.history.values()]

    def _add_faults(self, values, _query):
        rules = values if isinstance(values, list) else [values]
        return {"rules": [self.server.add_fault(rule).number for rule in rules]}

    def _clear_faults(self, _values, _query):
        self.server.clear_faults()
        return {}

    def _get_settings(self, _values, _query):
        return self.server.settings.as_dict()

    def _change_settings(self, values, _query):
        self.server.settings.change(_object(values))
        return self.server.settings.as_dict()

    def _close(self, values, _query):
        values = {"how": "fin", "which": "idle", "idle_s": 0, **_object(values)}
        if values["how"] not in ENDINGS or values["which"] not in ("idle", "all"):
            raise ValueError(f"how: one of {', '.join(ENDINGS)}; which: idle or all")
        least_s = values["idle_s"] if values["which"] == "idle" else None
        return {"closed": self.server.close_connections(values["how"], least_s)}

    def _refuse(self, values, _query):
        values = _object(values)
        self.server.refuse(values.get("seconds"), values.get("address"))
        return {}

    def _accept(self, _values, _query):
        for listener in self.server.listeners:
            listener.open()
        return {}

    def _hole(self, values, _query):
        self.server.hole(bool(_object(values).get("open", True)))
        return {}

    def _reset(self, _values, _query):
        self.server.reset()
        return {}


def _object(values):
    if not isinstance(values, dict):
        raise ValueError("a JSON object is expected")
    return values


async def _read_request(reader):
    request = parse_head(await reader.readuntil(b"\r\n\r\n"))
    body, buffer = Body(request), bytearray()
    while request.framing != "none" and not body.feed(buffer):
        data = await reader.read(65536)
        if not data:
            raise BadRequest("ended within the body")
        buffer += data
    return request, bytes(body.parts)

"""Fault rules: what can go wrong, which requests or connections it hits, and how often.

A rule is a JSON object: `action`, the action's own parameters, and any of these conditions (all
given ones have to hold):

    path          the target's path starts with this text
    method        the method is this
    class         submit | solve | poll | read | report | other
    query         the target's query contains this text
    uniq          the parameter uniq (or else token) is this text
    connection    the number of the connection, from 1 since the start
    conn_request  the number of the request on its connection, from 1
    reused        true: not the first request on its connection; false: the first
    address       the listening address (as in --bind)
    probability   0…1
    nth           from the nth that fits all the above, counted since the rule was set
    times         how often the rule acts; -1: for ever (default 1)

Rules are tried in the order they were set; the first that fits acts. ACTIONS says when each is
asked: `accept` (a new connection: only connection, address, probability, nth), `unread` (bytes
lie in the kernel of an idle connection: also conn_request, reused), `head` (the head has been
read; class and uniq from the query alone), `request` (the request has been read whole). With
`after_body` set, close and rst are asked at `head`. `refuse` acts at once.
"""
import dataclasses
import random

from .ca import KINDS
from .counters import uniq_of
from .settings import ENDINGS

_CONDITIONS = {
    "path": str, "method": str, "class": str, "query": str, "uniq": str, "connection": int,
    "conn_request": int, "reused": bool, "rested": bool, "first": bool, "address": str,
    "probability": float, "nth": int, "times": int,
}
_OF_REQUESTS = {"path", "method", "class", "query", "uniq", "first"}
_OF_PHASE = {"now": {"address"}, "accept": {"connection", "address", "probability", "nth", "times"},
             "unread": set(_CONDITIONS) - _OF_REQUESTS, "head": set(_CONDITIONS) - {"first", "rested"},
             "request": set(_CONDITIONS) - {"rested"}}
_STAGES = ("start", "half")
_DEFAULT_GARBAGE = "\x00\x01garbage, no HTTP\r\n\r\n"
_BAD_CHUNKS = ("size", "huge", "negative", "crlf", "truncated", "no_end")


@dataclasses.dataclass(frozen=True)
class Param:
    """A parameter of an action; None as default: may be left out."""

    kind: type
    default: object = None
    choices: tuple = None


def _how(default, choices=ENDINGS):
    return Param(str, default, choices)


# name: (phase, parameters)
ACTIONS = {
    # connections
    "refuse": ("now", {"seconds": Param(float)}),
    "accept_close": ("accept", {}),
    "accept_rst": ("accept", {}),
    "stall_handshake": ("accept", {"stage": Param(str, "start", _STAGES)}),
    "close_in_handshake": ("accept", {"stage": Param(str, "start", _STAGES)}),
    "rst_in_handshake": ("accept", {"stage": Param(str, "start", _STAGES)}),
    "garbage_handshake": ("accept", {"data": Param(str, _DEFAULT_GARBAGE), "how": _how("fin")}),
    "certificate": ("accept", {"kind": Param(str, None, KINDS)}),
    # before the request is read whole
    "close_unread": ("unread", {"how": _how("rst", ("rst", "fin", "fin_no_notify"))}),
    "early": ("head", {"status": Param(int, 413), "body": Param(str, "too early\n"),
                       "after_body": Param(int, 0), "then": _how("read", ("read",) + ENDINGS)}),
    "stall_read": ("head", {"after_body": Param(int, 0)}),
    # instead of an answer
    "close": ("request", {"how": _how("fin"), "after_body": Param(int)}),
    "rst": ("request", {"after_body": Param(int)}),
    "never": ("request", {}),
    "half_head": ("request", {"bytes": Param(int), "how": _how("fin")}),
    "half_body": ("request", {"bytes": Param(int), "how": _how("fin")}),
    "garbage": ("request", {"data": Param(str, _DEFAULT_GARBAGE), "how": _how("fin")}),
    "raw": ("request", {"data": Param(str, ""), "how": _how(None), "delay_ms": Param(float, 0),
                        "more": Param(str)}),
    # a strange way of answering
    "delay": ("request", {"ms": Param(float, 1000)}),
    "hold": ("request", {}),
    "drip": ("request", {"chunk": Param(int, 1), "interval_ms": Param(float, 50)}),
    "wrong_length": ("request", {"delta": Param(int, 10), "how": _how("fin")}),
    "double_length": ("request", {"delta": Param(int, 0)}),
    "extra": ("request", {"data": Param(str, "HTTP/1.1 200 OK\r\n\r\n"),
                          "delay_ms": Param(float, 0)}),
    "chunked": ("request", {"size": Param(int, 16), "bad": Param(str, None, _BAD_CHUNKS),
                            "extension": Param(str, ""), "trailers": Param(list, []),
                            "how": _how("fin")}),
    "until_close": ("request", {"how": _how("fin")}),
    "http10": ("request", {"keep_alive": Param(bool, False)}),
    "informational": ("request", {"statuses": Param(list, [103]), "delay_ms": Param(float, 0)}),
    "switch": ("request", {}),
    "headers": ("request", {"headers": Param(list, [])}),
    "big_head": ("request", {"bytes": Param(int, 1 << 20), "fields": Param(int, 1)}),
    "big_body": ("request", {"bytes": Param(int, 8 << 20)}),
    "connection_close": ("request", {"how": _how("fin")}),
    "close_after_answer": ("request", {"how": _how("fin"), "delay_ms": Param(float, 0)}),
    # another answer; the request is not carried out
    "status": ("request", {"status": Param(int, 503), "body": Param(str, ""),
                           "headers": Param(list, []), "retry_after": Param(str),
                           "content_length": Param(int)}),
    "api_error": ("request", {"code": Param(str, "ERROR_SERVER_ERROR")}),
}


class Rule:
    """One rule, checked. `params` holds the action's parameters, defaults filled in."""

    def __init__(self, number, values):
        values = dict(values)
        action = values.pop("action", None)
        if action not in ACTIONS:
            raise ValueError(f"no action {action!r}; there are {', '.join(ACTIONS)}")
        self.number = number
        self.action = action
        self.phase, declared = ACTIONS[action]
        self.params = {name: _checked(action, name, param, values.pop(name, param.default))
                       for name, param in declared.items()}
        if self.params.get("after_body") is not None:
            self.phase = "head"
        if action == "certificate" and self.params["kind"] is None:
            raise ValueError(f"certificate: kind is one of {', '.join(KINDS)}")
        self.conditions = self._conditions(values)
        self.nth = self.conditions.pop("nth", 1)
        self.times = self.conditions.pop("times", 1)
        self.seen = 0
        self.acted = 0

    def _conditions(self, values):
        allowed = _OF_PHASE.get(self.phase, set(_CONDITIONS))
        for name, value in values.items():
            if name not in _CONDITIONS:
                raise ValueError(f"{self.action}: no parameter or condition {name!r}")
            if name not in allowed:
                raise ValueError(f"{self.action}: {name!r} is not known yet when it acts")
            _checked(self.action, name, Param(_CONDITIONS[name]), value)
        return values

    def fits(self, facts, chance):
        for name, wanted in self.conditions.items():
            if name == "probability":
                continue
            found = facts.get(name)
            if name == "path":
                fits = found.startswith(wanted)
            elif name == "query":
                fits = wanted in found
            else:
                fits = found == wanted
            if not fits:
                return False
        return "probability" not in self.conditions or chance() < self.conditions["probability"]

    def as_dict(self):
        return {"number": self.number, "action": self.action, **self.params, **self.conditions,
                "nth": self.nth, "times": self.times, "seen": self.seen, "acted": self.acted}


class Faults:
    """The rules in force, kept apart by phase, so that a phase without rules costs nothing."""

    def __init__(self, seed):
        self._random = random.Random(seed)
        self._last = 0
        self.history = {}            # number -> rule, until clear()
        self.clear()

    def clear(self):
        self.history.clear()
        self.accept, self.unread, self.head, self.request = [], [], [], []

    def add(self, values):
        """Returns the rule; raises ValueError with what is wrong with it."""
        if not isinstance(values, dict):
            raise ValueError("a fault rule is a JSON object")
        rule = Rule(self._last + 1, values)
        self._last = rule.number
        self.history[rule.number] = rule
        if rule.phase != "now":
            getattr(self, rule.phase).append(rule)
        return rule

    def pick(self, phase, facts):
        """The rule that acts now, or None. `facts`: the conditions' names and their values."""
        rules = getattr(self, phase)
        for rule in rules:
            if not rule.fits(facts, self._random.random):
                continue
            rule.seen += 1
            if rule.seen < rule.nth:
                continue
            rule.acted += 1
            if rule.acted == rule.times:
                rules.remove(rule)
            return rule
        return None


def facts_of(connection, request):
    """What rules can ask about a request."""
    return {
        "path": request.path.decode("latin-1"), "method": request.method, "class": request.kind,
        "query": request.query.decode("latin-1"), "uniq": uniq_of(request),
        "connection": connection.number, "conn_request": request.number,
        "reused": request.number > 1,
        "first": connection.site.counters.arrivals[uniq_of(request)] <= 1,
        "address": connection.address,
    }


def _checked(owner, name, param, value):
    if value is None and param.default is None:
        return None
    kind = (int, float) if param.kind is float else param.kind
    if not isinstance(value, kind) or isinstance(value, bool) and param.kind is not bool:
        raise ValueError(f"{owner}: {name} takes a {param.kind.__name__}, not {value!r}")
    if param.choices and value not in param.choices:
        raise ValueError(f"{owner}: {name} is one of {', '.join(map(str, param.choices))}")
    return value

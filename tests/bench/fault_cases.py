"""The faults, one row each: what happens at its begin, meanwhile and at its end, and what may come of it.

A row's functions get the World (fault_matrix.py) and run in a thread of their own. Faults on answers meet what arrives for the first time,
so that one repeat always saves a poll; where every answer is spoilt there is nothing to save.
"""
from dataclasses import dataclass, field

import fault_clients

# What may fail, beside what always holds: nothing lost, doubled, misplaced or crashed.
NOTHING, SUBMITS, ANYTHING = "nothing", "submits", "anything"


def _nothing(_world):
    pass


@dataclass(frozen=True)
class Case:
    name: str
    title: str
    may_fail: str                # of the 32 clients' requests; submits: told that their fate is unknown
    begin: object = _nothing
    tick: object = None          # again and again, every_s apart, until the end
    end: object = _nothing       # rules are forgotten anyway
    every_s: float = 0.02
    beside: tuple = ()           # (companion, number): from the begin to the end
    settings: dict = field(default_factory=dict)   # of the simulated API
    limits: dict = field(default_factory=dict)     # for every proxy: pool, connect_ms, response_ms, queue_ms
    ours: dict = field(default_factory=dict)       # options of warmpool alone
    only: tuple = ("warmpool", "nginx", "haproxy")
    needs: str = ""              # names: a DNS server of ours; wire: a line with a length; sleep: the preloaded clock
    fault_s: float = 2.0
    recovery_s: float = 1.0


def rule(**values):
    return lambda world: world.sim.fault(times=-1, **values)


def idle_close(how, idle_s=0.012):
    """What no request has used for a while: not a connection that was opened for a repeat just now."""
    return lambda world: world.sim.close_idle(how, idle_s=idle_s)


def on_answers(name, title, may_fail=SUBMITS, probability=0.1, limits=None, **values):
    return Case(name, title, may_fail, rule(first=True, probability=probability, **values), limits=limits or {})


def on_accept(name, title, limits=None, probability=0.5, **values):
    """Connections carry ten requests, so that new ones are always needed."""
    return Case(name, title, NOTHING, rule(probability=probability, **values), settings={"max_requests": 10}, limits=limits or {})


def _refuse(world):
    world.sim.refuse()
    world.sim.close_all("rst")


def _black_hole(world):
    world.sim.hole(True)


def _names_die(mode):
    return lambda world: world.dns.change({**world.zone, "mode": mode})


def _names_live(world):
    world.dns.change(world.zone)


def _sleep(seconds):
    return lambda world: world.sleep(seconds)


def _few_descriptors(world):
    world.proxy.limit_descriptors(4)


def _no_descriptors(world):
    world.proxy.limit_descriptors(-1)
    world.sim.close_idle()


def _descriptors_again(world):
    world.proxy.limit_descriptors(None)


def _reload(world):
    world.proxy.reload()


_SOON = {"response_ms": 700}
_TIGHT = {"pool": 4}
_SMALL = {"limits.buffered": "6MiB", "limits.request_body": "2MiB", "limits.response_body": "1MiB"}

CASES = (
    Case("calm", "no fault at all", NOTHING),
    # Between requests
    Case("idle-fin", "idle close by FIN", SUBMITS, tick=idle_close("fin")),
    Case("idle-rst", "idle close by RST", SUBMITS, tick=idle_close("rst")),
    Case("idle-no-notify", "idle close without close_notify", SUBMITS, tick=idle_close("fin_no_notify")),
    Case("reuse-fin", "close by FIN exactly at reuse", SUBMITS, rule(action="close_unread", how="fin", reused=True, rested=True, probability=0.3)),
    Case("reuse-rst", "close by RST exactly at reuse", SUBMITS, rule(action="close_unread", how="rst", reused=True, rested=True, probability=0.3)),
    Case("in-flight", "idle close, the FIN 15 ms in flight", SUBMITS, tick=idle_close("fin", 0.045), every_s=0.02, needs="wire"),
    # Instead of an answer
    on_answers("close", "close instead of an answer", action="close"),
    on_answers("rst", "RST instead of an answer", action="rst"),
    on_answers("half-head", "close after half a head", action="half_head"),
    on_answers("half-head-rst", "RST after half a head", action="half_head", how="rst"),
    on_answers("half-body", "close after half a body", action="half_body"),
    on_answers("half-body-rst", "RST after half a body", action="half_body", how="rst"),
    on_answers("garbage", "garbage instead of HTTP", action="garbage"),
    on_answers("too-long", "Content-Length too long", action="wrong_length", delta=10),
    on_answers("too-short", "Content-Length too short, stray bytes after it", NOTHING, action="wrong_length", delta=-3),
    on_answers("stray", "a forged answer after the answer", NOTHING, action="extra",
               data="HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nOK|forged"),
    on_answers("drip", "an answer in drips", NOTHING, action="drip", chunk=10, interval_ms=20),
    on_answers("drip-long", "an answer in drips that takes too long", limits=_SOON, probability=0.03, action="drip", chunk=1, interval_ms=50),
    on_answers("never", "never an answer", limits=_SOON, probability=0.03, action="never"),
    on_answers("429", "429 with Retry-After", NOTHING, action="status", status=429, body="slow down\n", retry_after="1"),
    on_answers("503", "503 with Retry-After", NOTHING, action="status", status=503, body="slow down\n", retry_after="1"),
    Case("every-close", "close instead of every answer", ANYTHING, rule(action="close")),
    Case("every-half", "every answer breaks off", ANYTHING, rule(action="half_body", how="rst")),
    # Before the first request byte
    on_accept("stall", "handshakes stall", {"connect_ms": 500}, 0.3, action="stall_handshake"),
    on_accept("stall-half", "handshakes stall half way", {"connect_ms": 500}, 0.3, action="stall_handshake", stage="half"),
    on_accept("accept-close", "close at accept", action="accept_close"),
    on_accept("accept-rst", "RST at accept", action="accept_rst"),
    on_accept("handshake-close", "close in the handshake", action="close_in_handshake", stage="half"),
    on_accept("handshake-rst", "RST in the handshake", action="rst_in_handshake", stage="half"),
    on_accept("garbage-handshake", "garbage in the handshake", action="garbage_handshake"),
    on_accept("wrong-name", "certificates of another name", action="certificate", kind="wrong_name"),
    on_accept("expired", "expired certificates", action="certificate", kind="expired"),
    on_accept("self-signed", "self-signed certificates", action="certificate", kind="self_signed"),
    Case("refuse", "refused for 1 s, all connections reset", SUBMITS, _refuse, fault_s=1),
    Case("refuse-long", "refused for 4 s, all connections reset", ANYTHING, _refuse, fault_s=4),
    Case("hole", "a black hole of 2 s", ANYTHING, _black_hole, end=lambda world: world.sim.hole(False), limits={"connect_ms": 500, **_SOON}),
    # Names
    Case("dns-dead", "DNS fails, connections turn over", NOTHING, _names_die("servfail"), idle_close("fin"), _names_live, 0.1,
         settings={"max_requests": 10}, needs="names"),
    Case("dns-silent", "DNS is silent, connections turn over", NOTHING, _names_die("silent"), idle_close("fin"), _names_live, 0.1,
         settings={"max_requests": 10}, needs="names"),
    # The machine
    Case("emfile-accept", "no descriptor left for new clients", NOTHING, _few_descriptors, end=_descriptors_again,
         beside=((fault_clients.newcomer, 12),)),
    Case("emfile-connect", "no descriptor left at all, idle connections closed", ANYTHING, _no_descriptors, end=_descriptors_again),
    Case("memory", "limits.buffered reached by uploads", ANYTHING, beside=((fault_clients.uploader, 12),), ours=_SMALL,
         settings={"delay_ms": 50}, only=("warmpool",)),
    Case("reload", "a reload every 30 ms", NOTHING, tick=_reload),
    Case("suspend", "suspended for 4 s", NOTHING, _sleep(4), needs="sleep", limits={"response_ms": 20000}, only=("warmpool",)),
    Case("suspend-long", "suspended for an hour", ANYTHING, _sleep(3600), needs="sleep", only=("warmpool",)),
    # The clients
    Case("slow-bodies", "16 slow request bodies", NOTHING, beside=((fault_clients.slow_body, 16),), fault_s=3),
    Case("slow-readers", "16 slow readers of 1 MB", NOTHING, beside=((fault_clients.slow_reader, 16),), fault_s=3),
    Case("quitters", "8 clients that hang up, in the queue and on the way", NOTHING, beside=((fault_clients.quitter, 8),), limits=_TIGHT,
         settings={"delay_ms": 10}),
    Case("dead-readers", "8 clients that die before 3 MB of answer", NOTHING, beside=((fault_clients.dead_reader, 8),)),
)
BY_NAME = {case.name: case for case in CASES}

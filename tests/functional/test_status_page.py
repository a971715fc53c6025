"""docs/status.md lists what /status, /advice, /unknown and /history show, each member with its kind, and nothing else."""
import json
import re
import time

import pytest

from admin_client import ON, ask
from crowd import Crowd
from daemon import ROOT, Warmpool, wait_all_read
from replies import KEY, new_uniq, poll, submit
from test_suspend import Sleeper, shim  # noqa: F401  pylint: disable=unused-import

ROW = re.compile(r"^\| `([^`]+)` \| (\w+) \| .*\|$")
KINDS = {str: "text", int: "count", float: "number", bool: "boolean"}
PAGES = ("/status", "/advice", "/unknown", "/history")


def documented():
    """page → {member: kind}"""
    found = {}
    for line in (ROOT / "docs/status.md").read_text().splitlines():
        if line.startswith("## "):
            members = found.setdefault(line[3:], {})
        elif match := ROW.match(line):
            assert match.group(1) not in members, f"{match.group(1)} stands there twice"
            members[match.group(1)] = match.group(2)
    return found


def shown(value, path=""):
    """(member, kind) of all that is in it."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from shown(one, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for one in value:
            yield from shown(one, path + "[]")
    else:
        yield path, KINDS[type(value)]


class Seen:
    """What several looks at the pages of daemons have shown."""

    def __init__(self):
        self.members = {page: set() for page in PAGES}

    def look(self, wp):
        """What /status showed in this look."""
        documents = {}
        for page in PAGES:
            text = ask(wp, path=page)[2]
            assert KEY not in text
            documents[page] = json.loads(text)
            self.members[page].update(shown(documents[page]))
        return documents["/status"]

    def until(self, wp, condition, timeout=30):
        deadline = time.monotonic() + timeout
        while not condition(self.look(wp)):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def compare(members, rows):
    """What differs, in words."""
    patterns = {name: re.compile(re.escape(name).replace(r"\*", r"[^.\[\]]+")) for name in rows}
    missing = set(rows)
    for member, kind in sorted(members):
        names = [name for name, pattern in patterns.items() if pattern.fullmatch(member)]
        missing.difference_update(names)
        if [rows[name] for name in names] != [kind]:
            yield f"{member} is a {kind}; documented as {[(name, rows[name]) for name in names]}"
    for name in sorted(missing):
        yield f"{name} was not shown"


def make_trouble(sim, wp):
    """Fates unknown and unread, a repeat, a refusal."""
    sim.fault(action="close", path="/in.php", times=1)
    assert submit(wp, new_uniq()).status_code == 424
    sim.fault(action="close", path="/res.php", times=1)
    assert poll(wp, None).status_code == 200
    rule = sim.fault(action="hold", path="/in.php")
    with wp.connect() as sock:
        sock.sendall(f"GET /in.php?key={KEY} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        sim.wait(lambda _: sim.acted(rule) == 1)
    wait_all_read(wp.port)
    sim.clear_faults()


def test_the_page_lists_what_is_shown(sim, shim, tmp_path):  # noqa: F811
    seen = Seen()
    sleeper = Sleeper(sim, shim, tmp_path, **{**ON, "pool.size": 8})
    with sleeper.wp as wp:
        make_trouble(sim, wp)
        with Crowd(wp, "crawler", 20) as crowd:
            seen.until(wp, lambda status: status["queue"]["by_client"] and status["ledger"]["unread"])
            crowd.wait(lambda: sum(crowd.statuses.values()) > 1100, timeout=60)
        sleeper.sleep(700)  # that much has been observed then
        seen.until(wp, lambda status: status["advice"]["verdict"].startswith("too") and "size" in status["advice"])
        seen.until(wp, lambda _: ("samples[][]", "count") in seen.members["/history"]
                   and ("pool.connections[].idle_s", "number") in seen.members["/status"])
        sim.refuse()
        sim.close_all()
        seen.until(wp, lambda status: not status["ready"] and "last_error" in status["pool"]["breaker"])
    place = f"unix:{tmp_path}/admin.sock"
    with Warmpool(sim, ready=False, upstream="https://no-such-name.invalid:{port}", **{"admin.listen": place}) as lost:
        lost.admin = place
        lost.wait_log("resolve failed")
        seen.until(lost, lambda status: "error" in status["dns"])
    rows = documented()
    assert sorted(rows) == sorted(PAGES)
    assert [fault for page in PAGES for fault in compare(seen.members[page], rows[page])] == []


@pytest.mark.parametrize("members, fault", [
    ({("a.b", "count"), ("a.c[]", "text")}, None),
    ({("a.b", "number"), ("a.c[]", "text")}, "a.b is a number"),
    ({("a.b", "count")}, "a.c[] was not shown"),
    ({("a.b", "count"), ("a.c[]", "text"), ("a.b.c", "text")}, "a.b.c is a text"),
])
def test_a_slip_is_told(members, fault):
    told = list(compare(members, {"a.*": "count", "a.c[]": "text"}))
    assert [text.startswith(fault) for text in told] == [True] if fault else not told

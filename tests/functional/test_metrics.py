"""/metrics as a real Prometheus sees it, beside what the simulated API and the clients counted themselves."""
import collections
import contextlib
import json
import os
import pathlib
import random
import re
import select
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest
import requests

from admin_client import ON, ask
from daemon import ROOT, Warmpool, read_response
from prometheus import Prometheus
from replies import KEY, new_uniq, poll, submit
from simctl import Simulator

sys.path.insert(0, str(ROOT / "tests/lint"))
import check_metrics  # noqa: E402

RULES = ROOT / "docs/grafana/warmpool-rules.yml"
DASHBOARD = ROOT / "docs/grafana/warmpool-dashboard.json"
SIZE, CLIENTS, REQUESTS, DELAY_MS = 6, 16, 70, 15
OPTIONS = {**ON, "pool.size": SIZE, "pool.solve_share": "100%", "timeouts.response": "2s"}

# What goes wrong at the API, for requests that carry the mark in their query.
FAULTS = [
    {"action": "close", "query": "mark=cut", "times": -1},
    {"action": "half_body", "query": "mark=half", "times": -1},
    {"action": "never", "query": "mark=silent", "times": -1},
    {"action": "status", "query": "mark=broken", "status": 500, "times": -1},
    {"action": "api_error", "query": "mark=poor", "code": "ERROR_ZERO_BALANCE", "times": -1},
    {"action": "delay", "query": "mark=left", "ms": 400, "times": -1},
]
# (weight, class, method, path, parameters, mark)
KINDS = [
    (30, "poll", "GET", "/res.php", "action=get&id=1", ""),
    (12, "submit", "GET", "/in.php", "method=userrecaptcha", ""),
    (12, "submit", "POST", "/in.php", "method=post", ""),
    (8, "read", "GET", "/res.php", "action=getbalance", ""),
    (6, "report", "GET", "/res.php", "action=reportbad&id=1", ""),
    (4, "other", "GET", "/bytes/5000", "", ""),
    (3, "solve", "GET", "/solve.php", "method=post&solve_ms=20", ""),
    (3, "unread", "BREW", "/res.php\x01", "", ""),  # no request at all
    (3, "submit", "POST", "/in.php", "method=post", "cut"),
    (3, "submit", "GET", "/in.php", "method=post", "half"),
    (3, "poll", "GET", "/res.php", "action=get&id=1", "cut"),
    (2, "report", "GET", "/res.php", "action=reportgood&id=1", "cut"),
    (3, "submit", "GET", "/in.php", "method=post", "left"),
    (3, "poll", "GET", "/res.php", "action=get&id=1", "broken"),
    (3, "submit", "GET", "/in.php", "method=post", "poor"),
    (.3, "poll", "GET", "/res.php", "action=get&id=1", "silent"),
]
HELD = [(1, "solve", "GET", "/solve.php", "method=post&solve_ms=0", "")]


class Socket:
    """Counts what goes over it."""

    def __init__(self, wp, totals):
        self._sock = wp.connect(30)
        self._totals = totals
        self._totals["connections"] += 1

    def sendall(self, data):
        self._sock.sendall(data)
        self._totals["sent"] += len(data)

    def recv(self, size):
        data = self._sock.recv(size)
        self._totals["received"] += len(data)
        return data

    def has_answer(self):
        return bool(select.select([self._sock], [], [], 0)[0])

    def leave(self):
        """Whether no answer has come; then it is left by a reset, and an answer that comes from now on is met by one."""
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.shutdown(socket.SHUT_RDWR)
        return self._sock.recv(1, socket.MSG_PEEK) == b""

    def close(self):
        self._sock.close()


class Client(threading.Thread):
    """One keep-alive client; `replies` counts what it was told by (class, status)."""

    def __init__(self, wp, number, requests_each, kinds=KINDS):
        super().__init__()
        self._wp, self._dice, self._count, self._kinds = wp, random.Random(number), requests_each, kinds
        self._sock = None
        self.totals, self.replies = collections.Counter(), collections.Counter()
        self.errors, self.uniqs, self.left, self.failure = collections.Counter(), [], 0, None

    def run(self):
        try:
            for kind in self._dice.choices(self._kinds, [row[0] for row in self._kinds], k=self._count):
                self._ask(*kind[1:])
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure
        finally:
            self._hang_up()

    def _hang_up(self):
        if self._sock is not None:
            self._sock.close()
        self._sock = None

    def _reaches_the_api(self, uniq):
        """False when it is refused instead."""
        while not self._sock.has_answer():
            if self._wp.sim.requests(uniq=uniq):
                return True
            time.sleep(0.01)
        return False

    def _ask(self, class_, method, path, params, mark):
        uniq = new_uniq()
        if class_ != "unread":
            self.uniqs.append((uniq, class_, mark))
        query = f"key={KEY}&uniq={uniq}&{params}" + (f"&mark={mark}" if mark else "")
        body = b"body=" + b"a" * self._dice.choice([10, 3000, 40000]) if method == "POST" else b""
        self._sock = self._sock or Socket(self._wp, self.totals)
        self._sock.sendall(f"{method} {path}?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
                           f"Content-Type: application/x-www-form-urlencoded\r\n\r\n".encode() + body)
        if mark == "left" and self._reaches_the_api(uniq) and self._sock.leave():
            self._hang_up()
            self.left += 1
            return
        status, headers, body, rest = read_response(self._sock)
        assert rest == b""
        self.replies[class_, status] += 1
        if "proxy-status" in headers:
            self.errors[body.decode().split("\n", 1)[0].removeprefix("ERROR_")] += 1
        if headers.get("connection") == "close" or mark == "left":
            self._hang_up()


def added(clients, name):
    return sum((getattr(client, name) for client in clients), collections.Counter())


def by_code(replies):
    """(class, "4xx") → how many."""
    found = collections.Counter()
    for (class_, status), count in replies.items():
        found[class_, f"{status // 100}xx"] += count
    return found


@contextlib.contextmanager
def watched(tmp_path, **options):
    with Simulator(delay_ms=DELAY_MS, keep_requests=20000) as sim, Warmpool(sim, secrets=[KEY], **{**OPTIONS, **options}) as wp:
        wp.sim = sim
        with Prometheus(wp, tmp_path, RULES) as prom:
            prom.catch_up()
            yield sim, wp, prom


def compare_with_clients(prom, clients, left):
    replies, errors = added(clients, "replies"), added(clients, "errors")
    shown = {(labels["class"], labels["code"]): number
             for labels, number in prom.query("warmpool_requests_total") if number}
    expected = by_code(replies)
    expected["submit", "2xx"] += left  # answered, to nobody
    assert shown == expected
    assert prom.by("error", "warmpool_error_replies_total") == errors
    assert prom.value("sum(warmpool_unknown_fates_total)") == errors["SUBMIT_UNKNOWN"]
    assert prom.by("class", "warmpool_unread_answers_total") == {"submit": left}
    totals = added(clients, "totals")
    assert prom.value("warmpool_client_connections_total") == totals["connections"]
    assert prom.value("warmpool_client_received_bytes_total") == totals["sent"]
    # Who ended his side is written to all the same, for it may be a half-close.
    assert 0 <= prom.value("warmpool_client_sent_bytes_total") - totals["received"] <= left * 200


def compare_with_api(sim, prom, clients, counters, unread):
    submits = sim.submits()
    asked = [row for client in clients for row in client.uniqs]
    sent = prom.by("class", "warmpool_upstream_requests_total")
    assert sum(sent.values()) == counters["requests"]["total"] + counters["requests"]["partial"] + unread
    if not unread:
        assert sent == counters["requests"]["by_class"]
        assert sent["submit"] + sent["solve"] == submits["total"]
        assert prom.value("warmpool_upstream_sent_bytes_total") == sum(
            len(row["head"]) + row["body_length"] for row in sim.requests(last=20000))
        # What arrived a second time is what was repeated.
        arrivals = submits["arrivals"]
        assert sum(arrivals.get(uniq, 0) - 1 for uniq, _, _ in asked if arrivals.get(uniq)) \
            == prom.value("sum(warmpool_repeats_total)")
        assert prom.value('warmpool_repeats_total{evidence="unknown"}') > 0
    assert submits["twice"] == []
    assert prom.by("kind", "warmpool_tls_handshakes_total") == {
        kind: count for kind, count in counters["handshakes"].items() if kind in ("full", "resumed") and count}
    assert prom.value("warmpool_upstream_connections_opened_total") == counters["connections"]["total"]
    assert prom.value("sum(warmpool_upstream_connections)") == counters["connections"]["open"]
    assert prom.value("warmpool_heartbeats_total") == 0
    assert not counters["violations"]


def judge_scrapes(prom, began):
    """What docs/metrics.md says holds, in every scrape."""
    for zero in ("warmpool_request_seconds_count - sum without (code) (warmpool_requests_total)",
                 "sum(warmpool_leases_total) - sum(warmpool_upstream_requests_total)",
                 'warmpool_connect_seconds_count{step="tcp"} - ignoring(step) warmpool_upstream_connections_opened_total',
                 'warmpool_connect_seconds_count{step="tls"} - ignoring(step) sum without (kind) (warmpool_tls_handshakes_total)',
                 "sum(warmpool_leases_total) - sum(warmpool_queue_wait_seconds_count) - sum(warmpool_repeats_total) > 0",
                 "warmpool_queue_wait_seconds_bucket{le='+Inf'} - ignoring(le) warmpool_queue_wait_seconds_count"):
        values = prom.history(zero, began)
        assert set(values) <= {0}, (zero, values)
    held = prom.history("sum(warmpool_upstream_connections)", began)
    assert len(held) >= 5 and max(held) <= SIZE == prom.value("warmpool_upstream_connections_max")
    assert max(prom.history("warmpool_requests_in_flight", began)) > SIZE
    assert max(prom.history("sum(warmpool_queue_length)", began)) > 0
    assert prom.value("sum(warmpool_connection_requests_sum)") <= prom.value("sum(warmpool_upstream_requests_total)")


def wait_shown(wp, prom, *lines):
    """/metrics says all of this, at one moment."""
    prom.wait(lambda: {*lines} <= {*ask(wp, path="/metrics")[2].splitlines()})


def settle(sim, prom):
    """What the API has counted, no connection coming up or going: the same before a scrape and after it."""
    for _ in range(20):
        counters = sim.counters()
        prom.catch_up()
        if counters == sim.counters() and not counters["handshakes"]["now"]:
            return counters
    raise AssertionError(f"its connections do not rest: {counters}")


def started(clients):
    for client in clients:
        client.start()
    return clients


def finish(clients):
    for client in clients:
        client.join()
    assert [client.failure for client in clients if client.failure] == []
    return clients


def run_clients(wp, prom, number, requests_each):
    clients = finish(started([Client(wp, one, requests_each) for one in range(number)]))
    wait_shown(wp, prom, "warmpool_requests_in_flight 0")
    return clients


def fill_the_pool(sim, wp, prom, began):
    """One request more than there are connections, all of them held until that was scraped."""
    sim.set(delay_ms=0)  # they are held as soon as they have arrived
    rule = sim.fault(action="hold", path="/solve.php", times=SIZE)
    clients = started([Client(wp, one, 1, HELD) for one in range(SIZE + 1)])
    prom.wait(lambda: max(prom.history("sum(warmpool_queue_length)", began)) > 0 and sim.acted(rule) == SIZE)
    sim.set(delay_ms=DELAY_MS)
    sim.clear_faults()
    return finish(clients)


def judge_labels(prom):
    """Every series is one that was declared: no address, no key, no task and no client's name is in a label."""
    declared = check_metrics.declared(ROOT)
    for series in prom.ask("series", **{"match[]": '{job="warmpool"}'}):
        name = series.pop("__name__")
        metric = declared.get(name) or declared.get(name.rsplit("_", 1)[0])
        for label, value in series.items():
            if metric is not None and label not in ("instance", "job", "le"):
                assert value in dict(metric.labels)[label] or label == "version", (name, series)
        assert metric is not None or name == "up" or name.startswith(("scrape_", "ALERTS"))


def judge_dashboard(prom):
    """Each of its panels can be drawn."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"].replace("$job", ".*").replace("$instance", ".*")
            found = prom.query(expression.replace("$__rate_interval", "30s").replace("$__range", "30s"))
            assert found or "> 0" in expression, (panel["title"], expression)


def test_prometheus_shows_what_the_api_and_the_clients_counted(tmp_path):
    with watched(tmp_path) as (sim, wp, prom):
        began = time.time()
        clients = fill_the_pool(sim, wp, prom, began)
        for rule in FAULTS:
            sim.fault(**rule)
        clients += run_clients(wp, prom, CLIENTS, REQUESTS)
        left = sum(client.left for client in clients)
        counters = settle(sim, prom)
        compare_with_clients(prom, clients, left)
        compare_with_api(sim, prom, clients, counters, unread=0)
        judge_scrapes(prom, began)
        judge_labels(prom)
        judge_dashboard(prom)
        assert left > 0
        prom.wait(lambda: {"WarmpoolOutcomeUnknown", "WarmpoolAnswersUnread"} <= {
            row["labels"]["alertname"] for row in prom.ask("alerts")["alerts"]})
        print(f"{sum(added(clients, 'replies').values())} replies, {left} clients that left; {counters['requests']}; "
              f"{counters['handshakes']}")


def test_requests_that_the_api_never_read_are_attempts(tmp_path):
    with watched(tmp_path) as (sim, wp, prom):
        rule = sim.fault(action="close_unread", how="rst", reused=True, times=8)
        clients = run_clients(wp, prom, 4, 30)
        assert sim.acted(rule) == 8
        compare_with_api(sim, prom, clients, settle(sim, prom), unread=8)
        told = added(clients, "errors")["SUBMIT_UNKNOWN"]
        assert prom.value("sum(warmpool_unknown_fates_total)") == told


def test_gauges_are_what_is_there_at_the_moment(tmp_path):
    patience = {"timeouts.response": "60s", "queue.timeout": "60s"}
    with watched(tmp_path, **{"queue.size": 4, **patience}) as (sim, wp, prom), contextlib.ExitStack() as stack:
        sim.fault(action="hold", query="mark=slow", times=-1)
        socks = [stack.enter_context(wp.connect(30)) for _ in range(SIZE + 4 + 3)]
        for number, sock in enumerate(socks, 1):
            sock.sendall(f"GET /res.php?key={KEY}&action=get&id=1&mark=slow HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            leased, queued = min(number, SIZE), min(max(number - SIZE, 0), 4)
            wait_shown(wp, prom, f'warmpool_upstream_connections{{state="leased"}} {leased}', f'warmpool_queue_length{{class="poll"}} {queued}')
        wait_shown(wp, prom, 'warmpool_client_connections{phase="lingering"} 3')  # for 2 s
        for sock in socks[-3:]:
            assert read_response(sock)[0] == 503
            sock.close()
        wait_shown(wp, prom, 'warmpool_client_connections{phase="lingering"} 0')
        prom.catch_up()
        assert prom.by("state", "warmpool_upstream_connections") == {"leased": SIZE}
        assert prom.by("class", "warmpool_queue_length") == {"poll": 4}
        assert prom.value("warmpool_queue_length_max") == 4
        assert prom.by("phase", "warmpool_client_connections") == {"waiting": SIZE + 4}
        assert prom.by("error", "warmpool_error_replies_total") == {"QUEUE_FULL": 3}
        # They were refused before they were looked at.
        assert prom.by("class", "warmpool_requests_total") == {"unread": 3}
        assert 0 < prom.value("warmpool_buffered_bytes") < prom.value("warmpool_buffered_bytes_max")
        for sock in socks[SIZE:SIZE + 4]:
            sock.close()
        wait_shown(wp, prom, f"warmpool_requests_in_flight {SIZE}")
        sim.clear_faults()
        for sock in socks[:SIZE]:
            assert read_response(sock)[0] == 200
        counters = settle(sim, prom)
        assert prom.by("phase", "warmpool_client_connections") == {"idle": SIZE}
        assert prom.value("sum(warmpool_upstream_connections)") == counters["connections"]["open"]
        assert prom.by("source", "warmpool_idle_timeout_source") == {"assumed": 1}


def number(page, name):
    return float(re.search(rf"^{re.escape(name)} (\S+)$", page, re.MULTILINE).group(1))


def test_the_process_is_shown_as_the_kernel_sees_it(sim):
    with Warmpool(sim, **ON) as wp:
        for _ in range(200):
            assert poll(wp, None).status_code == 200
        folder = pathlib.Path(f"/proc/{wp.process.pid}")
        page = ask(wp, path="/metrics")[2]
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
        ticks = os.sysconf("SC_CLK_TCK")
        assert number(page, "process_open_fds") == pytest.approx(wp.descriptors(), abs=2)
        assert number(page, "process_max_fds") == int(re.search(r"Max open files +(\d+)", (folder / "limits").read_text()).group(1))
        assert number(page, "process_resident_memory_bytes") == pytest.approx(
            int(re.search(r"VmRSS:\s+(\d+)", (folder / "status").read_text()).group(1)) * 1024, rel=.1)
        assert number(page, "process_cpu_seconds_total") == pytest.approx((int(fields[11]) + int(fields[12])) / ticks, abs=.05)
        up_s = float(pathlib.Path("/proc/uptime").read_text().split()[0]) - int(fields[19]) / ticks
        assert number(page, "process_start_time_seconds") == pytest.approx(time.time() - up_s, abs=3)


def test_promtool_finds_nothing_to_say(sim):
    with Warmpool(sim, **ON) as wp:
        uniq = new_uniq()
        task = submit(wp, uniq).text.removeprefix("OK|")
        requests.get(wp.url.replace("//", "//crawler:@") + f"/res.php?key={KEY}&action=get&id={task}", timeout=20)
        page = ask(wp, path="/metrics")[2]
        done = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        for secret in (KEY, uniq, task, "crawler", "127.0.0.1"):
            assert secret not in page

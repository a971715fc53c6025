"""Two instances with half the bound each behind a real HAProxy, by conf/haproxy.cfg as it is shipped."""
import asyncio
import base64
import collections
import hashlib
import signal
import socket
import subprocess
import time

import pytest
import requests

import load
import traffic
from balancer import HAPROXY, Haproxy
from daemon import Warmpool, free_port, read_all, read_response
from replies import KEY, ask, new_uniq, poll, submit

pytestmark = pytest.mark.skipif(HAPROXY is None, reason="needs haproxy")

HALF = 5


def _instance(sim, port, **options):
    return Warmpool(sim, listen=f"127.0.0.1:{port}", secrets=[KEY], **{"pool.size": HALF, **options})


class _Office:
    """The simulator, two instances, and HAProxy before them."""

    def __init__(self, sim, directory, change=(), **options):
        self.ports = [free_port(), free_port()]
        self._start = lambda port: _instance(sim, port, **options)
        self.instances = [self._start(port) for port in self.ports]
        self.front = Haproxy(self.ports, directory, change)
        self.ended = []

    def start_again(self, number):
        """The instance of that number has ended; another one takes its place."""
        self.ended.append(self.instances[number])
        self.instances[number] = self._start(self.ports[number])

    def __enter__(self):
        return self

    def __exit__(self, failed, value, traceback):
        with self.front:
            pass
        for instance in self.instances:
            instance.__exit__(failed, value, traceback)


@pytest.fixture(name="office")
def _office(sim, tmp_path):
    with _Office(sim, tmp_path) as office:
        yield office


def _until_logged(office, words, count):
    """All requests' lines of both instances, once so many hold the words."""
    deadline = time.monotonic() + 10
    while True:
        lines = [line for instance in office.instances for line in instance.access_lines()]
        if sum(words in line for line in lines) >= count:
            return lines
        assert time.monotonic() < deadline, lines
        time.sleep(0.01)


def _mixed(count):
    """Half of them submit, half of them poll."""
    return [traffic.Client(f"c{n}", ("/in.php", "/res.php")[n % 2], lambda dice: dice.uniform(0, 0.05)) for n in range(count)]


def _tally(outcomes):
    return collections.Counter((outcome.path, outcome.status) for outcome in outcomes)


def test_each_answer_is_its_own_and_the_bound_holds(sim, office):
    sim.set(delay_ms=10)
    result = load.run(office.front, clients=150, requests=4)
    assert result.errors == [] and result.statuses == {200: 600}
    assert sim.counters()["connections"]["max_open"] <= 2 * HALF
    shares = [len(instance.access_lines()) for instance in office.instances]
    assert min(shares) > 150, shares


def test_no_submit_is_doubled_or_lost_when_both_are_restarted_in_turn(sim, office):
    sim.set(delay_ms=30)

    async def restart():
        for number in (0, 1):
            await asyncio.sleep(1)
            await asyncio.to_thread(office.instances[number].stop)
            await asyncio.to_thread(office.start_again, number)
            await asyncio.to_thread(office.instances[number].wait_log, " access ")  # HAProxy takes it for up again
        await asyncio.to_thread(sim.wait, lambda counters: counters["requests"]["by_path"].get("GET /in.php", 0) > 200, 60)

    outcomes = asyncio.run(traffic.run(office.front, _mixed(40), during=restart()))
    print(_tally(outcomes))
    assert {outcome.status for outcome in outcomes} == {200}, [o for o in outcomes if o.status != 200][:5]
    seen = sim.submits()
    sent = [outcome.uniq for outcome in outcomes if outcome.path == "/in.php"]
    assert seen["twice"] == [] and seen["by_uniq"] == {uniq: 1 for uniq in sent}
    assert len(sent) > 200
    assert sim.counters()["connections"]["max_open"] <= 2 * HALF


def test_of_an_instance_that_is_killed_only_what_was_in_flight_fails_and_says_so(sim, office):
    sim.set(delay_ms=60)

    async def kill():
        await asyncio.sleep(1)
        held = sim.fault(action="delay", path="/", ms=1500, times=2 * HALF)
        await asyncio.to_thread(sim.wait, lambda _: sim.acted(held) == 2 * HALF)  # each connection of both is in use
        office.instances[0].process.kill()
        await asyncio.sleep(2)

    outcomes = asyncio.run(traffic.run(office.front, _mixed(40), during=kill()))
    office.instances[0].stop(expect=-signal.SIGKILL)
    tally = _tally(outcomes)
    print(tally)
    # One request a client can have been on its way to it. 0, an end without an answer, is what some clients take for leave to send again.
    assert set(tally) <= {("/in.php", 200), ("/in.php", 424), ("/res.php", 200), ("/res.php", 502)}
    failed = [outcome for outcome in outcomes if outcome.status != 200]
    assert 0 < len(failed) <= 40
    assert max(o.ended for o in failed) - min(o.ended for o in failed) < 1
    seen = sim.submits()
    assert seen["twice"] == [] and set(seen["arrivals"].values()) <= {1}
    good = {outcome.uniq for outcome in outcomes if outcome.path == "/in.php" and outcome.status == 200}
    assert good <= set(seen["by_uniq"])
    office.start_again(0)
    assert poll(office.front, new_uniq()).status_code == 200


def test_a_submit_that_broke_off_is_told_424(sim, office):
    sim.fault(action="never", path="/in.php")
    with socket.create_connection((office.front.host, office.front.port), 20) as sock:
        sock.sendall(f"GET /in.php?key={KEY} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        sim.wait(lambda counters: counters["requests"]["by_path"].get("GET /in.php", 0) == 1)
        for instance in office.instances:
            instance.process.kill()
            instance.stop(expect=-signal.SIGKILL)
        answer = read_all(sock)
    assert answer.startswith(b"HTTP/1.1 424 ") and answer.endswith(b"\r\n\r\nERROR_SUBMIT_UNKNOWN")
    assert b"retry-after" not in answer.lower()


def _submit_to_one_that_dies(sim, office):
    """By a curl that has had an answer on its connection before: how often the submit reached the API, and what curl was told."""
    uniq = new_uniq()
    rule = sim.fault(action="never", path="/in.php")
    curl = subprocess.Popen(["curl", "-sS", "--noproxy", "*", f"{office.front.url}/res.php?key={KEY}&action=getbalance",
                             f"{office.front.url}/in.php?key={KEY}&uniq={uniq}"], stdout=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 20
    while sim.acted(rule) == 0:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    office.instances[0].process.kill()
    office.instances[0].stop(expect=-signal.SIGKILL)
    said, _ = curl.communicate(timeout=30)
    office.start_again(0)
    deadline = time.monotonic() + 20
    while not any(" class=submit " in line for line in office.instances[0].access_lines()):
        assert time.monotonic() < deadline   # it is not taken for up again, by the backend for submits
        submit(office.front, new_uniq())
        time.sleep(0.05)
    return sim.submits()["arrivals"][uniq], said


@pytest.mark.parametrize("change", [[], [("    option httpclose\n", "")]])
def test_why_a_connection_carries_one_request(sim, tmp_path, change):
    """Without, HAProxy may end curl's connection without an answer, and curl sends the submit again: a matter of luck each time."""
    with _Office(sim, tmp_path, [*change, ("balance leastconn", "balance first")]) as office:
        seen = []
        while len(seen) < 3 or (change and len(seen) < 12 and max(seen)[0] == 1):
            seen.append(_submit_to_one_that_dies(sim, office))
        if change:
            assert max(seen)[0] == 2, seen
        else:
            assert all(times == 1 and said.endswith("ERROR_SUBMIT_UNKNOWN") for times, said in seen), seen


def test_what_haproxy_says_itself_has_the_shape_of_the_api(office):
    front = office.front
    for instance in office.instances:
        instance.stop()
    for path in ("/in.php", "/res.php"):
        refused = ask(front, path, new_uniq())
        assert (refused.status_code, refused.text, refused.headers["Retry-After"]) == (503, "ERROR_NO_INSTANCE", "1")
    large = requests.get(f"{front.url}/in.php?key={KEY}&body={'A' * 70000}", timeout=20)
    assert large.status_code == 400


def test_who_hangs_up_in_the_queue_is_not_submitted(sim, tmp_path):
    with _Office(sim, tmp_path, **{"pool.size": 1, "queue.timeout": "60s"}) as office:
        rule = sim.fault(action="hold", path="/echo", times=2)
        held = [socket.create_connection((wp.host, wp.port), 20) for wp in office.instances]
        for sock in held:
            sock.sendall(b"GET /echo HTTP/1.1\r\nHost: localhost\r\n\r\n")
        sim.wait(lambda _: sim.acted(rule) == 2)
        uniq = new_uniq()
        with pytest.raises(requests.exceptions.ReadTimeout):
            submit(office.front, uniq, timeout=0.5)
        _until_logged(office, " class=submit ", 1)  # it has been taken out
        sim.clear_faults()
        for sock in held:
            assert read_response(sock)[0] == 200
            sock.close()
        office.front.wait_log("POST /in.php|GET /in.php")
        assert poll(office.front, new_uniq()).status_code == 200
        assert sim.submits()["arrivals"].get(uniq, 0) == 0


def test_images_in_the_target_up_to_the_limit_of_each_setting(sim, tmp_path):
    sizes = {"65536": 60_000, "2300000": 2_000_000}
    for buffer, size in sizes.items():
        with _Office(sim, tmp_path, [("tune.bufsize 65536", f"tune.bufsize {buffer}")]) as office:
            uniq, image = new_uniq(), "A" * size
            assert requests.get(f"{office.front.url}/in.php?key={KEY}&uniq={uniq}&method=base64&body={image}",
                                timeout=60).text.startswith("OK|")
            uniq = new_uniq()
            assert submit(office.front, uniq, method="POST", body={"key": KEY, "method": "base64", "body": image, "uniq": uniq},
                          timeout=60).text.startswith("OK|")


def test_what_clients_send_comes_through(sim, office):
    front = office.front
    body = b"A" * 200_000
    with socket.create_connection((front.host, front.port), 20) as sock:
        sock.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body))
        assert read_response(sock)[0] == 100
        sock.sendall(body)
        status, _, answer, _ = read_response(sock)
        assert status == 200 and hashlib.sha256(body).hexdigest().encode() in answer
    label = base64.b64encode(b"crawler:").decode()
    with socket.create_connection((front.host, front.port), 20) as sock:  # as through http_proxy
        sock.sendall(f"GET http://localhost/echo?secret=1 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic {label}\r\n\r\n".encode())
        status, _, answer, _ = read_response(sock)
        assert status == 200 and b'"/echo?secret=1"' in answer and b"uthorization" not in answer and b"orwarded" not in answer
    _until_logged(office, "client=crawler ", 1)
    front.wait_log(r"200 bytes=\d+ .* retries=0 GET /echo")
    assert "secret" not in front.log() and KEY not in front.log()


def test_a_name_is_kept_where_haproxy_asks_for_tokens(sim, tmp_path):
    """To an instance on its own machine HAProxy is a client of this machine, which needs no token: it has to ask itself."""
    tokens = tmp_path / "tokens"
    tokens.write_text("team-a:correct-horse\n")
    change = [("\nglobal\n", "\nuserlist pool\n    user team-a insecure-password correct-horse\nglobal\n"),
              ("    # http-request auth", "    http-request auth")]
    with _Office(sim, tmp_path, change, **{"access.tokens": str(tokens)}) as office:
        url = office.front.url.replace("//", "//{}@")
        ask_as = lambda who: requests.get(url.format(who) + "/echo", timeout=20).status_code
        assert ask_as("team-a:correct-horse") == 200
        assert [ask_as("team-a:wrong-horse") for _ in range(12)] == [401] * 12
        assert requests.get(office.front.url + "/echo", timeout=20).status_code == 401
        assert ask_as("team-a:correct-horse") == 200
        assert len(_until_logged(office, "client=team-a ", 2)) == 2

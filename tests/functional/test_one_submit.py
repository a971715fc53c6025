"""The rule of one submit: what was sent and whose fate is unknown is never sent again, and nobody is told to."""
import concurrent.futures
import json
import socket
import struct

import pytest
import requests
import requests.adapters
import urllib3

import nodejs
from daemon import Warmpool, wait_all_read
from replies import KEY, arrived, ask, assert_error, assert_unknown, new_uniq, poll, report, submit
from simctl import Simulator

FORMS = [(method, is_json) for method in ("GET", "POST") for is_json in (False, True)]


@pytest.fixture(scope="module", params=[0, 1, 20], ids="idle{}".format)
def warm(request):
    """A daemon with so many idle connections, which the simulator sees."""
    with Simulator(idle_timeout=0) as sim:
        with Warmpool(sim, secrets=[KEY], **{"pool.size": 25, "pool.min_idle": request.param}) as wp:
            wp.idle = request.param
            wp.sim = sim
            yield wp


@pytest.fixture(autouse=True)
def no_old_rules(request):
    if "warm" in request.fixturenames:
        wp = request.getfixturevalue("warm")
        wp.sim.clear_faults()
        if wp.idle:
            wp.sim.wait(lambda counters: counters["connections"]["open"] >= wp.idle)


@pytest.mark.parametrize("method,is_json", FORMS)
@pytest.mark.parametrize("fault", [
    {"action": "close", "how": "fin"}, {"action": "close", "how": "fin_no_notify"},
    {"action": "close", "how": "notify_only"}, {"action": "close", "how": "linger"}, {"action": "rst"},
], ids=lambda fault: fault["action"] + "-" + fault.get("how", ""))
def test_a_submit_read_and_not_answered_arrives_once(warm, method, is_json, fault):
    uniq = new_uniq()
    warm.sim.fault(path="/in.php", times=-1, **fault)
    assert_unknown(submit(warm, uniq, method=method, is_json=is_json), is_json=is_json)
    assert arrived(warm.sim, uniq) == 1


def test_a_submit_on_a_used_connection_arrives_once(warm):
    # Which connection is lent is the pool's affair: submits on new ones are answered.
    rule = warm.sim.fault(action="close", path="/in.php", reused=True, times=1)
    for _ in range(200):
        uniq = new_uniq()
        response = submit(warm, uniq)
        assert arrived(warm.sim, uniq) == 1
        if warm.sim.acted(rule):
            break
        assert response.status_code == 200
    assert_unknown(response)


def test_many_submits_at_once_arrive_once_each(warm):
    uniqs = [new_uniq() for _ in range(40)]
    warm.sim.fault(action="close", path="/in.php", times=-1)
    with concurrent.futures.ThreadPoolExecutor(40) as crowd:
        for response in crowd.map(lambda uniq: submit(warm, uniq), uniqs):
            assert_unknown(response)
    seen = warm.sim.submits()["arrivals"]
    assert {uniq: seen.get(uniq) for uniq in uniqs} == dict.fromkeys(uniqs, 1)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("action", ["close", "rst"])
def test_a_poll_in_the_same_place_succeeds_by_one_repeat(warm, method, action):
    task = submit(warm, new_uniq(), solve_ms=0).text[3:]
    uniq = new_uniq()
    warm.sim.fault(action=action, path="/res.php")
    response = poll(warm, uniq, task, method=method)
    assert (response.status_code, response.text[:9]) == (200, "OK|token-")
    assert arrived(warm.sim, uniq) == 2


def test_a_poll_is_not_repeated_twice(warm):
    uniq = new_uniq()
    warm.sim.fault(action="close", path="/res.php", times=-1)
    assert_error(poll(warm, uniq), 502, "CONNECTION_ENDED", "connection_terminated")
    assert arrived(warm.sim, uniq) == 2


@pytest.mark.parametrize("action", ["getbalance", "threadsinfo"])
def test_a_read_is_repeated_once(warm, action):
    uniq = new_uniq()
    warm.sim.fault(action="close", path="/res.php")
    assert ask(warm, "/res.php", uniq, action=action).status_code == 200
    assert arrived(warm.sim, uniq) == 2


@pytest.mark.parametrize("method,is_json", FORMS)
def test_a_report_is_never_repeated(warm, method, is_json):
    uniq = new_uniq()
    warm.sim.fault(action="close", path="/res.php", times=-1)
    assert_error(report(warm, uniq, method=method, is_json=is_json), 502, "CONNECTION_ENDED",
                 "connection_terminated", is_json)
    assert arrived(warm.sim, uniq) == 1


@pytest.mark.parametrize("method,is_json", FORMS)
def test_a_solve_is_never_repeated(warm, method, is_json):
    uniq = new_uniq()
    warm.sim.fault(action="close", path="/solve.php", times=-1)
    assert_unknown(ask(warm, "/solve.php", uniq, method=method, is_json=is_json), is_json=is_json)
    assert arrived(warm.sim, uniq) == 1


@pytest.mark.parametrize("path,error", [
    ("/res%2Ephp", b"502 Bad Gateway ERROR_CONNECTION_ENDED"), ("/other", b"502 Bad Gateway ERROR_CONNECTION_ENDED"),
    # Other spellings of a paying path: clients re-send a GET on 502, so these get the unknown submit's answer.
    *((path, b"424 Failed Dependency ERROR_SUBMIT_UNKNOWN") for path in ("/in.php/", "//in.php", "/IN.php", "/in%2Ephp")),
])
def test_other_paths_are_not_repeated(warm, path, error):
    uniq = new_uniq()
    warm.sim.fault(action="close", times=-1)
    # By hand: client libraries would normalise the path.
    answer = warm.raw(f"GET {path}?key={KEY}&uniq={uniq} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    status, body = error.rsplit(b" ", 1)
    assert answer.startswith(b"HTTP/1.1 " + status) and answer.endswith(b"\r\n\r\n" + body)
    assert arrived(warm.sim, uniq) == 1


@pytest.mark.parametrize("method,path,times", [
    ("GET", "/echo", 2), ("HEAD", "/echo", 2), ("POST", "/echo", 1), ("DELETE", "/echo", 1), ("GET", "//in.php", 1),
    ("GET", "/in.php", 1), ("GET", "/solve.php", 1),
])
def test_other_is_repeated_only_where_told(sim, method, path, times):
    uniq = new_uniq()
    sim.fault(action="close", times=-1)
    with Warmpool(sim, **{"upstream.repeat_other": "true"}) as wp:
        requests.request(method, f"{wp.url}{path}?key={KEY}&uniq={uniq}", timeout=20)
    assert arrived(sim, uniq) == times


def test_the_budget_bounds_the_repeats_of_unknown_fate(sim):
    # 20 % of the last 10 s' requests and pool.size: 3 + 20 requests x 0.2 at the most.
    count, size = 20, 3
    with Warmpool(sim, **{"pool.size": size, "pool.min_idle": 1}) as wp:
        sim.fault(action="close", path="/res.php", times=-1)
        uniqs = [new_uniq() for _ in range(count)]
        for uniq in uniqs:
            assert_error(poll(wp, uniq), 502, "CONNECTION_ENDED", "connection_terminated")
        twice = [uniq for uniq in uniqs if arrived(sim, uniq) == 2]
        assert size <= len(twice) <= size + count // 5
        assert twice[:size] == uniqs[:size]
        # A repeat on good evidence needs no budget, and an answer is still an answer.
        sim.clear_faults()
        assert poll(wp, new_uniq()).status_code == 200


GOT = """
const got = require("got");
got(process.argv[2]).then((r) => [r.statusCode, r.body], (e) => [e.response && e.response.statusCode, e.response ? e.response.body : e.message])
  .then((said) => console.log(JSON.stringify(said)));
"""
AXIOS_RETRY = """
const axios = require("axios");
require("axios-retry").default(axios, { retries: 3 });
axios.get(process.argv[2]).then((r) => [r.status, r.data], (e) => [e.response && e.response.status, e.response ? e.response.data : e.message])
  .then((said) => console.log(JSON.stringify(said)));
"""
UNDICI_RETRY = """
const { Agent, RetryAgent, request } = require("undici");
const agent = new RetryAgent(new Agent(), { maxRetries: 3 });
request(process.argv[2], { dispatcher: agent }).then(async (r) => [r.statusCode, await r.body.text()], (e) => [e.statusCode, e.message])
  .then((said) => { console.log(JSON.stringify(said)); process.exit(0); });
"""


def by_requests_with_retry(url):
    retry = urllib3.Retry(total=3, status_forcelist=[502, 503, 504], backoff_factor=0.01)
    with requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
        response = session.get(url, timeout=20)
        return [response.status_code, response.text]


CLIENTS = {
    "got": lambda url: nodejs.run_json(GOT, url),
    "axios-retry": lambda url: nodejs.run_json(AXIOS_RETRY, url),
    "undici-retry": lambda url: nodejs.run_json(UNDICI_RETRY, url),
    "requests-retry": by_requests_with_retry,
}


@pytest.fixture(scope="module")
def plain_wp():
    with Simulator() as sim:
        with Warmpool(sim, **{"timeouts.response": "300ms"}) as wp:
            wp.sim = sim
            yield wp


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("action", ["close", "rst", "never"])
def test_clients_that_repeat_by_themselves_submit_once(plain_wp, client, action):
    uniq = new_uniq()
    plain_wp.sim.clear_faults()
    plain_wp.sim.fault(action=action, path="/in.php", times=-1)
    status, text = CLIENTS[client](f"{plain_wp.url}/in.php?key={KEY}&uniq={uniq}&method=x")
    assert status == 424, text
    assert arrived(plain_wp.sim, uniq) == 1


def test_one_of_those_clients_does_repeat_a_502(sim, wp):
    # Or the test above could not fail.
    uniq = new_uniq()
    sim.fault(action="status", status=502, path="/in.php", times=2)
    status, _text = by_requests_with_retry(f"{wp.url}/in.php?key={KEY}&uniq={uniq}")
    assert (status, arrived(sim, uniq)) == (200, 3)


def leave(sock, how):
    if how == "rst":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize("how", ["rst", "fin"])
@pytest.mark.parametrize("path,is_json", [("/in.php", False), ("/in.php", True), ("/solve.php", False)])
def test_a_client_that_leaves_after_its_submit_was_sent(sim, how, path, is_json):
    uniq = new_uniq()
    with Warmpool(sim, secrets=[KEY], **{"pool.size": 1, "pool.min_idle": 1}) as wp:
        number = sim.connections()[0]["number"]
        rule = sim.fault(action="hold", path=path)
        sock = wp.connect()
        sock.sendall(f"GET {path}?key={KEY}&uniq={uniq}&solve_ms=0&json={int(is_json)} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        sim.wait(lambda _counters: sim.acted(rule) == 1)
        leave(sock, how)
        wait_all_read(wp.port)
        sim.clear_faults()
        line = wp.wait_log(r".*ledger .*").group(0)
        assert "warning" in line.lower() and "class=" + path[1:-4].replace("in", "submit") in line
        if path == "/in.php":
            assert "task=73548291" in line
        assert poll(wp, None).status_code == 200
        # Its answer was read to its end: the connection lives on and carried the poll.
        assert [(c["number"], c["requests"]) for c in sim.connections()] == [(number, 2)]
    assert arrived(sim, uniq) == 1


def test_a_half_closed_client_is_answered(sim, wp):
    uniq = new_uniq()
    sim.fault(action="delay", ms=100, path="/in.php")
    answer = wp.raw(f"GET /in.php?key={KEY}&uniq={uniq}&json=1 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode(), shut=True)
    head, body = answer.split(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert json.loads(body)["status"] == 1
    assert "ledger" not in wp.log()
    assert arrived(sim, uniq) == 1


def test_an_unknown_submit_is_in_the_log(sim, wp):
    wp.secrets.append(KEY)
    sim.fault(action="close", path="/in.php")
    assert_unknown(submit(wp, new_uniq()))
    line = wp.wait_log(r".*ledger .*").group(0)
    assert "fate=unknown" in line and "error=CONNECTION_ENDED" in line and "sent_bytes=" in line

"""The pool's key: which requests get it, in which bodies, and where it never shows. The simulator knows no other account."""
import json
import os
import pathlib
import signal
import subprocess

import pytest
import requests

import nodejs
from daemon import BINARY, Warmpool, read_response
from replies import assert_unknown, new_uniq
from simctl import Simulator
from test_reload import Configured
from test_tokens import HERE, write_tokens

POOL_KEY = "P00lK3yP00lK3yP00lK3yP00lK3y1234"
OTHER_KEY = "fedcba9876543210fedcba9876543210"
ZEROS = "0" * 32


def write_key(path, key=POOL_KEY):
    path.write_text(key + "\n")
    path.chmod(0o600)
    return path


@pytest.fixture(scope="module")
def key_file(tmp_path_factory):
    return write_key(tmp_path_factory.mktemp("key") / "api_key")


@pytest.fixture(scope="module")
def sim():
    with Simulator(idle_timeout=0, image_limit_kb=0, key=[POOL_KEY]) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def wp(sim, key_file):
    with Warmpool(sim, secrets=[POOL_KEY], **{"log.level": "debug", "upstream.api_key_file": key_file}) as daemon:
        yield daemon


@pytest.fixture(autouse=True)
def no_violations(sim):
    yield
    assert not sim.counters()["violations"]


@pytest.fixture
def client():
    with requests.Session() as session:
        session.trust_env = False
        yield session


def run_check(*settings):
    arguments = [word for setting in settings for word in ("--set", setting)]
    return subprocess.run([BINARY, "check", *arguments], capture_output=True, text=True, timeout=30, check=False)


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "-i", "--noproxy", "*", "--max-time", "20", *arguments], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert POOL_KEY not in done.stdout
    return done.stdout.rsplit("\n\n", 1)[1]


# --- real clients ---

@pytest.mark.parametrize("place", [None, "", "-", ZEROS])
def test_curl(sim, wp, tmp_path, place):
    image = tmp_path / "captcha.png"
    image.write_bytes(b"\x89PNG" * 100_000)
    query = "" if place is None else f"key={place}&"
    for way in (lambda u: [f"{wp.url}/in.php?{query}uniq={u}&body=AB+/=="],
                lambda u: [f"{wp.url}/in.php", "-d", f"{query}uniq={u}"],
                lambda u: [f"{wp.url}/in.php?uniq={u}", "-d", f"{query}body=AB%2B"],
                lambda u: [f"{wp.url}/in.php", "-F", f"uniq={u}", "-F", f"file=@{image}",
                           *([] if place is None else ["-F", f"key={place}"])],
                lambda u: [f"{wp.url}/in.php", "-H", "Content-Type: application/json",
                           "-d", json.dumps({"uniq": u, **({} if place is None else {"key": place})})]):
        uniq = new_uniq()
        assert curl(*way(uniq)).startswith("OK|")
        assert sim.submits()["by_uniq"].get(uniq) == 1


@pytest.mark.parametrize("place", [None, "", "-", ZEROS])
def test_requests(sim, wp, client, place):
    fields = {"method": "userrecaptcha", **({} if place is None else {"key": place})}
    image = b"\xff\r\n--" * 100_000
    for way in ({"params": {}}, {"data": {}}, {"json": {}}, {"data": {}, "files": {"file": image}}):
        uniq = new_uniq()
        name = next(iter(way))
        answer = client.request("GET" if name == "params" else "POST", wp.url + "/in.php", timeout=20,
                                **{**way, name: {**fields, "uniq": uniq}})
        assert answer.text.startswith("OK|"), (way, answer.text)
        assert POOL_KEY not in str(answer.headers)
        assert sim.submits()["by_uniq"].get(uniq) == 1


def test_axios(sim, wp):
    mark = new_uniq()
    answers = nodejs.run_json("inject.js", wp.url, mark)
    assert len(answers) == 16
    for way, answer in answers.items():
        assert answer.startswith("OK|"), (way, answer)
        assert sim.submits()["by_uniq"].get(f"{mark}-{way}") == 1


@pytest.mark.parametrize("path", ["/res.php?action=getbalance", "/solve.php?solve_ms=0&method=x"])
def test_the_other_paths(wp, client, path):
    answer = client.get(wp.url + path, timeout=20)
    assert answer.status_code == 200 and "ERROR" not in answer.text


def test_a_unix_socket(sim, key_file, tmp_path):
    with Warmpool(sim, secrets=[POOL_KEY], listen=f"unix:{tmp_path}/http.sock", **{"upstream.api_key_file": key_file}):
        assert curl("--unix-socket", f"{tmp_path}/http.sock", "http://localhost/in.php").startswith("OK|")


# --- what stays as it is ---

@pytest.mark.parametrize("target,body", [
    (f"/in.php?key={OTHER_KEY}", ""),
    (f"/in.php?key={OTHER_KEY}&key=", ""),
    ("/in.php?key=", f"key={OTHER_KEY}"),
    (f"/in.php?key={OTHER_KEY}", "key=-"),
    ("/in.php?key[]=", ""),
    ("/in.php/", ""), ("/IN.php?a=1", ""), ("//in.php", ""), ("/echo?key=", ""), ("/in%2Ephp", ""),
])
def test_what_gets_no_key(sim, wp, client, target, body):
    uniq = new_uniq()
    with wp.connect() as sock:
        sock.sendall(f"POST {target}{'&' if '?' in target else '?'}uniq={uniq} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
                     f"Content-Type: application/x-www-form-urlencoded\r\n\r\n{body}".encode())
        _, _, answer, _ = read_response(sock)
    seen = sim.requests(uniq=uniq)[-1]
    assert POOL_KEY not in seen["head"] and POOL_KEY.encode() not in answer
    assert seen["head"].startswith(f"POST {target}{'&' if '?' in target else '?'}uniq={uniq} ")
    assert seen["body_length"] == len(body)


def test_a_trace_gets_no_key(sim, wp, client):
    uniq = new_uniq()
    client.request("TRACE", f"{wp.url}/in.php?uniq={uniq}", timeout=20)
    assert POOL_KEY not in sim.requests(uniq=uniq)[-1]["head"]


def test_without_a_key_nothing_changes(sim, client):
    with Warmpool(sim) as wp:
        answer = client.get(wp.url + "/in.php?key=-", headers={"Origin": "https://example.com"}, timeout=20)
        assert answer.text == "ERROR_WRONG_USER_KEY"


def test_bounds_hold_for_what_is_sent(sim, key_file, client):
    with Warmpool(sim, **{"upstream.api_key_file": key_file, "limits.request_target": 256, "limits.request_body": 100}) as wp:
        answer = client.get(wp.url + "/in.php?a=" + "x" * 230, timeout=20)
        assert (answer.status_code, answer.text.split("\n")[0]) == (414, "ERROR_TARGET_TOO_LONG")
        answer = client.post(wp.url + "/in.php", data={"key": "", "a": "x" * 90}, timeout=20)
        assert (answer.status_code, answer.text.split("\n")[0]) == (413, "ERROR_BODY_TOO_LARGE")


# --- repeats and reloads ---

def test_a_repeat_sends_the_same_bytes(sim, wp, client):
    for way, options in (("GET", {"params": {"action": "get", "id": "1"}}), ("POST", {"data": {"action": "get", "id": "1", "key": ""}})):
        uniq = new_uniq()
        rule = sim.fault(action="close", path="/res.php", times=1)
        name = next(iter(options))
        answer = client.request(way, wp.url + "/res.php", timeout=20, **{name: {**options[name], "uniq": uniq}})
        sim.wait(lambda _: sim.acted(rule) == 1)
        assert answer.status_code == 200
        first, second = sim.requests(uniq=uniq)
        assert (first["head"], first["body_sha256"]) == (second["head"], second["body_sha256"])
        assert first["connection"] != second["connection"]
    sim.clear_faults()


def test_an_unknown_submit_shows_no_key(sim, wp, client):
    sim.fault(action="close", path="/in.php", times=1)
    answer = client.get(wp.url + "/in.php?key=-", timeout=20)
    sim.clear_faults()
    assert_unknown(answer)
    assert POOL_KEY not in str(answer.headers)


def test_a_reload_brings_the_key_changes_it_and_takes_it_away(sim, tmp_path, client):
    key_file = write_key(tmp_path / "api_key", OTHER_KEY)
    with Configured(sim, tmp_path / "w.yaml", "", secrets=[POOL_KEY, OTHER_KEY]) as wp:
        def ask():
            return client.get(wp.url + "/in.php", timeout=20).text

        assert ask() == "ERROR_WRONG_USER_KEY"
        text = f"upstream: {{api_key_file: {key_file}}}\n"
        wp.reload(text)
        # The simulator knows this account not.
        assert ask() == "ERROR_KEY_DOES_NOT_EXIST"
        write_key(key_file)
        wp.reload(text)
        assert ask().startswith("OK|")
        key_file.write_text("\n")
        assert "api_key:1: the first line is empty" in wp.reload(text, " reload: refused")
        assert ask().startswith("OK|")
        wp.reload("")
        assert ask() == "ERROR_WRONG_USER_KEY"


def test_a_reload_brings_no_key_to_an_upstream_in_clear_text(key_file, tmp_path, client):
    with Simulator(plain=True, key=[POOL_KEY]) as plain, \
            Configured(None, tmp_path / "w.yaml", f"upstream: {{url: 'http://localhost:{plain.port}'}}\n") as wp:
        said = wp.reload(f"upstream: {{api_key_file: {key_file}}}\n", " reload: refused")
        assert "upstream.url: needs a restart; another upstream is not taken in part" in said
        assert client.get(wp.url + "/in.php", timeout=20).text == "ERROR_WRONG_USER_KEY"


# --- where it never shows ---

def test_the_process_shows_no_key(wp, client, key_file):
    assert client.get(wp.url + "/in.php", timeout=20).text.startswith("OK|")
    process = pathlib.Path(f"/proc/{wp.process.pid}")
    command_line = (process / "cmdline").read_bytes()
    assert str(key_file).encode() in command_line and POOL_KEY.encode() not in command_line
    # Not dumpable: its files in /proc are root's, whoever runs it.
    assert (process / "environ").stat().st_uid == 0
    if os.geteuid() == 0:
        assert POOL_KEY.encode() not in (process / "environ").read_bytes()


def test_no_page_of_the_admin_interface_shows_it(sim, key_file, client):
    with Warmpool(sim, secrets=[POOL_KEY], **{"upstream.api_key_file": key_file, "admin.listen": "127.0.0.1:0"}) as wp:
        assert client.post(wp.url + "/in.php", data={"method": "post"}, timeout=20).text.startswith("OK|")
        rule = sim.fault(action="close", path="/in.php", times=1)
        assert_unknown(client.get(wp.url + "/in.php", timeout=20))
        assert sim.acted(rule) == 1
        for path in ("/status", "/unknown", "/metrics", "/advice", "/history"):
            page = client.get(f"http://{wp.admin}{path}", timeout=20)
            assert page.status_code == 200 and len(page.text) > 20, path
            assert POOL_KEY not in page.text and OTHER_KEY not in page.text, path
        assert client.get(f"http://{wp.admin}/unknown", timeout=20).json()["unknown"] == 1


def test_it_leaves_no_core(sim, key_file, tmp_path, client):
    """With a limit that allows one, and a directory of its own to leave it in."""
    with Warmpool(sim, wrapper=["bash", "-c", f'cd {tmp_path} && ulimit -c unlimited && exec "$@"', "bash"],
                  **{"upstream.api_key_file": key_file}) as wp:
        assert client.get(wp.url + "/in.php", timeout=20).text.startswith("OK|")
        wp.process.send_signal(signal.SIGABRT)
        assert wp.process.wait(20) == -signal.SIGABRT
        assert not list(tmp_path.iterdir())
        wp._is_stopped = True


def test_the_credential_is_taken_when_the_option_is_empty(sim, key_file, client):
    with Warmpool(sim, secrets=[POOL_KEY], environment={"CREDENTIALS_DIRECTORY": str(key_file.parent)}) as wp:
        assert client.get(wp.url + "/in.php", timeout=20).text.startswith("OK|")


# --- who may have it used ---

@pytest.mark.parametrize("headers", [
    {"Origin": "https://example.com"}, {"Origin": "null"}, {"Origin": "http://8.8.8.8"}, {"Sec-Fetch-Site": "cross-site"},
    {"Origin": "http://localhost.example.com:80", "Sec-Fetch-Site": "same-origin"},
])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_a_page_of_another_site_is_refused(sim, wp, client, headers, method):
    uniq = new_uniq()
    answer = client.request(method, f"{wp.url}/in.php?uniq={uniq}&json=1", headers=headers, timeout=20)
    assert (answer.status_code, answer.json()["request"]) == (403, "ERROR_FOREIGN_ORIGIN")
    assert not sim.requests(uniq=uniq)


@pytest.mark.parametrize("headers", [
    {"Origin": "http://localhost:3000"}, {"Origin": "http://127.0.0.1"}, {"Origin": "https://tool.lan", "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Site": "same-origin"},
])
def test_a_page_of_ours_is_served(wp, client, headers):
    assert client.get(wp.url + "/in.php", headers=headers, timeout=20).text.startswith("OK|")


@pytest.mark.skipif(HERE is None, reason="this machine has no address but loopback")
def test_other_machines_need_a_token(sim, key_file, tmp_path, client):
    tokens = write_tokens(tmp_path / "tokens", "team-a:secret-of-team-a")
    with Warmpool(sim, secrets=[POOL_KEY, "secret-of-team-a"], listen="0.0.0.0:0",
                  **{"upstream.api_key_file": key_file, "access.tokens": tokens, "access.allow": f"127.0.0.0/8,{HERE}"}) as wp:
        url = f"http://{HERE}:{wp.port}/in.php"
        assert client.get(url, timeout=20).status_code == 401
        client.auth = ("team-a", "secret-of-team-a")
        assert client.get(url, timeout=20).text.startswith("OK|")
        # A token is no page's to give.
        assert client.get(url, headers={"Origin": "https://example.com"}, timeout=20).text.startswith("OK|")


# --- what is refused at the start ---

@pytest.mark.parametrize("setting,words", [
    ("upstream.url=http://localhost:1", "needs an upstream.url with https://"),
    ("upstream.tls_verify=false", "needs upstream.tls_verify"),
    ("listen=0.0.0.0:0", "needs access.tokens while listen has 0.0.0.0:0"),
])
def test_where_a_key_would_not_be_safe_it_is_refused(key_file, setting, words):
    result = run_check(f"upstream.api_key_file={key_file}", setting, "access.allow=127.0.0.0/8,10.0.0.0/8")
    assert result.returncode == 1
    assert f"--set upstream.api_key_file: {words}" in result.stderr
    assert POOL_KEY not in result.stderr + result.stdout


def test_a_bad_file_is_told_with_its_line_and_without_its_text(tmp_path):
    path = tmp_path / "api_key"
    for text, said in (("", "the first line is empty"), (f"{POOL_KEY} {POOL_KEY}", "the first line holds what no key can"),
                       (POOL_KEY * 9, "the first line is too long")):
        write_key(path, text)
        result = run_check(f"upstream.api_key_file={path}")
        assert result.returncode == 1 and result.stderr.startswith(f"{path}:1: {said}"), result.stderr
        assert POOL_KEY not in result.stderr
    config = tmp_path / "w.yaml"
    config.write_text("upstream:\n  api_key_file: /nonexistent/key\n")
    result = subprocess.run([BINARY, "check", "-c", config], capture_output=True, text=True, timeout=30, check=False)
    assert result.stderr.startswith(f"{config}:2: upstream.api_key_file: cannot read /nonexistent/key: ")


def test_a_file_that_all_can_read_is_warned_of(tmp_path):
    path = write_key(tmp_path / "api_key")
    path.chmod(0o644)
    result = run_check(f"upstream.api_key_file={path}")
    assert result.returncode == 0
    assert f"{path} is open to every user of this machine (mode 0644); chmod 600 it" in result.stderr

"""Tokens: who must give one, how, what becomes of it, and who guesses."""
import base64
import contextlib
import hashlib
import os
import pathlib
import re
import signal
import socket
import subprocess

import pytest
import requests

from daemon import BINARY, ROOT, Warmpool, read_response, stopped
from replies import KEY, arrived, new_uniq
from simctl import Simulator

SECRETS = ["secret-of-team-a", "secret-of-team-b", "hashed-secret-c", "renewed-secret-a", "wrong-secret"]


def own_address():
    """One that is not loopback, so that a connection to it comes from another machine in warmpool's eyes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(("192.0.2.1", 9))
        except OSError:
            return None
        return sock.getsockname()[0]


HERE = own_address()
pytestmark = pytest.mark.skipif(HERE is None, reason="this machine has no address but loopback")


def write_tokens(path, *lines):
    path.write_text("".join(line + "\n" for line in lines))
    path.chmod(0o600)
    return path


def listening(sim, tokens, **options):
    return Warmpool(sim, secrets=[KEY, *SECRETS], listen=f"{HERE}:0,127.0.0.1:0",
                    **{"access.allow": f"127.0.0.0/8,{HERE}", "access.tokens": str(tokens), **options})


@pytest.fixture(scope="module")
def sim():
    with Simulator(idle_timeout=0) as simulator:
        yield simulator


@pytest.fixture
def tokens(tmp_path):
    digest = hashlib.sha256(b"hashed-secret-c").hexdigest()
    return write_tokens(tmp_path / "tokens", "# the teams", f"team-a:{SECRETS[0]}", f"team-b:{SECRETS[1]}",
                        f"team-c:sha256:{digest}")


@pytest.fixture
def wp(sim, tokens):
    with listening(sim, tokens) as daemon:
        yield daemon


def basic(name, secret):
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def send(wp, target=None, address=0, **headers):
    """One request on a connection of its own."""
    host, port = wp.addresses[address].rsplit(":", 1)
    uniq = new_uniq()
    lines = [f"GET {target or '/in.php'}?key={KEY}&uniq={uniq} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    sock = socket.create_connection((host, int(port)), timeout=10)
    sock.sendall("\r\n".join([*lines, "", ""]).encode())
    return uniq, sock


def ask(*arguments, **headers):
    """The same, and its answer: (uniq, status, headers, body)."""
    uniq, sock = send(*arguments, **headers)
    with sock:
        return uniq, *read_response(sock)[:3]


def forwarded(sim, uniq):
    """The credentials that reached the API."""
    head = sim.requests(uniq=uniq)[-1]["head"]
    return [line for line in head.split("\r\n") if "authorization" in line.lower()]


def url_of(wp, name, secret, address=0):
    return f"http://{name}:{secret}@{wp.addresses[address]}"


def no_proxies():
    return {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}


@pytest.mark.parametrize("name,secret", [("team-a", SECRETS[0]), ("team-b", SECRETS[1]), ("team-c", SECRETS[2])])
def test_a_token_in_the_url_is_accepted_and_not_forwarded(sim, wp, name, secret):
    uniq = new_uniq()
    with requests.Session() as session:
        session.trust_env = False
        answer = session.get(url_of(wp, name, secret) + "/in.php", params={"key": KEY, "uniq": uniq}, timeout=20)
    assert answer.text.startswith("OK|"), answer.text
    assert forwarded(sim, uniq) == []
    wp.wait_log(rf" access client={name} class=submit ")


def test_a_token_in_curl(sim, wp):
    uniq = new_uniq()
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", f"{url_of(wp, 'team-a', SECRETS[0])}/in.php?key={KEY}&uniq={uniq}"],
                          capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.startswith("OK|")
    assert forwarded(sim, uniq) == []


@pytest.mark.parametrize("client", ["curl", "requests"])
def test_a_token_in_the_proxys_url(sim, wp, client):
    uniq = new_uniq()
    target = f"http://localhost/in.php?key={KEY}&uniq={uniq}"
    command = {"curl": ["curl", "-sS", target],
               "requests": ["/usr/bin/python3", "-c", f"import requests; print(requests.get({target!r}, timeout=20).text)"]}
    proxy = url_of(wp, "team-b", SECRETS[1])
    done = subprocess.run(command[client], env={**no_proxies(), "http_proxy": proxy, "no_proxy": "", "NO_PROXY": ""},
                          capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.startswith("OK|"), done.stdout
    assert forwarded(sim, uniq) == []
    wp.wait_log(r" access client=team-b class=submit ")


def test_authorization_that_is_not_ours_is_forwarded_beside_a_proxys(sim, wp):
    ours = basic("team-a", SECRETS[0])
    for value in ("Bearer of.something", basic("user", "pass-word")):
        uniq, status, _, _ = ask(wp, Authorization=value, Proxy_Authorization=ours)
        assert (status, forwarded(sim, uniq)) == (200, [f"Authorization: {value}"])
    uniq, status, _, _ = ask(wp, Authorization=basic("team-b", SECRETS[1]), Proxy_Authorization=ours)
    assert (status, forwarded(sim, uniq)) == (200, [])


@pytest.mark.parametrize("address", [0, 1])
@pytest.mark.parametrize("own", [[basic("team-b", "wrong-secret")], ["Bearer x", basic("team-b", SECRETS[1])],
                                 ["Bearer x", basic("team-b", "wrong-secret")], ["Bearer x", "Bearer y", basic("team-a", SECRETS[0])]])
def test_what_is_meant_for_us_is_never_forwarded(sim, wp, own, address):
    """In a second field, or with a slip in it, beside the token that counts."""
    uniq, status, _, _ = ask(wp, address=address, Proxy_Authorization=basic("team-a", SECRETS[0]),
                             Authorization="\r\nAuthorization: ".join(own))
    assert (status, forwarded(sim, uniq)) == (200, [])


def test_a_token_in_a_second_field_does_not_count_and_stays_here(sim, wp):
    own = f"Bearer x\r\nAuthorization: {basic('team-a', SECRETS[0])}"
    assert ask(wp, Authorization=own)[1] == 401  # or one request could carry many guesses
    uniq, status, _, _ = ask(wp, address=1, Authorization=own)
    assert (status, forwarded(sim, uniq)) == (200, [])


@pytest.mark.parametrize("target,status,field", [(None, 401, "www-authenticate"),
                                                 ("http://localhost/in.php", 407, "proxy-authenticate")])
@pytest.mark.parametrize("given,code", [({}, "TOKEN_REQUIRED"), ({"Authorization": "Bearer x"}, "TOKEN_REQUIRED"),
                                        ({"Authorization": basic("team-a", "")}, "TOKEN_REQUIRED"),
                                        ({"Authorization": basic("team-a", SECRETS[1])}, "TOKEN_WRONG"),
                                        ({"Proxy-Authorization": basic("nobody", SECRETS[0])}, "TOKEN_WRONG")])
def test_without_its_token_a_request_is_refused_and_told_what_to_do(sim, wp, target, status, field, given, code):
    uniq, found, headers, body = ask(wp, target, **given)
    assert (found, headers[field]) == (status, 'Basic realm="warmpool"')
    assert body.decode().startswith(f"ERROR_{code}\n") and b"token" in body
    assert headers["proxy-status"].startswith("warmpool; error=http_request_denied")
    assert headers["connection"] == "close" and "retry-after" not in headers
    assert arrived(sim, uniq) == 0
    wp.wait_log(rf" warning token client={re.escape(HERE)} error={code} failures=1")
    wp.wait_log(rf" access client={re.escape(HERE)} .* status={status} .*error={code}")


def test_a_refused_upload_is_not_read(wp):
    host, port = wp.addresses[0].rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(f"POST /in.php HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 9000\r\n\r\n".encode())
        assert read_response(sock)[0] == 401


def test_curl_gives_its_token_when_it_is_asked(sim, wp):
    """--anyauth sends a request without it first: that is no guess, however often."""
    for _ in range(12):
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--anyauth", "-u", f"team-a:{SECRETS[0]}",
                               f"http://{wp.addresses[0]}/res.php?key={KEY}&action=getbalance"],
                              capture_output=True, text=True, timeout=20, check=True)
        assert "ERROR" not in done.stdout, done.stdout


def test_this_machine_needs_no_token_but_may_give_one(sim, wp):
    assert ask(wp, address=1)[1] == 200
    uniq, status, _, _ = ask(wp, address=1, Authorization=basic("team-a", SECRETS[0]))
    assert (status, forwarded(sim, uniq)) == (200, [])
    wp.wait_log(r" access client=team-a class=submit ")
    uniq, status, _, _ = ask(wp, address=1, Authorization=basic("crawler", ""))
    assert (status, forwarded(sim, uniq)) == (200, [])
    wp.wait_log(r" access client=crawler class=submit ")
    value = basic("user", "pass-word")
    uniq, status, _, _ = ask(wp, address=1, Authorization=value)
    assert (status, forwarded(sim, uniq)) == (200, [f"Authorization: {value}"])
    # One of ours with a slip in it is not for the API's eyes, and this machine is never made to wait.
    for _ in range(15):
        assert ask(wp, address=1, Authorization=basic("team-a", "wrong-secret"))[1] == 401
    assert ask(wp, address=1)[1] == 200


def test_unix_sockets_need_no_token(sim, tokens, tmp_path):
    path = tmp_path / "http.sock"
    with Warmpool(sim, listen=f"unix:{path}", **{"access.tokens": str(tokens)}) as wp:
        for extra, name in ((b"", r"pid=\d+"), (f"Authorization: {basic('team-b', SECRETS[1])}\r\n".encode(), "team-b")):
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(path))
                sock.sendall(b"GET /res.php?key=k&action=getbalance HTTP/1.1\r\nHost: localhost\r\n" + extra + b"\r\n")
                assert read_response(sock)[0] == 200
            wp.wait_log(rf' access client="?{name}"? class=read ')


def test_a_guesser_has_to_wait_and_is_not_looked_at(sim, wp):
    wrong, right = basic("team-a", "wrong-secret"), basic("team-a", SECRETS[0])
    for _ in range(9):
        assert ask(wp, Authorization=wrong)[1] == 401
    assert ask(wp, Authorization=right)[1] == 200
    assert ask(wp, Authorization=wrong)[1] == 401
    for value in (wrong, right):
        uniq, status, headers, body = ask(wp, Authorization=value)
        assert (status, body.split(b"\n")[0]) == (429, b"ERROR_TOO_MANY_FAILURES")
        assert 25 <= int(headers["retry-after"]) <= 30
        assert arrived(sim, uniq) == 0
    assert ask(wp, address=1)[1] == 200
    wp.wait_log(rf" warning token client={re.escape(HERE)} error=TOKEN_WRONG failures=10 refused_for_s=30")


def test_warnings_do_not_fill_the_log(wp):
    for _ in range(40):
        assert ask(wp)[1] == 401
    assert 10 <= wp.log().count(" warning token ") <= 30


def test_a_reload_takes_new_tokens_and_refuses_a_bad_file(sim, tokens, wp):
    host, port = wp.addresses[0].rsplit(":", 1)
    old, new = basic("team-a", SECRETS[0]), basic("team-a", SECRETS[3])
    request = f"GET /res.php?key={KEY}&action=getbalance HTTP/1.1\r\nHost: {host}\r\nAuthorization: "
    with socket.create_connection((host, int(port)), timeout=10) as sock:
        sock.sendall(f"{request}{old}\r\n\r\n".encode())
        assert read_response(sock)[0] == 200
        write_tokens(tokens, "team-a:short")
        wp.process.send_signal(signal.SIGHUP)
        wp.wait_log(rf" error reload: {tokens}:1: the secret is too short")
        wp.wait_log(r" error reload: refused")
        sock.sendall(f"{request}{old}\r\n\r\n".encode())
        assert read_response(sock)[0] == 200
        write_tokens(tokens, f"team-a:{SECRETS[3]}")
        wp.process.send_signal(signal.SIGHUP)
        wp.wait_log(r" info reload: done")
        # The open connection too.
        sock.sendall(f"{request}{old}\r\n\r\n".encode())
        assert read_response(sock)[0] == 401
    assert ask(wp, Authorization=new)[1] == 200


def test_a_credential_of_the_service_is_the_tokens(sim, tokens):
    with Warmpool(sim, listen=f"{HERE}:0", environment={"CREDENTIALS_DIRECTORY": str(tokens.parent)},
                  **{"access.allow": HERE}) as wp:
        assert ask(wp)[1] == 401
        assert ask(wp, Authorization=basic("team-c", SECRETS[2]))[1] == 200


TEAM_A = {"Authorization": basic("team-a", SECRETS[0])}


@pytest.mark.parametrize("rows,address,given,is_bounded", [
    ("team-a.max_queued=1", 0, TEAM_A, True),
    ("team-a.max_queued=1", 1, TEAM_A, True),
    ("team-b.max_queued=1,0.0.0.0/0.max_queued=1", 0, TEAM_A, False),
    ("0.0.0.0/0.max_queued=1", 1, {}, True),
    ("0.0.0.0/0.max_queued=1,127.0.0.0/8.max_queued=9", 1, {}, False),
    ("127.0.0.0/8.max_queued=1,127.0.0.1.max_queued=9", 1, {}, False),
    ("127.0.0.0/8.max_queued=1", 1, {"Authorization": basic("crawler", "")}, False),
])
def test_rows_hold_for_a_name_or_a_network(tokens, rows, address, given, is_bounded):
    """While the only connection is taken, the second waiting request of a client with max_queued=1 is refused at once."""
    options = {"pool.size": 1, "pool.min_idle": 1, "queue.timeout": "1s", "access.clients": rows}
    with Simulator(idle_timeout=0) as sim, listening(sim, tokens, **options) as wp:
        rule = sim.fault(action="never", path="/echo")
        with contextlib.ExitStack() as stack:
            stack.enter_context(send(wp, "/echo", Authorization=basic("team-c", SECRETS[2]))[1])
            sim.wait(lambda _: sim.acted(rule) == 1)
            with stopped(wp.process):  # it learns of both at once
                waiting = [stack.enter_context(send(wp, None, address, **given)[1]) for _ in range(2)]
            codes = sorted(read_response(sock)[2].decode() for sock in waiting)
            sim.close_all()
    assert codes == ["ERROR_CLIENT_QUEUE_FULL" if is_bounded else "ERROR_QUEUE_TIMEOUT", "ERROR_QUEUE_TIMEOUT"]


@pytest.mark.parametrize("command", ["check", "run"])
def test_a_bad_file_is_named_line_by_line(tmp_path, command):
    path = write_tokens(tmp_path / "tokens", "team-a:secret-of-team-a", "secret-of-team-b", "team-a:hashed-secret-c", "b:short-1")
    done = subprocess.run([BINARY, command, "--set", f"access.tokens={path}"], capture_output=True, text=True, timeout=20,
                          check=False)
    assert done.returncode == 1
    assert [line.split(": ")[0] for line in done.stderr.splitlines()] == [f"{path}:{number}" for number in (2, 3, 4)]
    assert "secret-of" not in done.stderr and "hashed" not in done.stderr and "short-1" not in done.stderr


def test_the_example_for_a_lan_is_good(tokens):
    example = ROOT / "conf" / "lan.yaml"
    alone = subprocess.run([BINARY, "check", "-c", str(example)], capture_output=True, text=True, timeout=20, check=False)
    if not pathlib.Path("/etc/warmpool/tokens").exists():
        assert alone.returncode == 1
        assert re.fullmatch(rf"{example}:\d+: access.tokens: cannot read /etc/warmpool/tokens: No such file .*\n", alone.stderr)
    done = subprocess.run([BINARY, "check", "-c", str(example), "--set", f"access.tokens={tokens}"], capture_output=True, text=True,
                          timeout=20, check=False)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", f"{example}: ok\n")

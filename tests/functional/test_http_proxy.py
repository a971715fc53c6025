"""A script that only sets http_proxy, and clients that name themselves in the URL's user name."""
import base64
import json
import os
import subprocess
import sys

import pytest
import requests

from daemon import Warmpool, read_response
from replies import KEY, arrived, new_uniq
from simctl import Simulator

SCRIPT = """
import requests, sys
print(requests.get("http://localhost/in.php", params={"key": sys.argv[1], "uniq": sys.argv[2]}, timeout=20).text)
"""


@pytest.fixture(scope="module")
def sim():
    with Simulator(idle_timeout=0) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def wp(sim):
    with Warmpool(sim, secrets=[KEY]) as daemon:
        yield daemon


def environment(wp):
    clean = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return {**clean, "http_proxy": wp.url, "HTTP_PROXY": wp.url, "no_proxy": "", "NO_PROXY": ""}


def test_curl_with_only_http_proxy_set(sim, wp):
    uniq = new_uniq()
    done = subprocess.run(["curl", "-sS", f"http://localhost/in.php?key={KEY}&uniq={uniq}"], env=environment(wp),
                          capture_output=True, text=True, timeout=20, check=True)
    assert done.stdout.startswith("OK|")
    assert arrived(sim, uniq) == 1
    assert sim.requests(uniq=uniq)[-1]["head"].startswith("GET /in.php?")


def test_an_upstream_that_is_an_address(sim):
    with Warmpool(sim, upstream="https://127.0.0.1:{port}") as wp:
        done = subprocess.run(["curl", "-sS", "http://127.0.0.1/echo"], env=environment(wp), capture_output=True,
                              text=True, timeout=20, check=True)
        assert json.loads(done.stdout)["target"] == "/echo"


def test_requests_with_only_http_proxy_set(sim, wp):
    uniq = new_uniq()
    done = subprocess.run([sys.executable, "-c", SCRIPT, KEY, uniq], env=environment(wp), capture_output=True, text=True,
                          timeout=30, check=False)
    assert done.stdout.startswith("OK|"), done.stderr
    assert arrived(sim, uniq) == 1


def test_https_through_the_proxy_says_why_not(wp):
    done = subprocess.run(["curl", "-sS", "-v", "-x", wp.url, "--noproxy", "", "https://localhost/res.php"],
                          capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode != 0
    assert " 405 " in done.stderr and "use http:// (not https://)" in done.stderr


@pytest.mark.parametrize("request_line,host", [
    ("GET http://localhost/echo?a=1 HTTP/1.1", "localhost"),
    ("GET http://LOCALHOST:443/echo?a=1 HTTP/1.1", "anything.example"),
    ("GET HTTP://localhost/echo?a=1 HTTP/1.1", "localhost"),
    ("GET http://127.0.0.1:{port}/echo?a=1 HTTP/1.1", "127.0.0.1:{port}"),
])
def test_absolute_form_for_the_upstream_or_for_us(sim, wp, request_line, host):
    text = f"{request_line}\r\nHost: {host}\r\n\r\n".format(port=wp.port)
    with wp.connect() as sock:
        sock.sendall(text.encode())
        status, _, body, _ = read_response(sock)
    assert status == 200
    echo = json.loads(body)
    assert echo["target"] == "/echo?a=1"
    assert [value for name, value in echo["headers"] if name.lower() == "host"] == [f"localhost:{sim.port}"]


@pytest.mark.parametrize("target,status,code", [
    ("http://other.example/in.php", 421, "OTHER_SITE"),
    ("http://127.0.0.1:1/in.php", 421, "OTHER_SITE"),
    ("ftp://localhost/in.php", 421, "OTHER_SITE"),
    ("http://localhost.example/in.php", 421, "OTHER_SITE"),
    ("http:///in.php", 400, "BAD_TARGET"),
])
def test_other_sites_are_refused(sim, wp, target, status, code):
    before = sim.counters()["requests"]
    with wp.connect() as sock:
        sock.sendall(f"GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        found, _, body, _ = read_response(sock)
    assert (found, body.decode().split("\n")[0]) == (status, f"ERROR_{code}")
    assert sim.counters()["requests"] == before


def authorizations(sim, uniq):
    head = sim.requests(uniq=uniq)[-1]["head"]
    return [line for line in head.split("\r\n") if line.lower().startswith("authorization:")]


def test_a_label_names_the_client_and_is_not_forwarded(sim, wp):
    uniq = new_uniq()
    url = wp.url.replace("http://", "http://crawler:@")
    assert requests.get(url + "/in.php", params={"key": KEY, "uniq": uniq}, timeout=20).text.startswith("OK|")
    assert authorizations(sim, uniq) == []
    assert wp.wait_log(r" access client=crawler class=submit ")


def test_a_label_in_curl(sim, wp):
    uniq = new_uniq()
    url = wp.url.replace("http://", "http://night-shift:@")
    subprocess.run(["curl", "-sS", "--noproxy", "*", f"{url}/in.php?key={KEY}&uniq={uniq}"], check=True, timeout=20,
                   capture_output=True)
    assert authorizations(sim, uniq) == []
    assert wp.wait_log(r" access client=night-shift class=submit ")


def test_a_label_in_the_proxys_url(sim, wp):
    uniq = new_uniq()
    proxy = wp.url.replace("http://", "http://by-proxy:@")
    subprocess.run(["curl", "-sS", "--noproxy", "", "-x", proxy, "-H", "Authorization: Bearer x",
                    f"http://localhost/in.php?key={KEY}&uniq={uniq}"], check=True, timeout=20, capture_output=True)
    assert authorizations(sim, uniq) == ["Authorization: Bearer x"]
    assert wp.wait_log(r" access client=by-proxy class=submit ")


@pytest.mark.parametrize("value", [
    "Bearer abc.def", "Basic " + base64.b64encode(b"user:password").decode(), "Basic !!!", "Basic " + base64.b64encode(b":").decode(),
    "Digest username=\"x\"",
])
def test_other_authorization_is_forwarded(sim, wp, value):
    uniq = new_uniq()
    requests.get(wp.url + "/in.php", params={"key": KEY, "uniq": uniq}, headers={"Authorization": value}, timeout=20)
    assert authorizations(sim, uniq) == [f"Authorization: {value}"]


def test_without_a_label_the_address_names_the_client(sim, wp):
    uniq = new_uniq()
    requests.get(wp.url + "/in.php", params={"key": KEY, "uniq": uniq}, timeout=20)
    assert wp.wait_log(r" access client=127\.0\.0\.1 class=submit ")

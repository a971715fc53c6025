"""Unmodified real clients: curl, python3-requests, aiohttp, Python's urllib, axios and undici."""
import asyncio
import hashlib
import json
import subprocess
import urllib.parse
import urllib.request

import aiohttp
import pytest
import requests

import nodejs
from daemon import Warmpool
from replies import KEY, arrived, new_uniq
from simctl import Simulator


@pytest.fixture(scope="module")
def sim():
    with Simulator(idle_timeout=0, image_limit_kb=0) as simulator:
        yield simulator


@pytest.fixture(scope="module")
def wp(sim):
    with Warmpool(sim, secrets=[KEY], **{"log.level": "debug"}) as daemon:
        yield daemon


@pytest.fixture(autouse=True)
def no_violations(sim):
    yield
    assert not sim.counters()["violations"]


def curl(*arguments):
    done = subprocess.run(["curl", "-sS", "--noproxy", "*", "--max-time", "20", *arguments], capture_output=True,
                          text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def accepted(sim, uniq, answer):
    """The answer is a task's number, and the submit arrived exactly once."""
    assert answer.startswith("OK|"), answer
    assert arrived(sim, uniq) == 1


def test_curl_get(sim, wp):
    uniq = new_uniq()
    accepted(sim, uniq, curl(f"{wp.url}/in.php?key={KEY}&method=userrecaptcha&uniq={uniq}"))


def test_curl_form(sim, wp):
    uniq = new_uniq()
    accepted(sim, uniq, curl("-d", f"key={KEY}", "-d", "method=userrecaptcha", "-d", f"uniq={uniq}", wp.url + "/in.php"))


def test_curl_json_errors_parse(wp):
    answer = curl(f"{wp.url}/in.php?key=short&json=1")
    assert json.loads(answer) == {"status": 0, "request": "ERROR_WRONG_USER_KEY"}


def test_curl_large_upload_gets_its_100_at_once(sim, wp, tmp_path):
    image = tmp_path / "captcha.png"
    image.write_bytes(b"\x89PNG" * 400_000)
    uniq = new_uniq()
    # Without a 100, curl waits a whole minute before it sends the body.
    done = subprocess.run(
        ["curl", "-sS", "-v", "--noproxy", "*", "--expect100-timeout", "60", "-H", "Expect: 100-continue",
         "-F", f"key={KEY}", "-F", "method=post", "-F", f"uniq={uniq}", "-F", f"file=@{image}", wp.url + "/in.php"],
        capture_output=True, text=True, timeout=20, check=True)
    accepted(sim, uniq, done.stdout)
    assert "< HTTP/1.1 100 Continue" in done.stderr
    seen = sim.requests(uniq=uniq)[-1]
    assert "expect" not in json.dumps(seen).lower()


def test_curl_reuses_its_connection(wp):
    out = curl("-w", "%{num_connects}\n", "-o", "/dev/null", wp.url + "/bytes/10", "-o", "/dev/null", wp.url + "/bytes/20")
    assert out.split() == ["1", "0"]


def test_curl_head_has_no_body(wp):
    out = curl("-I", wp.url + "/bytes/1234")
    assert "content-length: 1234" in out.lower()


SUBMITS = {
    "get": lambda url, fields, session: session.get(url, params=fields, timeout=20),
    "form": lambda url, fields, session: session.post(url, data=fields, timeout=20),
    "query-and-empty-body": lambda url, fields, session: session.post(url, params=fields, timeout=20),
    "multipart": lambda url, fields, session: session.post(url, data=fields, files={"file": b"\xff" * 500_000}, timeout=20),
    "json": lambda url, fields, session: session.post(url, json=fields, timeout=20),
    "chunked": lambda url, fields, session: session.post(
        url, data=iter([urllib.parse.urlencode(fields).encode()]), timeout=20,
        headers={"Content-Type": "application/x-www-form-urlencoded"}),
}


@pytest.mark.parametrize("way", SUBMITS)
def test_requests(sim, wp, way):
    uniq = new_uniq()
    answer = SUBMITS[way](wp.url + "/in.php", {"key": KEY, "method": "userrecaptcha", "uniq": uniq}, requests)
    accepted(sim, uniq, answer.text)


def test_requests_session(sim, wp):
    with requests.Session() as session:
        for way, submit in SUBMITS.items():
            uniq = new_uniq()
            answer = submit(wp.url + "/in.php", {"key": KEY, "method": "userrecaptcha", "uniq": uniq, "solve_ms": 0}, session)
            accepted(sim, uniq, answer.text)
            poll = session.get(wp.url + "/res.php", params={"key": KEY, "action": "get", "id": answer.text[3:]}, timeout=20)
            assert poll.text.startswith("OK|") and uniq in poll.text, way


def test_aiohttp(sim, wp):
    marks = [new_uniq() for _ in range(30)]

    async def one(session, uniq):
        fields = {"key": KEY, "method": "userrecaptcha", "uniq": uniq, "solve_ms": "0"}
        async with session.post(wp.url + "/in.php", data=fields) as answer:
            task = (await answer.text())[3:]
        async with session.get(wp.url + "/res.php", params={"key": KEY, "action": "get", "id": task}) as answer:
            return uniq, await answer.text()

    async def several():
        async with aiohttp.ClientSession() as session:
            return await asyncio.gather(*(one(session, uniq) for uniq in marks))

    for uniq, answer in asyncio.run(several()):
        assert answer.endswith(uniq)
        assert arrived(sim, uniq) == 1


def test_aiohttp_multipart_and_chunked(sim, wp):
    marks = [new_uniq(), new_uniq()]

    async def pieces():
        for piece in (f"key={KEY}&method=post", f"&uniq={marks[1]}", "&body=" + "A" * 100_000):
            yield piece.encode()

    async def both():
        async with aiohttp.ClientSession() as session:
            form = aiohttp.FormData({"key": KEY, "method": "post", "uniq": marks[0]})
            form.add_field("file", b"\x00\r\n--" * 50_000, filename="a.png")
            found = []
            for body, headers in ((form, {}), (pieces(), {"Content-Type": "application/x-www-form-urlencoded"})):
                async with session.post(wp.url + "/in.php", data=body, headers=headers) as answer:
                    found.append(await answer.text())
            return found

    for uniq, answer in zip(marks, asyncio.run(both())):
        accepted(sim, uniq, answer)


def test_urllib(sim, wp):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    uniqs = [new_uniq(), new_uniq()]
    fields = [{"key": KEY, "method": "userrecaptcha", "uniq": uniq} for uniq in uniqs]
    with opener.open(wp.url + "/in.php?" + urllib.parse.urlencode(fields[0]), timeout=20) as answer:
        accepted(sim, uniqs[0], answer.read().decode())
    with opener.open(wp.url + "/in.php", data=urllib.parse.urlencode(fields[1]).encode(), timeout=20) as answer:
        accepted(sim, uniqs[1], answer.read().decode())


def test_axios_and_undici(sim, wp):
    found = nodejs.run_json("clients.js", wp.url, KEY)
    for client in ("axios", "undici"):
        assert all(answer.startswith("OK|") for answer in found[client]["answers"]), found
        echo = found[client]["echo"]
        headers = {name.lower(): value for name, value in echo["headers"]}
        assert "transfer-encoding" not in headers and headers["content-length"] == "100000"
        assert echo["body_sha256"] == hashlib.sha256(b"x" * 100_000).hexdigest()
    arrivals = sim.submits()["arrivals"]
    for mark in ("axios-get", "axios-post", "axios-json", "axios-chunked", "axios-multipart", "undici-get",
                 "undici-chunked", "undici-fetch"):
        assert arrivals.get(mark) == 1, (mark, arrivals)


def test_many_clients_get_their_own_answers(sim):
    with Warmpool(sim, **{"pool.size": 3}) as wp:
        async def one(session, number):
            async with session.get(f"{wp.url}/echo?n={number}") as answer:
                return number, (await answer.json(content_type=None))["target"]

        async def all_of_them():
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=60)) as session:
                return await asyncio.gather(*(one(session, number) for number in range(300)))

        for number, target in asyncio.run(all_of_them()):
            assert target == f"/echo?n={number}"

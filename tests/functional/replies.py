"""Requests in the API's shape, and what a reply of warmpool's own has to look like."""
import itertools
import json
import os

import requests

KEY = "0123456789abcdef0123456789abcdef"
_numbers = itertools.count(1)


def new_uniq():
    """A mark that no other request of this run carries."""
    return f"u{os.getpid()}x{next(_numbers)}"


def ask(wp, path, uniq=None, method="GET", is_json=False, body=None, timeout=20, session=None, **more):
    """One request without any repeat on the client's side."""
    params = {"key": KEY, **({"uniq": uniq} if uniq else {}), **({"json": "1"} if is_json else {}), **more}
    with requests.Session() if session is None else session as client:
        client.trust_env = False
        if method == "POST" and body is None:
            return client.post(wp.url + path, data=params, timeout=timeout)
        return client.request(method, wp.url + path, params=params, data=body, timeout=timeout)


def submit(wp, uniq, **options):
    return ask(wp, "/in.php", uniq, **options)


def poll(wp, uniq, task="1", **options):
    return ask(wp, "/res.php", uniq, action="get", id=task, **options)


def report(wp, uniq, task="1", **options):
    return ask(wp, "/res.php", uniq, action="reportbad", id=task, **options)


def assert_error(response, status, code, proxy_error, is_json=False, retry_after=True):
    """A reply of warmpool's own: status, body in the API's shape, Proxy-Status, Retry-After where waiting helps."""
    shown = f"{response.status_code} {dict(response.headers)} {response.text!r}"
    assert response.status_code == status, shown
    if is_json:
        assert json.loads(response.text) == {"status": 0, "request": f"ERROR_{code}"}, shown
        assert response.headers["Content-Type"] == "application/json", shown
    else:
        assert response.text == f"ERROR_{code}", shown
        assert response.headers["Content-Type"].startswith("text/plain"), shown
    assert response.headers["Proxy-Status"].startswith(f'warmpool; error={proxy_error}; details="'), shown
    assert ("Retry-After" in response.headers) == retry_after, shown


def assert_unknown(response, proxy_error="connection_terminated", is_json=False):
    """424: sent, its fate unknown, and nothing that makes a client library send it again."""
    assert_error(response, 424, "SUBMIT_UNKNOWN", proxy_error, is_json, retry_after=False)


def arrived(sim, uniq):
    """How often a request of that mark was received, in whole or in part."""
    seen = sim.submits()
    return seen["arrivals"].get(uniq, 0) + seen["partial"].get(uniq, 0)

"""What a handful of scripts do all day: each worker submits one task and polls it to its answer.

Every call opens a connection of its own, as `requests.get` without a Session, curl in a shell loop and
PHP's file_get_contents do. Only the base URL differs between the two ways.
"""
import concurrent.futures
import dataclasses
import http.client
import ssl
import time
import urllib.parse

WORKERS = 10
KEY = "0123456789abcdef0123456789abcdef"
CALL_TIMEOUT_S = 30
_FIRST_POLL_S = 0.5
_POLL_EVERY_S = 0.2
_GIVE_UP_S = 30
_NOT_READY = "CAPCHA_NOT_READY"


class Failed(Exception):
    """A call without the expected answer."""


@dataclasses.dataclass
class Outcome:
    """One way's figures: seconds each call took, seconds each task took."""

    calls: list
    tasks: list


def run(base_url, ca_file, label):
    """All workers at once; `label` makes the tasks' marks unique."""
    script = Script(base_url, ca_file)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        tasks = list(pool.map(lambda number: script.solve(f"{label}-{number}", solve_ms(number)), range(WORKERS)))
    return Outcome(script.calls, tasks)


def solve_ms(number):
    """Solve times are spread, the same for both ways, so that no polling rhythm favours one."""
    return 2000 + number * 137 % 1000


class Script:
    """The calls of one way to the API."""

    def __init__(self, base_url, ca_file):
        self._url = urllib.parse.urlsplit(base_url)
        self._tls = ssl.create_default_context(cafile=ca_file) if self._url.scheme == "https" else None
        self.calls = []

    def solve(self, uniq, solve_time_ms):
        """One task from its submit to its answer; returns the seconds."""
        started = time.monotonic()
        answer = self._call("/in.php", method="userrecaptcha", googlekey="demo", pageurl="https://example.com/",
                            uniq=uniq, solve_ms=solve_time_ms)
        if not answer.startswith("OK|"):
            raise Failed(f"submitting {uniq}: {answer}")
        time.sleep(_FIRST_POLL_S)
        while True:
            token = self._call("/res.php", action="get", id=answer[3:])
            if token != _NOT_READY:
                break
            if time.monotonic() - started > _GIVE_UP_S:
                raise Failed(f"{uniq} was not solved within {_GIVE_UP_S} s")
            time.sleep(_POLL_EVERY_S)
        if not token.startswith("OK|") or uniq not in token:
            raise Failed(f"polling {uniq}: {token}")
        return time.monotonic() - started

    def _call(self, path, **parameters):
        target = path + "?" + urllib.parse.urlencode({"key": KEY, **parameters})
        started = time.monotonic()
        connection = self._connection()
        try:
            connection.request("GET", target, headers={"Connection": "close"})
            response = connection.getresponse()
            text = response.read().decode("utf-8", "replace")
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"{path}: {error or type(error).__name__}") from error
        finally:
            connection.close()
        self.calls.append(time.monotonic() - started)
        if response.status != 200:
            raise Failed(f"{path}: {response.status} {text}")
        return text

    def _connection(self):
        host, port = self._url.hostname, self._url.port
        if self._tls is None:
            return http.client.HTTPConnection(host, port, timeout=CALL_TIMEOUT_S)
        return http.client.HTTPSConnection(host, port, timeout=CALL_TIMEOUT_S, context=self._tls)

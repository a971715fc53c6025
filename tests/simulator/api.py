"""The API itself: tasks, their answers, its errors; and the paths that only tests use.

Parameters of our own, beside the real API's: `uniq` marks a submit (see counters.py) and comes
back in the task's token, `solve_ms` sets the task's solve time. Tokens are a function of the task,
so that a test can see whether an answer is its own: token-<id>-<uniq>, padded to answer_bytes.

    /in.php /res.php /solve.php    as the real API
    /echo…                         JSON: what was received, byte for byte (text is Latin-1)
    /bytes/N                       N bytes
    anything else                  404, plain text
"""
import hashlib
import heapq
import re

from .http1 import Answer, json_answer

_KEY = re.compile(r"[0-9A-Za-z]{32}")
_FIRST_ID = 73548291
_KEPT_TASKS = 200_000
_MAX_BYTES = 64 << 20


class Task:
    __slots__ = ("ready_at", "token", "reported")

    def __init__(self, ready_at, token):
        self.ready_at = ready_at
        self.token = token
        self.reported = None


class Api:
    """Answers requests. `now` gives seconds; `settings` is read at each request."""

    def __init__(self, settings, now):
        self.settings = settings
        self.now = now
        self.tasks = {}
        self.made = {}               # uniq -> tasks made: what has been paid for
        self._next_id = _FIRST_ID
        self._unsolved = []          # heap of ready_at
        self._bytes = b""
        self._actions = {
            "": self._get, "get": self._get, "getbalance": self._balance,
            "threadsinfo": self._threads, "reportgood": self._report, "reportbad": self._report,
        }

    def answer(self, request, connection_number=0):
        path = request.path
        if path == b"/res.php":
            return self._checked(request, self._res)
        if path == b"/in.php":
            return self._checked(request, self._submit)
        if path == b"/solve.php":
            return self._checked(request, self._solve)
        if path.startswith(b"/echo"):
            return _echo(request, connection_number)
        if path.startswith(b"/bytes/") and path[7:].isdigit():
            return self._some_bytes(int(path[7:]))
        return Answer(404, b"404 not found: this path is not part of the simulated API\n")

    def forget(self):
        """Counts from zero, no thread taken. Tasks stay: polls under way find theirs."""
        self.made.clear()
        self._unsolved.clear()

    def _checked(self, request, handler):
        key = request.params.get("key", "")
        if not _KEY.fullmatch(key):
            return error(request, "ERROR_WRONG_USER_KEY")
        if self.settings.key and key not in self.settings.key:
            return error(request, "ERROR_KEY_DOES_NOT_EXIST")
        return handler(request)

    def _submit(self, request):
        return self._made(request, lambda number, task: said(request, str(number)))

    def _solve(self, request):
        def held(_number, task):
            answer = said(request, task.token)
            answer.hold_s = max(0.0, task.ready_at - self.now())
            return answer
        return self._made(request, held)

    def _made(self, request, answered):
        if self.settings.threads and self._working() >= self.settings.threads:
            return error(request, "ERROR_NO_SLOT_AVAILABLE")
        limit = self.settings.image_limit_kb * 1024
        if limit and _image_size(request.params) > limit:
            return error(request, "ERROR_TOO_BIG_CAPTCHA_FILESIZE")
        params = request.params
        try:
            solve_ms = float(params.get("solve_ms", self.settings.solve_ms))
        except ValueError:
            return error(request, "ERROR_BAD_PARAMETERS")
        number = self._next_id
        self._next_id += 1
        uniq = params.get("uniq", "")
        self.made[uniq] = self.made.get(uniq, 0) + 1
        token = f"token-{number}-{uniq}".ljust(self.settings.answer_bytes, "x")
        task = self.tasks[number] = Task(self.now() + solve_ms / 1000, token)
        heapq.heappush(self._unsolved, task.ready_at)
        if len(self.tasks) > _KEPT_TASKS:
            del self.tasks[next(iter(self.tasks))]
        return answered(number, task)

    def _working(self):
        now = self.now()
        while self._unsolved and self._unsolved[0] <= now:
            heapq.heappop(self._unsolved)
        return len(self._unsolved)

    def _res(self, request):
        handler = self._actions.get(request.params.get("action", ""))
        if handler is None:
            return error(request, "ERROR_BAD_PARAMETERS")
        return handler(request)

    def _get(self, request):
        ids = request.params.get("ids") or request.params.get("id", "")
        results = [self._result(number) for number in ids.split(",")]
        if "ids" in request.params:
            return said(request, "|".join(results), ok_prefix=False)
        if results[0].startswith(("ERROR_", "CAPCHA_")):
            return error(request, results[0])
        return said(request, results[0])

    def _result(self, number):
        if not number.isdigit():
            return "ERROR_WRONG_ID_FORMAT"
        task = self.tasks.get(int(number))
        if task is None:
            return "ERROR_WRONG_CAPTCHA_ID"
        return task.token if task.ready_at <= self.now() else "CAPCHA_NOT_READY"

    def _balance(self, request):
        return said(request, self.settings.balance, ok_prefix=False)

    def _threads(self, request):
        threads, working = self.settings.threads, self._working()
        if wants_json(request):
            return json_answer({"status": 1, "threads": str(threads), "working_threads": working})
        return Answer(body=f"{threads}|{working}".encode())

    def _report(self, request):
        result = self._result(request.params.get("id", ""))
        if result.startswith("ERROR_"):
            return error(request, result)
        self.tasks[int(request.params["id"])].reported = request.params["action"]
        return said(request, "OK_REPORT_RECORDED", ok_prefix=False)

    def _some_bytes(self, count):
        if count > _MAX_BYTES:
            return Answer(404, b"404 too many bytes\n")
        if len(self._bytes) < count:
            self._bytes = b"0123456789abcdef" * (count // 16 + 1)
        return Answer(body=self._bytes[:count], kind="application/octet-stream")


def wants_json(request):
    return request.params.get("json") == "1"


def said(request, text, ok_prefix=True):
    """A success in the API's shape."""
    if wants_json(request):
        return json_answer({"status": 1, "request": text})
    return Answer(body=(("OK|" if ok_prefix else "") + text).encode())


def error(request, code):
    """An error in the API's shape: HTTP 200, as the real API answers."""
    if wants_json(request):
        return json_answer({"status": 0, "request": code})
    return Answer(body=code.encode())


def _image_size(params):
    if "file" in params:
        return len(params["file"])
    return len(params.get("body", "")) * 3 // 4


def _echo(request, connection_number):
    return json_answer({
        "method": request.method,
        "target": request.target.decode("latin-1"),
        "version": request.version,
        "headers": [[name.decode("latin-1"), value.decode("latin-1")]
                    for name, value in request.fields],
        "head": request.head.decode("latin-1"),
        "framing": request.framing,
        "body_length": len(request.body),
        "body_sha256": hashlib.sha256(request.body).hexdigest(),
        "connection": connection_number,
        "connection_request": request.number,
    })

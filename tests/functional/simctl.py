"""The simulated API as tests use it: started as a process, asked and told over its control port.

    with Simulator(idle_timeout=1, bind=["127.0.0.1", "::1"]) as sim:
        sim.fault(action="close", path="/in.php")
        …
        assert sim.submits()["by_uniq"] == {"u1": 1}

Options are those of tests/simulator/run with underscores (True: a flag, a list: repeated). Leaving
the block ends the process, and fails if the simulator itself wrote anything to stderr.
`Control(host, port)` talks to a simulator that something else has started.
"""
import http.client
import json
import pathlib
import select
import subprocess
import tempfile
import time
import urllib.parse

_RUN = pathlib.Path(__file__).resolve().parent.parent / "simulator" / "run"
_START_S = 20


class SimulatorError(Exception):
    """It did not start, did not accept a command, or failed inside."""


class Control:
    """The control port of a running simulator."""

    def __init__(self, host, port):
        self._control = host, port

    def counters(self):
        """Connections, handshakes and requests: simulator/counters.py says what is in it."""
        return self._call("GET", "/counters")

    def submits(self):
        """How often each submit arrived: by_uniq, twice, partial, made, arrivals, polls, …"""
        return self._call("GET", "/submits")

    def requests(self, **filters):
        """The last requests, oldest first: last=N, path=PREFIX, uniq=TEXT. Text is Latin-1."""
        return self._call("GET", "/requests?" + urllib.parse.urlencode(filters))

    def connections(self):
        return self._call("GET", "/connections")

    def faults(self):
        """The rules with `seen` and `acted`."""
        return self._call("GET", "/faults")

    def fault(self, **rule):
        """Sets a rule, `class_` standing for class; returns its number."""
        rule = {name.rstrip("_"): value for name, value in rule.items()}
        return self._call("POST", "/faults", rule)["rules"][0]

    def acted(self, number):
        """How often the rule of that number has acted."""
        return next(rule["acted"] for rule in self.faults() if rule["number"] == number)

    def clear_faults(self):
        """No rules, listening everywhere, and what `hold` holds is answered."""
        self._call("DELETE", "/faults")

    def set(self, **settings):
        """Changes live settings, as idle_timeout=1."""
        return self._call("POST", "/settings", settings)

    def close_idle(self, how="fin", idle_s=0):
        """Ends all connections that have been idle so long now; returns how many."""
        return self._call("POST", "/close", {"how": how, "which": "idle", "idle_s": idle_s})["closed"]

    def close_all(self, how="fin"):
        """Ends all connections now, busy ones too; returns how many."""
        return self._call("POST", "/close", {"how": how, "which": "all"})["closed"]

    def refuse(self, seconds=None, address=None):
        """Refuses connects for so long, or until accept(); all addresses or one."""
        self._call("POST", "/refuse", {"seconds": seconds, "address": address})

    def accept(self):
        self._call("POST", "/accept")

    def hole(self, is_open):
        """A black hole: what comes is lost, unacknowledged, until hole(False)."""
        self._call("POST", "/hole", {"open": is_open})

    def reset(self):
        """Counters from zero; what is open stays counted as open."""
        self._call("POST", "/reset")

    def wait(self, condition, timeout=20):
        """Returns counters() as soon as condition(counters) is true; fails after `timeout` s."""
        deadline = time.monotonic() + timeout
        while True:
            counters = self.counters()
            if condition(counters):
                return counters
            if time.monotonic() > deadline:
                raise AssertionError(f"not so within {timeout} s: {counters}")
            time.sleep(0.005)

    def _call(self, method, path, values=None):
        connection = http.client.HTTPConnection(*self._control, timeout=30)
        try:
            connection.request(method, path, json.dumps(values) if values is not None else None)
            response = connection.getresponse()
            answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status != 200:
            raise SimulatorError(f"{method} {path}: {answer['error']}")
        return answer


class Simulator(Control):
    """Starts one; `host`, `port`, `ca_file` and `url` say where it is reached."""

    def __init__(self, **options):
        command = ["/usr/bin/python3", str(_RUN), "--end-with-stdin", *_arguments(options)]
        self._errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self._errors)
        ready = self._ready_line()
        self.addresses = ready["addresses"]
        self.host = self.addresses[0]
        self.port = ready["port"]
        self.ca_file = ready["ca_file"]
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.url = f"{'https' if self.ca_file else 'http'}://{host}:{self.port}"
        super().__init__(options.get("control_bind", "127.0.0.1"), ready["control_port"])

    def stop(self):
        """Ends the process; returns its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()

    def errors(self):
        """What it wrote to stderr: nothing, if all is well."""
        self._errors.seek(0)
        return self._errors.read().decode(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, failed, _value, _traceback):
        status = self.stop()
        errors = self.errors()
        self._errors.close()
        if failed is None and (status != 0 or errors):
            raise SimulatorError(f"the simulator ended with {status}: {errors}")

    def _ready_line(self):
        readable, _, _ = select.select([self.process.stdout], [], [], _START_S)
        line = self.process.stdout.readline() if readable else b""
        if not line:
            self.stop()
            raise SimulatorError(f"did not start: {self.errors()}")
        return json.loads(line)


def _arguments(options):
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            yield flag
        elif value is not False and value is not None:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                yield from (flag, str(one))

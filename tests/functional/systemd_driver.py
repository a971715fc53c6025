"""Runs inside the systemd that tests/tools/sdboot.sh boots; prints one line of JSON for each thing that it saw.

    systemd_driver.py FUNCTIONAL_DIR      the simulator, the units and the binary stand in /kit and are installed already
"""
import asyncio
import json
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, sys.argv[1])

from simctl import Simulator  # noqa: E402  (the path comes first)

CONFIG = pathlib.Path("/etc/warmpool/warmpool.yaml")
CA = CONFIG.parent / "ca.pem"
CLIENTS, RELOADS, RESTARTS = 200, 10, 5


def tell(what, **values):
    print(json.dumps({"what": what, **values}), flush=True)


def systemctl(*words):
    return subprocess.run(["systemctl", *words], capture_output=True, text=True, check=False)


def show(name, unit="warmpool.service"):
    return systemctl("show", "--value", "-p", name, unit).stdout.strip()


def wait(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def configure(sim, size=10):
    CONFIG.parent.mkdir(exist_ok=True)
    CA.write_bytes(pathlib.Path(sim.ca_file).read_bytes())  # where a unit with a /tmp of its own sees it
    CONFIG.write_text(f"upstream: {{url: 'https://localhost:{sim.port}', ca_file: {CA}}}\n"
                      f"pool: {{size: {size}}}\nadmin: {{listen: 'off'}}\nqueue: {{timeout: 30s}}\n")


def journal():
    return subprocess.run(["journalctl", "-u", "warmpool", "-o", "short", "-n", "20", "--no-pager"],
                          capture_output=True, text=True, check=False).stdout[-3000:]


def answers():
    done = subprocess.run(["curl", "-sS", "-m", "5", "http://127.0.0.1:8080/res.php?key=k&action=getbalance"],
                          capture_output=True, text=True, check=False)
    return done.stdout or done.stderr


def start(sim):
    sim.refuse(60)
    systemctl("start", "warmpool.socket")
    systemctl("start", "--no-block", "warmpool.service")
    time.sleep(1.5)  # a unit that did not wait would be active by now
    before = show("ActiveState")
    sim.accept()
    active = wait(lambda: show("ActiveState") == "active")
    if not active:
        tell("journal", text=journal())
    tell("start", before=before, active=active, handshakes=sim.counters()["handshakes"], answer=answers(),
         status=show("StatusText"))


def confinement():
    rows = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{show('MainPID')}/status").read_text().splitlines())
    tell("confinement", **{name: rows[name].split()[0] for name in ("Uid", "Seccomp", "CapEff", "NoNewPrivs")})


def reload(sim):
    configure(sim, size=7)
    good = systemctl("reload", "warmpool.service").returncode
    applied = wait(lambda: " of 7 connections" in show("StatusText"))
    CONFIG.write_text("pool: {sise: 9}\n")
    bad = systemctl("reload", "warmpool.service").returncode
    tell("reload", good=good, applied=applied, bad=bad, active=show("ActiveState"), answer=answers())
    configure(sim)


def revived(what, number):
    before = show("MainPID")
    systemctl("kill", "-s", number, "warmpool.service")
    came = wait(lambda: show("MainPID") not in (before, "0") and show("ActiveState") == "active", 30)
    tell(what, came=came, restarts=show("NRestarts"), answer=answers())


class Load:
    """Clients in a closed loop; what is sent is answered, or lost."""

    def __init__(self):
        self.sent = self.good = 0
        self.bad, self.stop = [], False

    async def _exchange(self, stream, token):
        path = f"/in.php?key=k&method=x&uniq={token}" if token.endswith("0") else f"/echo?token={token}"
        stream[1].write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = (await asyncio.wait_for(stream[0].readuntil(b"\r\n\r\n"), 40)).lower()
        body = await stream[0].readexactly(int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0]))
        if b" 200 " not in head.split(b"\r\n", 1)[0] or (path.startswith("/echo") and token.encode() not in body):
            self.bad.append(f"{token}: {head[:40]!r} {body[:60]!r}")
        else:
            self.good += 1
        return b"connection: close" in head

    async def client(self, number):
        stream = None
        count = 0
        while not self.stop:
            count += 1
            self.sent += 1
            try:
                stream = stream or await asyncio.open_connection("127.0.0.1", 8080)
                if await self._exchange(stream, f"c{number}n{count}"):
                    stream[1].close()
                    stream = None
            except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
                self.bad.append(f"c{number}n{count}: {error!r}")
                stream = None
            await asyncio.sleep(0.1)

    async def run(self, sim):
        tasks = [asyncio.ensure_future(self.client(number)) for number in range(CLIENTS)]
        for turn in range(RELOADS):
            await asyncio.sleep(1.5)
            configure(sim, size=8 + turn % 3)
            await asyncio.to_thread(systemctl, "reload", "warmpool.service")
            if turn % 2:
                await asyncio.sleep(1.5)
                await asyncio.to_thread(systemctl, "restart", "warmpool.service")
        await asyncio.sleep(1)
        self.stop = True
        await asyncio.gather(*tasks)


def main():
    with Simulator(delay_ms=5) as sim:
        configure(sim)
        verify = subprocess.run(["systemd-analyze", "verify", "--man=no", "warmpool.service", "warmpool.socket"],
                                capture_output=True, text=True, check=False)
        tell("verify", status=verify.returncode, errors=verify.stderr)
        start(sim)
        confinement()
        reload(sim)
        revived("killed", str(signal.SIGKILL.value))
        revived("hung", str(signal.SIGSTOP.value))
        systemctl("reset-failed", "warmpool.service")
        load = Load()
        asyncio.run(load.run(sim))
        submits = sim.submits()
        tell("load", sent=load.sent, good=load.good, bad=load.bad[:10], lost=len(load.bad), twice=submits["twice"],
             max_open=sim.counters()["connections"]["max_open"])
        tell("journal", text=journal())
    tell("end")


main()

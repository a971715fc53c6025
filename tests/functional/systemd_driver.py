"""Runs inside the systemd that tests/tools/sdboot.sh boots; prints one line of JSON for each thing that it saw.

The units and the binary are installed already.
"""
import asyncio
import json
import pathlib
import signal
import subprocess
import time

from simctl import Simulator

CONFIG = pathlib.Path("/etc/warmpool/warmpool.yaml")
CA = CONFIG.parent / "ca.pem"
POOL_KEY = "C0ffeeC0ffeeC0ffeeC0ffeeC0ffee99"
CLIENTS, RELOADS = 200, 10  # every second reload is followed by a restart


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


def configure(sim, size=10, ca=CA, listen="127.0.0.1:8080"):
    CONFIG.parent.mkdir(exist_ok=True)
    CA.write_bytes(pathlib.Path(sim.ca_file).read_bytes())  # where a unit with a /tmp of its own sees it
    CONFIG.write_text(f"upstream: {{url: 'https://localhost:{sim.port}', ca_file: {ca}}}\n"
                      f"listen: ['{listen}']\npool: {{size: {size}}}\nadmin: {{allow: []}}\nqueue: {{timeout: 30s}}\n")


def journal():
    return subprocess.run(["journalctl", "-u", "warmpool", "-o", "short", "-n", "20", "--no-pager"],
                          capture_output=True, text=True, check=False).stdout[-3000:]


def whole_journal():
    return subprocess.run(["journalctl", "-o", "json", "--no-pager"], capture_output=True, text=True, check=False).stdout


def answers(target="/res.php?key=k&action=getbalance"):
    done = subprocess.run(["curl", "-sS", "-m", "20", "http://127.0.0.1:8080" + target],
                          capture_output=True, text=True, check=False)
    return done.stdout or done.stderr


def start(sim):
    sim.set(rtt_ms=600)  # a handshake takes two or three of these
    socket = systemctl("start", "warmpool.socket").returncode
    systemctl("start", "--no-block", "warmpool.service")
    begun = time.monotonic()
    wait(lambda: sim.counters()["handshakes"]["now"] >= 1)
    before, warming = show("ActiveState"), show("StatusText")
    active = wait(lambda: show("ActiveState") == "active")
    handshakes = sim.counters()["handshakes"]
    seconds = round(time.monotonic() - begun, 2)
    if not active:
        tell("journal", text=journal())
    sim.set(rtt_ms=0)
    tell("start", before=before, warming=warming, active=active, seconds=seconds, socket=socket, handshakes=handshakes, answer=answers(),
         status=show("StatusText"))


def confinement():
    rows = dict(line.split(":", 1) for line in pathlib.Path(f"/proc/{show('MainPID')}/status").read_text().splitlines())
    tell("confinement", **{name: rows[name].split()[0] for name in ("Uid", "Seccomp", "CapEff", "NoNewPrivs")})


def log():
    rows = [json.loads(line) for line in subprocess.run(["journalctl", "-u", "warmpool", "-o", "json", "--no-pager"], capture_output=True,
                                                        text=True, check=False).stdout.splitlines()]
    rows = [row for row in rows if row.get("_COMM") == "warmpool"]
    tell("log", priorities=sorted({row["PRIORITY"] for row in rows}),
         warnings=[row["MESSAGE"] for row in rows if row["PRIORITY"] == "4"][:3],
         taken=[row["MESSAGE"] for row in rows if "take the place of listen" in row["MESSAGE"]][:1])


def drain(sim):
    """A request takes longer than the unit's TimeoutStopSec=, and the service is stopped meanwhile."""
    sim.fault(path="/echo", action="delay", ms=3500)
    with subprocess.Popen(["curl", "-sS", "-m", "20", "-o", "/dev/null", "-w", "%{http_code}", "http://127.0.0.1:8080/echo"],
                          stdout=subprocess.PIPE, text=True) as curl:
        sim.wait(lambda counters: counters["requests"]["by_path"].get("GET /echo", 0) >= 1)
        pid = show("MainPID")
        begun = time.monotonic()
        status = systemctl("restart", "warmpool.service").returncode
        tell("drain", status=status, answer=curl.communicate()[0], seconds=round(time.monotonic() - begun, 2), anew=show("MainPID") != pid)
    sim.clear_faults()


def credential_and_unix_socket(sim):
    """Without the socket unit, on a socket file of its own, with a CA that only root may read."""
    systemctl("stop", "warmpool.socket", "warmpool.service")
    configure(sim, ca="/run/credentials/warmpool.service/ca.pem", listen="unix:/run/warmpool/http.sock")
    CA.chmod(0o600)
    drop_in = pathlib.Path("/run/systemd/system/warmpool.service.d/credential.conf")
    drop_in.write_text(f"[Service]\nLoadCredential=ca.pem:{CA}\n")
    systemctl("daemon-reload")
    status = systemctl("start", "warmpool.service").returncode
    done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "curl", "-sS", "-m", "20", "--unix-socket",
                           "/run/warmpool/http.sock", "http://localhost/res.php?key=k&action=getbalance"],
                          capture_output=True, text=True, check=False)
    configure(sim, size=6, ca="/run/credentials/warmpool.service/ca.pem", listen="unix:/run/warmpool/http.sock")
    CA.write_text(2 * CA.read_text())  # as good, and another: is it handed over anew?
    CA.chmod(0o600)
    reloaded = systemctl("reload", "warmpool.service").returncode
    reloaded = reloaded or not wait(lambda: "done: pool.size=6 new_tls=1" in journal())
    tell("credential", status=status, answer=done.stdout or done.stderr, reloaded=reloaded, active=show("ActiveState"), text=journal() if status or reloaded else "")
    systemctl("stop", "warmpool.service")
    drop_in.unlink()
    CA.chmod(0o644)
    systemctl("daemon-reload")
    configure(sim)


def key_from_credential(sim):
    """With the socket unit and LoadCredential=api_key, as operations.md says: the script gives no key, the API sees one."""
    key = CONFIG.parent / "api_key"
    key.touch(0o600)
    key.write_text(POOL_KEY + "\n")
    drop_in = pathlib.Path("/run/systemd/system/warmpool.service.d/credential.conf")
    drop_in.write_text(f"[Service]\nLoadCredential=api_key:{key}\n")
    systemctl("daemon-reload")
    status = systemctl("start", "warmpool.socket", "warmpool.service").returncode
    logged = whole_journal().count("class=read")
    answer = answers("/res.php?action=getbalance")
    seen = [request["head"].split("\r\n", 1)[0] for request in sim.requests(last=1, path="/res.php")]
    process = pathlib.Path("/proc") / show("MainPID")
    is_logged = wait(lambda: whole_journal().count("class=read") > logged)  # the line comes after the answer
    everything = whole_journal()
    places = {"journal": everything, "status": systemctl("status", "warmpool.service").stdout,
              **{name: (process / name).read_bytes().decode(errors="replace") for name in ("cmdline", "environ")}}
    tell("key", status=status, answer=answer, seen=seen, logged=is_logged,
         places=sorted(places), shown=[name for name, text in places.items() if POOL_KEY in text])
    systemctl("stop", "warmpool.socket", "warmpool.service")
    drop_in.unlink()
    key.unlink()
    systemctl("daemon-reload")


def without_ipv6():
    """The socket unit where IPv6 is switched off; back on afterwards."""
    subprocess.run(["mount", "-o", "remount,bind,rw", "/proc/sys"], check=False)
    switch = pathlib.Path("/proc/sys/net/ipv6/conf/all/disable_ipv6")
    switch.write_text("1")
    status = systemctl("start", "warmpool.socket").returncode
    tell("without_ipv6", status=status, active=show("ActiveState", "warmpool.socket"), answer=answers())
    systemctl("stop", "warmpool.socket", "warmpool.service")
    switch.write_text("0")
    again = systemctl("start", "warmpool.socket", "warmpool.service").returncode
    tell("with_ipv6", status=again, answer=answers())


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
        self.failed, self.restart_s, self.pids = [], [], set()

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

    async def _do(self, verb):
        done = await asyncio.to_thread(systemctl, verb, "warmpool.service")
        if done.returncode != 0:
            self.failed.append(f"{verb}: {done.stderr}")
        self.pids.add(show("MainPID"))

    async def run(self, sim):
        tasks = [asyncio.ensure_future(self.client(number)) for number in range(CLIENTS)]
        for turn in range(RELOADS):
            await asyncio.sleep(1.5)
            configure(sim, size=8 + turn % 3)
            await self._do("reload")
            if turn % 2:
                await asyncio.sleep(1.5)
                begun = time.monotonic()
                await self._do("restart")
                self.restart_s.append(round(time.monotonic() - begun, 2))
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
        drain(sim)
        log()
        credential_and_unix_socket(sim)
        key_from_credential(sim)
        without_ipv6()
        load = Load()
        asyncio.run(load.run(sim))
        submits = sim.submits()
        tell("load", sent=load.sent, good=load.good, bad=load.bad[:10], lost=len(load.bad), failed=load.failed,
             restart_s=load.restart_s, pids=len(load.pids), twice=submits["twice"],
             max_open=sim.counters()["connections"]["max_open"])
        tell("journal", text=journal())
    tell("end")


if __name__ == "__main__":
    main()

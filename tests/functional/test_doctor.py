"""`warmpool doctor`: the upstream's figures when all is well, each fault by its name when not, and the exit status."""
import email.utils
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

import pytest

import distance
from daemon import BINARY, Warmpool, free_port
from simctl import Simulator

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "tools"))
from dns_server import DnsServer  # noqa: E402  (the path comes first)

ALWAYS = -1
KEY = "0123456789abcdef0123456789abcdef"
TOOK = r"([\d.]+) (m?s)"  # a busy machine may need seconds


def doctor(*arguments, url=None, sim=None, wrapper=(), timeout=40, **options):
    """(exit status, the report with its line breaks undone)."""
    settings = {"timeouts.connect": "10s", "listen": "127.0.0.1:0", **options}
    if sim is not None:
        settings = {"upstream.url": f"https://localhost:{sim.port}", "upstream.ca_file": sim.ca_file, **settings}
    if url is not None:
        settings["upstream.url"] = url
    command = [*wrapper, BINARY, "doctor", *arguments]
    for name, value in settings.items():
        command += ["--set", f"{name}={value}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    assert done.stderr == ""
    assert "\033" not in done.stdout
    return done.returncode, re.sub(r"\n {16}(?! *->| *FAULT| *warning)", " ", done.stdout)


def line(report, label):
    """What the report says under this label, the first time."""
    match = re.search(rf"^  {re.escape(label)} +(.*)$", report, re.M)
    assert match, report
    return match.group(1)


def _ms(number, unit):
    return float(number) * (1 if unit == "ms" else 1000)


# All is well

def test_a_good_upstream_is_measured():
    with Simulator(rtt_ms=20, keep_alive_hint=30) as sim:
        status, report = doctor(sim=sim)
        asked = sim.requests()
        handshakes = sim.counters()["handshakes"]
    assert status == 0, report
    assert report.endswith("\nAll is well.\n")
    assert re.fullmatch(TOOK, line(report, "TCP"))
    assert re.fullmatch(TOOK + r", full handshake: TLSv1.3, TLS_AES_128_GCM_SHA256, ALPN http/1.1", line(report, "TLS"))
    assert re.fullmatch(TOOK + ", resumed with .*", line(report, "TLS again"))
    assert line(report, "certificate").startswith("CN=localhost, issued by CN=Simulated API test CA;")
    assert 28 <= int(re.search(r"(\d+) days left", report)[1]) <= 30
    assert "Keep-Alive: timeout=30" in line(report, "HEAD /")
    saved = re.search(f"takes {TOOK}, on a new connection {TOOK}: the pool saves {TOOK} a call", line(report, "stays open"))
    assert _ms(saved[1], saved[2]) >= 20 and _ms(saved[5], saved[6]) >= 20
    assert "lends nothing idle longer than 28s" in report
    # Two harmless requests over one connection, and a second connection without any.
    assert [one["head"].split(" HTTP/")[0] for one in asked] == ["HEAD /", "HEAD /"]
    assert len({one["connection"] for one in asked}) == 1
    assert (handshakes["full"], handshakes["resumed"]) == (1, 1)


def test_every_address_is_measured():
    with Simulator(bind=["127.0.0.1", "::1"]) as sim:
        hosts = pathlib.Path(sim.ca_file).with_name("hosts")
        hosts.write_text("127.0.0.1 localhost\n::1 localhost\n")
        status, report = doctor(sim=sim, wrapper=["env", f"CARES_HOSTS={hosts}"])
        assert (status, report.count("All is well")) == (0, 1), report
        assert set(re.findall(r"^address (.*):\d+$", report, re.M)) == {"127.0.0.1", "[::1]"}
        # One that fails beside one that works is a warning.
        sim.refuse(address="::1")
        status, report = doctor(sim=sim, wrapper=["env", f"CARES_HOSTS={hosts}"])
        assert status == 0
        assert "warning: refused" in report
        assert report.endswith("The upstream can be used, with 1 warning.\n")
        sim.refuse()
        status, report = doctor(sim=sim, wrapper=["env", f"CARES_HOSTS={hosts}"])
    assert status == 1
    assert "FAULT: none of these 2 addresses can be used" in report


def test_what_is_not_so_good_is_said(sim):
    sim.fault(action="connection_close", times=ALWAYS)
    status, report = doctor(sim=sim)
    assert status == 0
    assert "warning: no: the server says Connection: close" in line(report, "stays open")
    sim.clear_faults()
    sim.fault(action="close_after_answer", times=ALWAYS)
    assert "warning: no: the server ends it" in line(doctor(sim=sim)[1], "stays open")


def test_a_server_without_resumption_is_seen():
    with Simulator(tickets=0, tls_max="1.3") as sim:
        assert "not resumed" in line(doctor(sim=sim)[1], "TLS again")


def test_tls_1_2_is_seen_and_resumed():
    with Simulator(tls_max="1.2") as sim:
        status, report = doctor(sim=sim)
    assert status == 0
    assert "TLSv1.2" in line(report, "TLS")
    assert "resumed" in line(report, "TLS again")


@pytest.mark.parametrize("ahead_s,words", [(0, "within "), (-3600, "ahead of"), (3600, "behind")])
def test_the_clock_is_compared(sim, ahead_s, words):
    began_s = int(time.time())
    date = email.utils.formatdate(began_s + ahead_s, usegmt=True)
    sim.fault(action="headers", headers=[["Date", date], ["Server", "nginx/1.22.1"]], times=ALWAYS)
    status, report = doctor(sim=sim)
    assert status == 0
    assert words in line(report, "clock")
    assert ("warning" in line(report, "clock")) == (ahead_s != 0)
    if ahead_s == 0:  # the answer's date stands still while the doctor works
        assert 1 <= int(re.match(r"within (\d+) s of the server's$", line(report, "clock"))[1]) <= max(1, int(time.time()) - began_s)
    assert "Server: nginx/1.22.1" in line(report, "HEAD /")


def test_a_configured_idle_timeout_above_the_hint_is_advised_against():
    with Simulator(keep_alive_hint=10) as sim:
        assert "pool.idle_timeout=auto: yours is 1m" in doctor(sim=sim, **{"pool.idle_timeout": "60s"})[1]


# Faults of the connection

def test_refused(sim):
    sim.refuse()
    status, report = doctor(sim=sim)
    assert status == 1
    assert line(report, "TCP").startswith("FAULT: refused")
    assert report.endswith("The upstream cannot be used: see FAULT above.\n")


def test_a_black_hole():
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen(0)
        waiting = []
        try:
            # A full backlog drops further SYNs.
            for _ in range(4):
                waiting.append(socket.socket())
                waiting[-1].setblocking(False)
                waiting[-1].connect_ex(hole.getsockname())
            status, report = doctor(url=f"https://127.0.0.1:{hole.getsockname()[1]}", **{"timeouts.connect": "500ms"})
        finally:
            for one in waiting:
                one.close()
    assert status == 1
    assert line(report, "TCP").startswith("FAULT: a black hole: nothing came back within 500ms")
    assert "-> a firewall on the way drops the packets" in report


@pytest.mark.parametrize("rule,words", [
    ({"action": "stall_handshake", "stage": "start"}, "the TLS handshake stalls"),
    ({"action": "stall_handshake", "stage": "half"}, "the TLS handshake stalls"),
    ({"action": "rst_in_handshake", "stage": "start"}, "connection reset in the TLS handshake"),
    ({"action": "rst_in_handshake", "stage": "half"}, "connection reset in the TLS handshake"),
    ({"action": "close_in_handshake", "stage": "start"}, "connection ended in the TLS handshake"),
    ({"action": "garbage_handshake", "data": "SSH-2.0-OpenSSH_9.2\r\n"}, "begins with 'SSH-2.0-OpenSSH_9.2'"),
    ({"action": "certificate", "kind": "wrong_name"}, "it is for wrong.invalid, not for localhost"),
    ({"action": "certificate", "kind": "expired"}, "certificate expired"),
    ({"action": "certificate", "kind": "self_signed"}, "certificate signed by itself (CN=localhost)"),
    ({"action": "certificate", "kind": "unknown_issuer"}, "it was issued by CN=Some other test CA"),
], ids=lambda value: "-".join(str(part) for part in list(value.values())[:2]) if isinstance(value, dict) else "")
def test_a_fault_of_the_handshake_is_named(sim, rule, words):
    sim.fault(**rule, times=ALWAYS)
    status, report = doctor(sim=sim, **({"timeouts.connect": "1s"} if rule["action"] == "stall_handshake" else {}))
    assert status == 1
    assert line(report, "TLS").startswith("FAULT: ")
    assert words in line(report, "TLS")
    assert "\n                -> " in report


def test_the_issuer_of_a_private_authority_is_named(sim):
    status, report = doctor(sim=sim, **{"upstream.ca_file": ""})
    assert status == 1
    assert "it was issued by CN=Simulated API test CA, which this machine's store does not know" in report
    assert "upstream.ca_file" in report


def test_an_unverified_certificate_is_warned_of(sim):
    sim.fault(action="certificate", kind="expired", times=ALWAYS)
    status, report = doctor(sim=sim, **{"upstream.tls_verify": "false"})
    assert status == 0
    assert "warning: it was not checked: upstream.tls_verify is off" in report


def test_plain_http_where_tls_should_be():
    with Simulator(plain=True) as sim:
        status, report = doctor(url=f"https://127.0.0.1:{sim.port}", **{"timeouts.connect": "2s"})
    assert status == 1
    assert "FAULT: not TLS: plain HTTP is spoken on this port" in report


def test_tls_where_plain_http_should_be(sim):
    status, report = doctor(url=f"http://127.0.0.1:{sim.port}")
    assert status == 1
    assert "write https:// in upstream.url" in report


# Faults of the answer

@pytest.mark.parametrize("rule,words", [
    ({"action": "garbage", "data": "220 mail ESMTP\r\n"}, "the answer is no HTTP/1.1: it begins with '220 mail ESMTP'"),
    ({"action": "close"}, "ended instead of an answer"),
    ({"action": "rst"}, "reset instead of an answer"),
    ({"action": "never"}, "HEAD / is not answered within 1s"),
])
def test_no_answer_is_named(sim, rule, words):
    sim.fault(**rule, times=ALWAYS)
    status, report = doctor(sim=sim, **({"timeouts.response": "1s"} if rule["action"] == "never" else {}))
    assert status == 1
    assert line(report, "HEAD /").startswith("FAULT: ")
    assert words in line(report, "HEAD /")


def _redirect(sim):
    sim.fault(action="status", status=302, headers=[["Location", "http://portal.hotel.test/login"]], times=ALWAYS)


def test_a_captive_portal_is_named():
    with Simulator(plain=True) as sim:
        url = f"http://127.0.0.1:{sim.port}"
        _redirect(sim)
        status, report = doctor(url=url)
        assert status == 1
        assert "FAULT: a captive portal: the answer is a redirect (302) to another site, portal.hotel.test" in report
        sim.clear_faults()
        sim.fault(action="raw", data="HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n", times=ALWAYS)
        status, report = doctor(url=url)
        assert status == 0
        assert "warning: the answer is HTML, and nothing proves whose it is" in report


def test_a_captive_portal_that_is_trusted_is_named(sim):
    _redirect(sim)
    status, report = doctor(sim=sim)
    assert status == 0
    assert "warning: it may be a captive portal that this machine trusts" in report
    sim.clear_faults()
    sim.fault(action="status", status=511, times=ALWAYS)
    status, report = doctor(sim=sim)
    assert status == 1
    assert "FAULT: a captive portal" in report


# The name

def names():
    """Inside a network of its own: what is said of each way in which DNS fails."""
    zone = {"records": [{"name": "api.test", "type": "A", "value": "127.0.0.1", "ttl": 77}]}
    with DnsServer(zone, listen=f"{distance.RESOLVER}:53") as dns, Simulator(name="api.test") as sim:
        good = {"url": f"https://api.test:{sim.port}", "upstream.ca_file": sim.ca_file}
        said = {"good": doctor(**good), "no_name": doctor(url="https://other.test")}
        dns.change({"mode": "silent"})
        said["silent"] = doctor(**good)
        dns.change({"mode": "servfail"})
        said["failing"] = doctor(**good)
    said["no_server"] = doctor(url="https://api.test")
    return said


def test_what_is_wrong_with_the_name_is_said():
    said = distance.apart(__file__, "names")
    status, report = said["good"]
    assert status == 0, report
    assert re.search(r"api.test: 1 address from DNS in [\d.]+ ms, TTL 77 s, asked again every 77s", report)
    for case, words in {"no_name": "DNS says that there is no name other.test (asked: 127.0.0.53)",
                        "silent": "the DNS servers do not answer in time (asked: 127.0.0.53)",
                        "failing": "the DNS servers fail, refuse or cannot be reached",
                        "no_server": "the DNS servers "}.items():
        status, report = said[case]
        assert status == 1, case
        assert line(report, "name").startswith("FAULT: ") and words in line(report, "name"), report


# This machine

def test_ourselves_are_seen():
    port = free_port()
    status, report = doctor(url=f"https://localhost:{port}", listen=f"127.0.0.1:{port}")
    assert status == 1
    assert "FAULT: this is our own listener" in report


def test_the_addresses_to_listen_on_are_looked_at(sim, tmp_path):
    path, port = tmp_path / "http.sock", free_port()
    with Warmpool(sim, listen=f"127.0.0.1:0, unix:{path}") as wp:
        busy = wp.addresses[0]
        status, report = doctor(sim=sim, listen=f"{busy}, 127.0.0.1:{port}, unix:{path}, unix:{path}.none")
        assert "client" not in wp.log().split("ready listen")[1], "the running one was disturbed"
    assert status == 0
    assert f"{busy} is taken" in report
    assert f"127.0.0.1:{port} is free" in report
    assert f"unix:{path} is taken" in report
    assert f"unix:{path}.none is free" in report
    assert not os.path.exists(f"{path}.none")


def test_too_few_descriptors_are_warned_of(sim):
    status, report = doctor(sim=sim, wrapper=["prlimit", "--nofile=200:200"])
    assert status == 0
    assert "warning: 200 at most" in line(report, "descriptors")
    assert "LimitNOFILE=1137" in report


# The configuration

def test_a_bad_configuration_is_said_and_nothing_measured(tmp_path):
    path = tmp_path / "warmpool.yaml"
    path.write_text("pool:\n  szie: 5\n")
    status, report = doctor("-c", str(path))
    assert status == 1
    assert f"FAULT: {path}:2: pool.szie" in report
    assert "address" not in report


def test_the_key_is_neither_sent_nor_printed(sim, tmp_path):
    path = tmp_path / "key"
    path.write_text(KEY + "\n")
    status, report = doctor(sim=sim, **{"upstream.api_key_file": path})
    assert status == 0
    assert KEY not in report
    assert all(KEY not in one["head"] for one in sim.requests())


if __name__ == "__main__":
    distance.main(names)

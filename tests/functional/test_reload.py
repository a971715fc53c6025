"""SIGHUP: the new configuration is taken whole or not at all, and no request is lost."""
import shutil
import signal
import threading
import time

import requests

from crowd import Crowd
from daemon import Warmpool, read_response
from replies import new_uniq, poll, submit
from simctl import Simulator


class Configured(Warmpool):
    """A daemon with a file that a test rewrites; what is written is YAML beneath the harness's own --set."""

    def __init__(self, sim, path, text="", **options):
        self.path = path
        path.write_text(text)
        super().__init__(sim, arguments=["-c", str(path)], **options)

    def reload(self, text, answer=" reload: done"):
        """Writes the file, sends SIGHUP, waits for what the log says; returns that."""
        before = len(self.log())
        self.path.write_text(text)
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while True:
            new = self.log()[before:]
            if answer in new:
                return new
            assert time.monotonic() < deadline, new
            time.sleep(0.01)


def test_a_bad_file_changes_nothing(sim, tmp_path):
    with Configured(sim, tmp_path / "w.yaml", "pool: {size: 7}\n") as wp:
        before = {connection["number"] for connection in sim.connections()}
        said = wp.reload("pool:\n  size: 9\n  sise: 3\n", " reload: refused")
        assert f"{wp.path}:3: pool.sise: unknown option; did you mean pool.size?" in said
        assert poll(wp, None).status_code == 200
        assert before <= {connection["number"] for connection in sim.connections()}


def test_the_pool_grows_and_shrinks(tmp_path):
    with Simulator(delay_ms=50) as sim, Configured(sim, tmp_path / "w.yaml", "pool: {size: 4, min_idle: 1}\n") as wp:
        with Crowd(wp, "crowd", 40) as crowd:
            crowd.wait(lambda: crowd.statuses[200] > 40)
            assert sim.counters()["connections"]["max_open"] == 4
            wp.reload("pool: {size: 12, min_idle: 1}\n")
            sim.wait(lambda counters: counters["connections"]["open"] == 12)
            wp.reload("pool: {size: 3, min_idle: 1}\n")
            sim.wait(lambda counters: counters["connections"]["open"] == 3)
            answered = crowd.statuses[200]
            crowd.wait(lambda: crowd.statuses[200] > answered + 40)
            assert sim.counters()["connections"]["open"] == 3
        assert set(crowd.statuses) == {200}
        assert sim.counters()["connections"]["max_open"] == 12


def test_what_needs_a_restart_is_named(sim, tmp_path):
    with Configured(sim, tmp_path / "w.yaml") as wp:
        said = wp.reload("listen_reuseport: true\nqueue: {timeout: 1s}\n")
        assert f"{wp.path}:1: listen_reuseport: needs a restart; the running value stays" in said
        # And again: it still differs from what runs.
        assert "listen_reuseport: needs a restart" in wp.reload("listen_reuseport: true\n")


def test_another_upstream_is_refused_whole(sim, tmp_path):
    """Its trust and its key belong to it: none of them may come to the present one."""
    url = f"https://localhost:{sim.port}"
    path = tmp_path / "w.yaml"
    path.write_text(f"upstream: {{url: '{url}', ca_file: {sim.ca_file}}}\n")
    with Warmpool(arguments=["-c", str(path)], **{"queue.size": 9}) as wp:
        before = {connection["number"] for connection in sim.connections()}
        key = tmp_path / "key"
        key.write_text("fedcba9876543210fedcba9876543210\n")
        key.chmod(0o600)
        path.write_text(f"upstream:\n  url: https://other.example\n  api_key_file: {key}\n")
        wp.process.send_signal(signal.SIGHUP)
        wp.wait_log(r"w\.yaml:2: upstream\.url: needs a restart")
        wp.wait_log("reload: refused")
        assert poll(wp, None).status_code == 200
        assert before <= {connection["number"] for connection in sim.connections()}
        requests.get(wp.url + "/res.php?action=getbalance&uniq=keyless")
        assert "fedcba" not in sim.requests(uniq="keyless")[0]["head"]


def test_what_is_applied_is_checked_as_it_will_run(sim, tmp_path):
    """A new file that is good by itself, and not together with what stays until a restart."""
    path = tmp_path / "w.yaml"
    path.write_text("listen: ['0.0.0.0:0']\naccess: {allow: [10.0.0.0/8, 127.0.0.0/8]}\n")
    with Warmpool(sim, listen=None, arguments=["-c", str(path)]) as wp:
        # The listener stays open to all until then, and with only loopback allowed `check` refuses such a one.
        path.write_text("listen: ['127.0.0.1:0']\naccess: {allow: [127.0.0.0/8]}\n")
        wp.process.send_signal(signal.SIGHUP)
        wp.wait_log("listen: 0.0.0.0:0 is reached by other machines, but access.allow holds only loopback")
        wp.wait_log("reload: refused")
        # What runs was not touched by that: the first file is no change.
        path.write_text("listen: ['0.0.0.0:0']\naccess: {allow: [10.0.0.0/8, 127.0.0.0/8]}\n")
        wp.process.send_signal(signal.SIGHUP)
        wp.wait_log("reload: done")
        assert wp.log().count("needs a restart") == 1


def test_fewer_clients_are_let_go(sim, tmp_path):
    with Configured(sim, tmp_path / "w.yaml", "limits: {clients: 100}\n") as wp:
        sockets = [wp.connect() for _ in range(40)]
        for sock in sockets:
            sock.sendall(b"GET /res.php?key=k&action=getbalance HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert read_response(sock)[0] == 200
        before = wp.descriptors()
        wp.reload("limits: {clients: 10}\n")
        sim.wait(lambda _: wp.descriptors() <= before - 30)
        assert poll(wp, None).status_code == 200
        for sock in sockets:
            sock.close()


def test_connections_survive_unless_tls_changed(sim, tmp_path):
    ca_file = tmp_path / "ca.pem"
    shutil.copy(sim.ca_file, ca_file)
    with Configured(sim, tmp_path / "w.yaml", **{"upstream.ca_file": str(ca_file)}) as wp:
        first = {connection["number"] for connection in sim.connections()}
        wp.reload("queue: {size: 5}\n")
        assert first == {connection["number"] for connection in sim.connections()}
        # A renewed file of the same name is another trust.
        ca_file.write_text("# renewed\n" + ca_file.read_text())
        assert "new_tls=1" in wp.reload("queue: {size: 5}\n")
        sim.wait(lambda _: not first & {connection["number"] for connection in sim.connections()})
        assert poll(wp, None).status_code == 200
        ca_file.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----\n")
        wp.reload("queue: {size: 6}\n", " reload: refused")
        assert poll(wp, None).status_code == 200


def test_access_and_limits_change(sim, tmp_path):
    with Configured(sim, tmp_path / "w.yaml") as wp:
        with requests.Session() as session:
            session.trust_env = False
            assert session.get(wp.url + "/echo").status_code == 200
            wp.reload("access: {allow: [10.0.0.0/8]}\n")
            # A connection that is open already, too.
            assert session.get(wp.url + "/echo").status_code == 403
            wp.reload("limits: {request_body: 1KiB}\n")
            assert session.post(wp.url + "/echo", data=b"x" * 2000).status_code == 413
            wp.reload("access: {clients: {default: {max_inflight: 1}}}\nlog: {access: false}\n")
            before = len(wp.access_lines())
            assert session.get(wp.url + "/echo").status_code == 200
            wp.reload("log: {access: false}\n")  # said at once, and takes along what would wait
            assert len(wp.access_lines()) == before


def test_reloads_under_load_lose_nothing(tmp_path):
    with Simulator(delay_ms=5) as sim, Configured(sim, tmp_path / "w.yaml") as wp:
        stop = threading.Event()
        submits = {}

        def submit_on():
            while not stop.is_set():
                uniq = new_uniq()
                submits[uniq] = submit(wp, uniq).status_code
        workers = [threading.Thread(target=submit_on) for _ in range(4)]
        for worker in workers:
            worker.start()
        with Crowd(wp, "crowd", 50) as crowd:
            for count in range(10):
                wp.reload(f"pool: {{size: {3 + count * 2 % 9}, min_idle: 2}}\n")
                answered = crowd.statuses[200]
                crowd.wait(lambda: crowd.statuses[200] > answered + 20)
        stop.set()
        for worker in workers:
            worker.join()
        assert set(crowd.statuses) == {200}
        assert set(submits.values()) == {200} and len(submits) > 20
        assert sim.submits()["by_uniq"] == dict.fromkeys(submits, 1)

"""`listen: tls:…`: real clients over https://, certificates that change, and what is said to who speaks the wrong protocol."""
import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import sys
import time

import pytest
import requests

import nodejs
import preload
from admin_client import ON, ask
from daemon import BINARY, ROOT, Warmpool, is_sanitized, knows_systemd, read_all, read_response, stopped
from replies import KEY, arrived, new_uniq
from simctl import Simulator
from test_reload import Configured
from test_service import _handed, _listening

sys.path.insert(0, str(ROOT / "tests"))
from simulator.ca import Authority  # noqa: E402  pylint: disable=wrong-import-position

_SEGS_IN = 140  # tcpi_segs_in of struct tcp_info, linux/tcp.h
POLL = b"GET /res.php?key=k&action=getbalance HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module", name="authority")
def _authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("ca"), ["localhost", "127.0.0.1", "pool.lan"])


@pytest.fixture(scope="module", name="files")
def _files(authority):
    cert, key = authority.chain("good")
    return {"tls.cert_file": cert, "tls.key_file": key}


@pytest.fixture(scope="module", name="wp")
def _wp(sim, files):
    with Warmpool(sim, listen="tls:127.0.0.1:0,127.0.0.1:0", secrets=[KEY], **files) as daemon:
        yield daemon


@pytest.fixture(scope="module", name="sim")
def _sim():
    with Simulator(idle_timeout=0, image_limit_kb=0) as simulator:
        yield simulator


def client_context(authority):
    return ssl.create_default_context(cafile=str(authority.ca_file))


def connect(wp, authority, **options):
    context = client_context(authority)
    for name, value in options.items():
        setattr(context, name, value)
    return context.wrap_socket(wp.connect(), server_hostname="localhost")


def test_plain_and_tls_are_served_beside_each_other(sim, wp, authority):
    assert [a.startswith("tls:") for a in wp.addresses] == [True, False]
    plain = requests.get(f"http://{wp.addresses[1]}/res.php?key={KEY}&action=getbalance", timeout=10)
    over_tls = requests.get(f"{wp.url}/res.php?key={KEY}&action=getbalance", timeout=10, verify=str(authority.ca_file))
    assert (plain.status_code, plain.text) == (over_tls.status_code, over_tls.text) == (200, plain.text)


@pytest.mark.parametrize("which", ["over TLS", "plain"])
def test_the_end_of_a_connection_goes_out_with_its_reply(wp, authority, which):
    """One segment and one wake-up less; a client that asks for one thing at a time sees the end at once."""
    def segments(more, read):
        with (connect(wp, authority) if which == "over TLS" else
              socket.create_connection(("127.0.0.1", int(wp.addresses[1].rsplit(":", 1)[1])), timeout=10)) as sock:
            sock.sendall(POLL.replace(b"\r\n\r\n", more + b"\r\n\r\n"))
            assert read(sock)
            return struct.unpack_from("I", sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144), _SEGS_IN)[0]

    # An acknowledgement of its own comes now and then.
    stays = min(segments(b"", read_response) for _ in range(10))
    assert min(segments(b"\r\nConnection: close", read_all) for _ in range(10)) <= stays


def test_curl_sends_a_large_body_and_reads_a_large_answer(sim, wp, authority, tmp_path):
    image = tmp_path / "captcha.png"
    image.write_bytes(b"\x89PNG" * 400_000)
    uniq = new_uniq()
    done = subprocess.run(
        ["curl", "-sS", "--noproxy", "*", "--max-time", "20", "--cacert", str(authority.ca_file), "-F", f"key={KEY}", "-F",
         "method=post", "-F", f"uniq={uniq}", "-F", f"file=@{image}", wp.url + "/in.php"],
        capture_output=True, text=True, check=True)
    assert done.stdout.startswith("OK|") and arrived(sim, uniq) == 1
    sim.fault(action="big_body", path="/res.php", bytes=2_000_000, times=1)
    answer = requests.get(wp.url + "/res.php?key=k&action=getbalance", timeout=10, verify=str(authority.ca_file))
    assert answer.status_code == 200 and answer.text == "b" * 2_000_000


def test_node_clients(sim, wp, authority):
    found = nodejs.run_json("clients.js", wp.url, KEY, environment={"NODE_EXTRA_CA_CERTS": str(authority.ca_file)})
    answers = found["axios"]["answers"] + found["undici"]["answers"]
    assert len(answers) == 8 and all(answer.startswith("OK|") for answer in answers)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_pipelined_requests_in_one_record_are_all_answered(wp, authority, version):
    with connect(wp, authority, minimum_version=version, maximum_version=version) as sock:
        sock.sendall(POLL * 50)
        rest = b""
        for _ in range(50):
            status, _headers, _body, rest = read_response(sock, rest)
            assert status == 200


def test_a_request_in_pieces_of_one_byte(wp, authority):
    with connect(wp, authority) as sock:
        for byte in POLL:
            sock.send(bytes([byte]))
        assert read_response(sock)[0] == 200


def test_the_end_is_announced(wp, authority):
    """An end without close_notify would raise here."""
    with connect(wp, authority) as sock:
        sock.sendall(POLL.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        data = b""
        while piece := sock.recv(65536):
            data += piece
        assert data.startswith(b"HTTP/1.1 200")


def test_plain_http_is_told_to_speak_tls(wp):
    answer = wp.raw(POLL)
    assert answer.startswith(b"HTTP/1.1 400 ") and b"ERROR_PLAIN_HTTP" in answer and b"https://" in answer


def test_other_bytes_end_the_connection(wp):
    assert not wp.raw(b"\x16\x03\x01\xff\xffgarbage that is no handshake" * 20, shut=True).startswith(b"HTTP")


def test_only_http_1_1_is_negotiated(wp, authority):
    context = client_context(authority)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(wp.connect(), server_hostname="localhost") as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"
    context.set_alpn_protocols(["h2"])
    with pytest.raises(ssl.SSLError):
        context.wrap_socket(wp.connect(), server_hostname="localhost")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tls_1_1_is_refused(wp, authority):
    context = client_context(authority)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        context.wrap_socket(wp.connect(), server_hostname="localhost")


def test_a_slow_reader_gets_its_answer_whole(sim, wp, authority):
    sim.fault(action="big_body", path="/res.php", bytes=3_000_000, times=1)
    with connect(wp, authority) as sock:
        sock.sendall(b"GET /res.php?key=k&action=getbalance HTTP/1.1\r\nHost: localhost\r\n\r\n")
        pieces = []
        while sum(map(len, pieces)) < 3_000_000 and (piece := sock.recv(1000)):
            pieces.append(piece)
        head, body = b"".join(pieces).split(b"\r\n\r\n", 1)
        while len(body) < 3_000_000:
            body += sock.recv(65536)
        assert head.startswith(b"HTTP/1.1 200") and body == b"b" * 3_000_000


def test_a_client_who_leaves_in_the_middle_of_all_costs_nothing(sim, files, authority):
    # A pool of one: no spare is opened beside what is lent.
    with Warmpool(sim, listen="tls:127.0.0.1:0", **files, **{"pool.size": 1, "pool.min_idle": 1}) as wp:
        before = wp.descriptors()
        for how in ("handshake", "request", "answer"):
            sock = wp.connect()
            if how == "handshake":
                sock.sendall(b"\x16\x03\x01\x02\x00\x01")
            else:
                sock = client_context(authority).wrap_socket(sock, server_hostname="localhost")
                sock.sendall(POLL if how == "answer" else POLL[:20])
            sock.close()
        deadline = time.monotonic() + 10
        while wp.descriptors() > before:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def failures(wp):
    return int(re.search(r"(?m)^warmpool_client_handshake_failures_total (\d+)$", ask(wp, path="/metrics")[2]).group(1))


def test_a_handshake_that_fails_is_logged_and_counted(sim, files, tmp_path):
    with Warmpool(sim, listen="tls:127.0.0.1:0", **files, **ON) as wp:
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(wp.url, timeout=10, verify=str(Authority(tmp_path / "other", ["localhost"]).ca_file))
        wp.wait_log(r"client client=127\.0\.0\.1 handshake=failed reason=\"error:.*unknown ca\"")
        with wp.connect() as sock:
            sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        wp.wait_log("reason=.*unexpected eof")
        with wp.connect() as sock:  # a look whether the port is open
            sock.shutdown(socket.SHUT_WR)
            read_all(sock)
        assert failures(wp) == 2
        for _ in range(10):
            wp.raw(b"\x16garbage")  # it is closed after it was counted
        assert failures(wp) == 12
        assert len(re.findall("handshake=failed", wp.log())) == 10


def test_a_handshake_that_stalls_is_ended_logged_and_counted(sim, files):
    with Warmpool(sim, listen="tls:127.0.0.1:0", **files, **ON, **{"timeouts.client_head": "300ms"}) as wp:
        with stopped(wp.process):  # its time begins when it is accepted: what it sends is here by then
            sock = wp.connect()
            sock.sendall(b"\x16\x03\x01\x02\x00\x01")
        with sock:
            assert read_all(sock) == b""
        wp.wait_log("reason=\"it took longer than timeouts.client_head\"")
        assert failures(wp) == 1


# --- certificates ---

def serial_of(wp, authority):
    with connect(wp, authority) as sock:
        return sock.getpeercert()["serialNumber"]


def test_a_renewed_certificate_is_taken_at_sighup_and_open_connections_stay(sim, tmp_path):
    first = Authority(tmp_path / "one", ["localhost"])
    second = Authority(tmp_path / "two", ["localhost"])
    here = [tmp_path / "cert.pem", tmp_path / "key.pem"]

    def place(authority):
        for source, target in zip(authority.chain("good"), here):
            shutil.copy(source, target)

    place(first)
    text = f"tls: {{cert_file: {here[0]}, key_file: {here[1]}}}\n"
    with Configured(sim, tmp_path / "w.yaml", text, listen="tls:127.0.0.1:0") as wp:
        with connect(wp, first) as old:
            place(second)
            wp.reload(text)
            with connect(wp, second) as sock:
                sock.sendall(POLL)
                assert read_response(sock)[0] == 200
            old.sendall(POLL)
            assert read_response(old)[0] == 200
        # A key that is another certificate's: nothing changes.
        shutil.copy(first.chain("good")[1], here[1])
        said = wp.reload(text, " reload: refused")
        assert "is not the key of the certificate" in said
        with connect(wp, second) as sock:
            sock.sendall(POLL)
            assert read_response(sock)[0] == 200
        # And none at all, while a listener needs one.
        said = wp.reload("{}\n", " reload: refused")
        assert "tls: needs tls.cert_file and tls.key_file" in said


def check(*settings):
    arguments = [word for setting in settings for word in ("--set", setting)]
    done = subprocess.run([BINARY, "check", *arguments], capture_output=True, text=True, timeout=20, check=False)
    return done.returncode, done.stderr


def test_check_says_what_is_wrong_with_the_files(authority, files, tmp_path):
    cert, key = files["tls.cert_file"], files["tls.key_file"]
    listen = "listen=tls:127.0.0.1:8443"
    assert check(listen, f"tls.cert_file={cert}", f"tls.key_file={key}") == (0, "")
    assert check(listen) == (1, "--set listen: tls: needs tls.cert_file and tls.key_file\n")
    assert "needs tls.key_file as well" in check(listen, f"tls.cert_file={cert}")[1]
    other = authority.chain("wrong_name")[1]
    assert "is not the key of the certificate" in check(listen, f"tls.cert_file={cert}", f"tls.key_file={other}")[1]
    assert "cannot read" in check(listen, f"tls.cert_file={tmp_path}/none", f"tls.key_file={key}")[1]
    locked = tmp_path / "locked.pem"
    subprocess.run(["openssl", "pkey", "-in", str(key), "-aes256", "-passout", "pass:x", "-out", str(locked)], check=True)
    status, said = check(listen, f"tls.cert_file={cert}", f"tls.key_file={locked}")
    assert status == 1 and "passphrase" in said
    for bad in ("tls:unix:/run/x", "tls:8443", "tls:"):
        status, said = check(f"listen={bad}", f"tls.cert_file={cert}", f"tls.key_file={key}")
        assert status == 1 and "as in tls:0.0.0.0:8443" in said


@pytest.mark.skipif(not knows_systemd(), reason="built without libsystemd")
def test_a_socket_named_https_is_served_with_tls(sim, authority, files):
    with _listening() as tcp:
        with _handed(sim, tcp, names="https", **files) as wp:
            assert wp.addresses == [f"tls:127.0.0.1:{tcp.getsockname()[1]}"]
            assert serial_of(wp, authority)
        with _handed(sim, tcp, names="https", ready=False) as wp:
            wp.wait_log("a listening socket for TLS needs tls.cert_file and tls.key_file")
            wp.process.wait(10)
            wp.stop(expect=1)


def test_tokens_and_https_go_together(sim, authority, files, tmp_path):
    tokens = tmp_path / "tokens"
    tokens.write_text("team-a:correct-horse-battery\n")
    tokens.chmod(0o600)
    with Warmpool(sim, listen="tls:127.0.0.1:0", **files, **{"access.tokens": tokens}) as wp:
        uniq = new_uniq()
        url = wp.url.replace("https://", "https://team-a:correct-horse-battery@")
        answer = requests.get(f"{url}/in.php", params={"key": KEY, "method": "userrecaptcha", "uniq": uniq}, timeout=10,
                              verify=str(authority.ca_file))
        assert answer.text.startswith("OK|") and arrived(sim, uniq) == 1
        wp.wait_log("client=team-a class=submit")


def test_a_drain_finishes_what_is_in_flight(sim, authority, files):
    with Warmpool(sim, listen="tls:127.0.0.1:0", drain_s=20, **files) as wp:
        rule = sim.fault(action="hold", path="/drain")
        with connect(wp, authority) as sock:
            sock.sendall(b"GET /drain HTTP/1.1\r\nHost: localhost\r\n\r\n")
            sim.wait(lambda _: sim.acted(rule) == 1)
            wp.terminate()
            wp.wait_log("finishing 1 requests")
            sim.clear_faults()
            _status, headers, _body, _ = read_response(sock)
            assert headers["connection"] == "close"
            assert sock.recv(1) == b""


def test_a_handshake_that_ends_in_a_drain_does_not_delay_it(sim, authority, files):
    with Warmpool(sim, listen="tls:127.0.0.1:0", drain_s=20, **files) as wp:
        sock, context = wp.connect(15), client_context(authority)
        serial_of(wp, authority)  # accepted after it
        began = time.monotonic()
        wp.terminate()
        wp.wait_log("finishing")
        try:
            with context.wrap_socket(sock, server_hostname="localhost") as client:
                assert client.recv(1) == b""
        except OSError:
            assert time.monotonic() - began > 1  # this process was too slow: who is silent may rest for 1 s
        wp.stop()
        assert time.monotonic() - began < 10


def preloaded(tmp_path, name):
    environment = preload.environment(tmp_path, name)
    if environment is None or is_sanitized():
        pytest.skip("needs cc, and a library before all others")
    return environment


def test_a_continue_that_finds_the_socket_full_costs_the_reply_nothing(sim, authority, files, tmp_path):
    """TLS must be given the same bytes again, or it counts those of the reply as sent."""
    environment = preloaded(tmp_path, "full_socket") | {"PRELOAD_FULL_BYTES": str(25 + 5 + 1 + 16)}  # a record of TLS 1.3
    with Warmpool(sim, listen="tls:127.0.0.1:0", environment=environment, **files) as wp:
        with connect(wp, authority) as sock:
            sock.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
            status, _headers, _body, rest = read_response(sock)
            assert (status, rest) == (100, b"")
            wp.wait_log("preload: full")
            sock.sendall(b"abc")
            assert read_response(sock)[0] == 200


def test_who_sends_much_over_tls_does_not_keep_the_loop(sim, authority, files, tmp_path):
    """TLS reads ahead 16,709 bytes: with records of 4177 there is always one byte of the next, for which it reads on."""
    record = b"x" * (4177 - 5 - 1 - 16)
    with Warmpool(sim, listen="tls:127.0.0.1:0", environment=preloaded(tmp_path, "turns"), **files) as wp:
        with connect(wp, authority) as sock:
            sock.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % (70 * len(record)))
            wp.process.send_signal(signal.SIGSTOP)
            for _ in range(70):
                sock.sendall(record)
            wp.process.send_signal(signal.SIGCONT)
            assert read_response(sock)[0] == 200
        assert max(int(number) for number in re.findall(r"preload: (\d+) bytes a turn", wp.log())) <= 85_000


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_nothing_is_held_back_after_a_socket_was_full(sim, tmp_path, nth):
    """The kernel keeps the end of what is written with MSG_MORE for 200 ms: the last record of a message must not be."""
    environment = preloaded(tmp_path, "full_socket") | {"PRELOAD_FULL_BYTES": str(16384 + 5 + 1 + 16), "PRELOAD_FULL_NTH": str(nth)}
    with Warmpool(sim, environment=environment) as wp:
        answer = requests.post(f"{wp.url}/echo", data=b"x" * 56_000, timeout=10)
        assert answer.json()["body_length"] == 56_000
        wp.wait_log("preload: full")
        sent = re.findall(r"preload: sent (\d+)( more)?\n", wp.log())
        # Records of the message, and not of a spare that shakes hands.
        *first, last = [more for size, more in sent if int(size) > 5000]
        assert first == [" more"] * (4 - nth) and last == ""

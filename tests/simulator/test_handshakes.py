"""Faults of listeners, of certificates and within the TLS handshake do what they say."""
import ssl

import pytest

from simulator.peer import Ended, Peer, wait_for

BODY = b"0123456789abcdef"            # what /bytes/16 answers


def handshake_error(sim, **rule):
    sim.fault(**rule)
    with pytest.raises((OSError, Ended)) as raised:
        with Peer(sim):
            pass
    return raised.value


@pytest.mark.parametrize("kind, words", [
    ("wrong_name", "Hostname mismatch"), ("expired", "certificate has expired"),
    ("self_signed", "self-signed certificate"),
    ("unknown_issuer", "unable to get local issuer certificate")])
def test_certificates_that_must_not_be_accepted(sim, kind, words):
    assert words in str(handshake_error(sim, action="certificate", kind=kind))
    sim.wait(lambda counters: counters["handshakes"]["failed"] == 1)
    with Peer(sim) as peer:
        assert peer.get("/bytes/16")[1] == BODY


@pytest.mark.parametrize("action, errors", [
    ("accept_close", (Ended, ConnectionError)), ("accept_rst", (ConnectionError,)),
    ("rst_in_handshake", (ConnectionResetError,)), ("close_in_handshake", (Ended,)),
    ("garbage_handshake", (ssl.SSLError,))])
def test_handshakes_that_break(sim, action, errors):
    assert isinstance(handshake_error(sim, action=action), errors)
    sim.wait(lambda counters: counters["connections"]["open"] == 0)


def test_a_handshake_that_breaks_half_way(sim):
    for action in ("rst_in_handshake", "close_in_handshake"):
        sim.fault(action=action, stage="half")
        with Peer(sim, secure=False) as peer:
            send_client_hello(peer)
            data, end = peer.rest()
            assert data[:1] == b"\x16" and len(data) > 100
            assert end == ("rst" if action == "rst_in_handshake" else "fin_no_notify")


@pytest.mark.parametrize("stage", ["start", "half"])
def test_a_stalled_handshake_counts_as_under_way_until_the_peer_leaves(sim, stage):
    sim.fault(action="stall_handshake", stage=stage)
    with Peer(sim, secure=False) as peer:
        send_client_hello(peer)
        data, end = peer.rest()
        assert end == "open" and bool(data) == (stage == "half")
        assert sim.counters()["handshakes"]["now"] == 1
    sim.wait(lambda counters: counters["handshakes"]["now"] == 0)


def send_client_hello(peer):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    peer.send(outgoing.read())


def test_refused_on_one_address_or_all_for_a_time_or_until_told(sim):
    sim.fault(action="refuse", address="::1")
    with pytest.raises(ConnectionRefusedError):
        Peer(sim, address="::1")
    with Peer(sim, address="127.0.0.1") as peer:
        assert peer.get("/bytes/16")[1] == BODY
    sim.accept()
    with Peer(sim, address="::1"):
        pass
    sim.refuse(seconds=60)
    with pytest.raises(ConnectionRefusedError):
        Peer(sim)
    sim.refuse(seconds=0.1)
    assert wait_for(lambda: connects(sim))


def connects(sim):
    try:
        with Peer(sim):
            return True
    except ConnectionRefusedError:
        return False

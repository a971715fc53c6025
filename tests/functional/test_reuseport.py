"""Several instances on one port (listen_reuseport), each with a part of the bound."""
import asyncio
import collections
import os
import signal
import socket

import pytest

import distance
from daemon import Warmpool, free_port, read_all, read_response
from replies import KEY, new_uniq
from simctl import Simulator

HALF = 5
REQUEST = b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def _instance(sim, port, **options):
    return Warmpool(sim, listen=f"127.0.0.1:{port}", **{"listen_reuseport": "true", "pool.size": HALF, **options})


async def _submit_on(port, is_over, answers):
    """Submits on a new connection each; what became of each: a status, or why there is none."""
    while not is_over.is_set():
        uniq = new_uniq()
        try:
            reader, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 20)
            writer.write(f"GET /in.php?key={KEY}&uniq={uniq} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            answer = await asyncio.wait_for(reader.read(), 20)
            writer.close()
            answers[uniq] = answer.split(b" ", 2)[1].decode() if answer else "nothing"
        except (OSError, asyncio.TimeoutError) as error:
            answers[uniq] = repr(error)


async def _load(port, during):
    answers, is_over = {}, asyncio.Event()
    clients = [asyncio.create_task(_submit_on(port, is_over, answers)) for _ in range(30)]
    try:
        await during
    finally:
        is_over.set()
        await asyncio.gather(*clients)
    return answers


def test_both_serve_within_the_whole_bound_and_a_restart_loses_nothing(sim):
    port = free_port()
    sim.set(delay_ms=5)
    instances = [_instance(sim, port), _instance(sim, port)]
    served = [0, 0]

    async def restart():
        for number in (0, 1, 0, 1):
            await asyncio.sleep(0.5)
            log = await asyncio.to_thread(instances[number].stop)
            served[number] += log.count(" access ")
            instances[number] = await asyncio.to_thread(_instance, sim, port)
        await asyncio.sleep(0.5)

    answers = asyncio.run(_load(port, during=restart()))
    for instance in instances:
        instance.stop()
    print(len(answers), served)
    assert collections.Counter(answers.values()) == {"200": len(answers)}
    seen = sim.submits()
    assert seen["by_uniq"] == {uniq: 1 for uniq in answers}
    assert sim.counters()["connections"]["max_open"] <= 2 * HALF
    assert min(served) > len(answers) / 8, served


def test_an_instance_that_is_not_warm_yet_gets_no_client(sim):
    port = free_port()
    with _instance(sim, port) as warm, socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with _instance(None, port, ready=False, **{"upstream.url": f"https://localhost:{deaf.getsockname()[1]}"}) as cold:
            deaf.settimeout(10)
            stalled, _ = deaf.accept()  # it has its port by now
            for _ in range(40):
                assert warm.raw(REQUEST).startswith(b"HTTP/1.1 200 ")
            assert cold.access_lines() == [] and "ready" not in cold.log()
            stalled.close()


def test_a_unix_socket_beside_a_shared_port(sim, tmp_path):
    path = tmp_path / "http.sock"
    with Warmpool(sim, listen=f"127.0.0.1:0,unix:{path}", listen_reuseport="true"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(path))
            sock.sendall(REQUEST)
            assert read_response(sock)[0] == 200


def killed(migrate):
    """An instance dies with clients that it has not accepted yet: how many of them are answered, of how many?"""
    with open("/proc/sys/net/ipv4/tcp_migrate_req", "w", encoding="ascii") as setting:
        setting.write(str(migrate))
    port = free_port()
    with Simulator() as sim, _instance(sim, port) as alive:
        dead = _instance(sim, port)
        dead.process.send_signal(signal.SIGSTOP)
        clients = [alive.connect() for _ in range(60)]
        for client in clients:
            client.sendall(REQUEST)
        alive.wait_log("(?s)(access.*){10}")
        dead.process.kill()
        dead.stop(expect=-signal.SIGKILL)
        answers = [read_all(client) for client in clients]
        return {"answered": sum(answer.startswith(b"HTTP/1.1 200 ") for answer in answers), "of": len(answers),
                "by_the_living": len(alive.access_lines())}


def without_migration():
    return killed(0)


def with_migration():
    return killed(1)


needs_migration = pytest.mark.skipif(not os.path.exists("/proc/sys/net/ipv4/tcp_migrate_req"), reason="needs Linux 5.14")


@needs_migration
def test_who_waits_at_an_instance_that_is_killed_is_reset_and_with_migration_served():
    reset = distance.apart(__file__, "without_migration")
    moved = distance.apart(__file__, "with_migration")
    print(reset, moved)
    assert 0 < reset["answered"] < reset["of"] == 60
    assert moved["answered"] == moved["of"] == 60


if __name__ == "__main__":
    distance.main(without_migration, with_migration)

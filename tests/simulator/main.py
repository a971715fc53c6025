"""The program: settings from the command line, certificates, the server, an orderly end."""
import asyncio
import gc
import json
import os
import pathlib
import signal
import sys
import tempfile

from .ca import Authority, CertificateError, Contexts
from .server import Server
from .settings import parse_command_line

_NAMES = ["localhost", "ocr.captchaai.com", "127.0.0.1", "::1"]


def main(arguments=None):
    """Runs until SIGTERM or SIGINT; the exit status is 0, or 1 when it could not start."""
    settings = parse_command_line(arguments)
    with tempfile.TemporaryDirectory(prefix="simulator-") as temporary:
        try:
            rules = _rules(settings.faults)
            contexts = None if settings.plain else _contexts(settings, settings.dir or temporary)
            asyncio.run(_serve(settings, contexts, rules))
        except (OSError, ValueError, CertificateError) as error:
            print(f"simulator: {error}", file=sys.stderr)
            return 1
    return 0


def _rules(path):
    if path is None:
        return []
    rules = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))
    if not isinstance(rules, list):
        raise ValueError(f"{path}: a JSON list of rules is expected")
    return rules


def _contexts(settings, directory):
    bound = [address for address in settings.bind if address not in ("0.0.0.0", "::")]
    authority = Authority(directory, _NAMES + bound + settings.name)
    protocols = [name for name in settings.alpn.split(",") if name]
    contexts = Contexts(authority, tls_min=settings.tls_min, tls_max=settings.tls_max,
                        tickets=settings.tickets, alpn=protocols)
    contexts.get("good")
    return contexts


async def _serve(settings, contexts, rules):
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if settings.end_with_stdin:
        loop.add_reader(sys.stdin, lambda: os.read(0, 4096) or stop.set())
    server = Server(loop, settings, contexts)
    await server.start()
    for rule in rules:
        server.add_fault(rule)
    # What exists now stays: later collections need not walk over it.
    gc.freeze()
    gc.set_threshold(50_000)
    ready = {"port": server.port, "addresses": settings.bind, "control_port": server.control_port,
             "ca_file": str(contexts.authority.ca_file) if contexts else None}
    print(json.dumps(ready), flush=True)
    await stop.wait()
    server.stop()

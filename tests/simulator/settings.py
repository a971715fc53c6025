"""What can be set: one row a setting, from which come the command line, the control port's
POST /settings and the README's table (a test compares them).

A `live` row can be changed while the simulator runs; it holds for whatever starts afterwards
(idle_close also for connections that are idle already).
"""
import argparse
import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """One setting. `kind` turns text into the value; list rows repeat on the command line."""

    name: str
    kind: type
    default: object
    help: str
    choices: tuple = None
    live: bool = False
    repeats: bool = False


ENDINGS = ("fin", "fin_no_notify", "rst", "notify_only", "linger")
IDLE_ENDINGS = ENDINGS + ("reuse",)

ROWS = (
    Row("bind", str, ["127.0.0.1"], "address to listen on; repeat for several", repeats=True),
    Row("port", int, 0, "port to listen on, the same on every address; 0: any free one"),
    Row("control_bind", str, "127.0.0.1", "address of the control port"),
    Row("control_port", int, 0, "control port (plain HTTP); 0: any free one"),
    Row("plain", bool, False, "serve plain HTTP instead of TLS"),
    Row("dir", str, None, "directory for the certificates, kept; default: a temporary one"),
    Row("name", str, [], "further name or address for the good certificate", repeats=True),
    Row("tls_min", str, "1.2", "lowest TLS version", choices=("1.2", "1.3")),
    Row("tls_max", str, "1.3", "highest TLS version", choices=("1.2", "1.3")),
    Row("tickets", int, 2, "TLS 1.3 session tickets a handshake; 0: no resumption at all"),
    Row("alpn", str, "http/1.1", "protocols offered by ALPN, comma-separated; empty: no ALPN"),
    Row("key", str, [], "an account's key; default: any of 32 characters", repeats=True),
    Row("faults", str, None, "file with a JSON list of fault rules to start with"),
    Row("keep_requests", int, 1000, "how many of the last requests /requests can show"),
    Row("end_with_stdin", bool, False, "end when standard input does, so as to outlive no test"),
    Row("seed", int, 0, "seed of the faults' probabilities"),
    Row("idle_timeout", float, 60.0, "seconds until an idle connection is closed; 0: never",
        live=True),
    Row("idle_close", str, "fin", "how an idle connection ends", choices=IDLE_ENDINGS, live=True),
    Row("keep_alive_hint", int, 0, "send `Keep-Alive: timeout=N`; 0: no such field", live=True),
    Row("connection_close", bool, False, "answer everything with `Connection: close`", live=True),
    Row("max_requests", int, 0, "requests a connection may carry, the last answered with "
        "`Connection: close`; 0: any number", live=True),
    Row("delay_ms", float, 0.0, "time to think about each answer", live=True),
    Row("rtt_ms", float, 0.0, "simulated round trip: all that is sent leaves so much later, "
        "a connection's first bytes twice that (the TCP handshake)", live=True),
    Row("solve_ms", float, 200.0, "time until a task is solved (a request's own parameter "
        "solve_ms comes first)", live=True),
    Row("threads", int, 0, "unsolved tasks at once, over it ERROR_NO_SLOT_AVAILABLE; 0: any number",
        live=True),
    Row("balance", str, "12.345", "what getbalance says", live=True),
    Row("image_limit_kb", int, 0, "largest image; the real API says 1024; 0: any size", live=True),
    Row("answer_bytes", int, 0, "solved tokens are padded to this length", live=True),
)

BY_NAME = {row.name: row for row in ROWS}


class Settings:
    """The values by name, as attributes. `change` takes live settings only."""

    def __init__(self, values):
        for row in ROWS:
            setattr(self, row.name, values.get(row.name, row.default))

    def change(self, values):
        """Raises ValueError, and changes nothing, when a name or a value does not fit."""
        checked = {name: _check(name, value) for name, value in values.items()}
        for name, value in checked.items():
            setattr(self, name, value)

    def as_dict(self):
        return {row.name: getattr(self, row.name) for row in ROWS}


def _check(name, value):
    row = BY_NAME.get(name)
    if row is None or not row.live:
        live = ", ".join(row.name for row in ROWS if row.live)
        raise ValueError(f"{name!r} cannot be changed while running; these can: {live}")
    if row.kind is bool:
        if not isinstance(value, bool):
            raise ValueError(f"{name}: true or false")
        return value
    try:
        value = row.kind(value)
    except (TypeError, ValueError):
        raise ValueError(f"{name}: not a {row.kind.__name__}: {value!r}") from None
    if row.choices and value not in row.choices:
        raise ValueError(f"{name}: one of {', '.join(row.choices)}")
    return value


def parse_command_line(arguments):
    """Settings from a command line; ends the program on a mistake, as argparse does."""
    parser = argparse.ArgumentParser(
        prog="simulator/run", description="The simulated API: HTTPS, counters, scripted faults. "
        "Prints one line of JSON when ready, ends on SIGTERM or SIGINT.")
    for row in ROWS:
        flag = "--" + row.name.replace("_", "-")
        shown = "" if row.default in (None, [], False) else f" (default: {row.default})"
        text = (row.help + shown).replace("%", "%%")
        if row.kind is bool:
            parser.add_argument(flag, action="store_true", default=argparse.SUPPRESS, help=text)
        else:
            parser.add_argument(flag, type=row.kind, choices=row.choices, help=text,
                                action="append" if row.repeats else "store",
                                metavar=None if row.choices else row.kind.__name__.upper(),
                                default=argparse.SUPPRESS)
    return Settings(vars(parser.parse_args(arguments)))

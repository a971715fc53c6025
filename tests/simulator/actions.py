"""What each `request` action of faults.py puts on the wire.

An action is a function of (connection, answer, params). `answer` is what the site would have said
(the task is made, and counts as paid for, whatever becomes of the answer; only `status` and
`api_error` do not ask the site). It ends in one of: connection.answered(keep), connection.end(how),
or nothing at all, which leaves the request unanswered.
"""
from .api import error
from .http1 import Answer, chunks, head_bytes

WITHOUT_SITE = ("status", "api_error")


def perform(connection, answer, rule):
    _ACTIONS[rule.action](connection, answer, rule.params)


def _close(connection, _answer, params):
    connection.end(params["how"])


def _rst(connection, _answer, _params):
    connection.end("rst")


def _never(_connection, _answer, _params):
    pass


def _half_head(connection, answer, params):
    head, _body = connection.pieces(answer)
    wanted = params["bytes"]
    connection.write(head[:len(head) // 2 if wanted is None else wanted])
    connection.end(params["how"])


def _half_body(connection, answer, params):
    head, body = connection.pieces(answer)
    wanted = params["bytes"]
    connection.write(head + body[:len(body) // 2 if wanted is None else wanted])
    connection.end(params["how"])


def _garbage(connection, _answer, params):
    connection.write(params["data"].encode("latin-1"))
    connection.end(params["how"])


def _raw(connection, _answer, params):
    connection.write(params["data"].encode("latin-1"))

    def rest():
        if params["more"]:
            connection.write(params["more"].encode("latin-1"))
        if params["how"]:
            connection.end(params["how"])
        else:
            connection.answered(True)
    connection.later(params["delay_ms"] / 1000, rest)


def _delay(connection, answer, params):
    connection.later(params["ms"] / 1000, connection.send, answer)


def _hold(connection, answer, _params):
    connection.site.held.append((connection, answer))


def _drip(connection, answer, params):
    data = b"".join(connection.pieces(answer))
    size = max(1, params["chunk"])

    def send(start):
        connection.write(data[start:start + size])
        if start + size < len(data):
            connection.later(params["interval_ms"] / 1000, send, start + size)
        else:
            connection.answered(connection.keep)
    send(0)


def _wrong_length(connection, answer, params):
    head, body = connection.pieces(answer, length=max(0, len(answer.body) + params["delta"]))
    connection.write(head + body)
    if params["delta"] > 0:
        connection.end(params["how"])
    else:
        connection.answered(True)


def _double_length(connection, answer, params):
    second = ("Content-Length", str(len(answer.body) + params["delta"]))
    answer.fields.append(second)
    connection.send(answer)


def _extra(connection, answer, params):
    data = params["data"].encode("latin-1")
    whole = b"".join(connection.pieces(answer))
    if params["delay_ms"]:
        connection.write(whole)
        connection.after(params["delay_ms"] / 1000, connection.write, data)
    else:
        connection.write(whole + data)
    connection.answered(connection.keep)


def _chunked(connection, answer, params):
    answer.fields.append(("Transfer-Encoding", "chunked"))
    head, body = connection.pieces(answer, length=None)
    encoded = list(chunks(body, max(1, params["size"]), params["extension"].encode("latin-1")))
    trailers = "".join(f"{name}: {value}\r\n" for name, value in params["trailers"])
    end = b"0\r\n" + trailers.encode("latin-1") + b"\r\n"
    if params["bad"] is None:
        connection.write(head + b"".join(encoded) + end)
        connection.answered(connection.keep)
        return
    connection.write(head + _bad_chunks(encoded, end, params["bad"]))
    connection.end(params["how"])


def _bad_chunks(encoded, end, bad):
    all_but_last, last = b"".join(encoded[:-1]), encoded[-1] if encoded else b""
    if bad == "size":
        return all_but_last + b"zz\r\n" + last + end
    if bad == "huge":
        return all_but_last + b"fffffffffffffffff\r\n" + last + end
    if bad == "negative":
        return all_but_last + b"-1\r\n" + last + end
    if bad == "crlf":
        return all_but_last + last[:-2] + b"XX" + end
    if bad == "truncated":
        return all_but_last + last[:-3]
    return all_but_last + last  # no_end


def _until_close(connection, answer, params):
    connection.announce_close()
    head, body = connection.pieces(answer, length=None)
    connection.write(head + body)
    connection.end(params["how"])


def _http10(connection, answer, params):
    if params["keep_alive"]:
        answer.fields.append(("Connection", "keep-alive"))
    head, body = connection.pieces(answer, version="1.0")
    connection.write(head + body)
    connection.answered(params["keep_alive"])


def _informational(connection, answer, params):
    for status in params["statuses"]:
        connection.write(head_bytes(Answer(status, kind="", fields=[("X-Note", "interim")])))
    connection.later(params["delay_ms"] / 1000, connection.send, answer)


def _switch(connection, _answer, _params):
    fields = [("Connection", "upgrade"), ("Upgrade", "something")]
    connection.write(head_bytes(Answer(101, kind="", fields=fields)))


def _headers(connection, answer, params):
    answer.fields += params["headers"]
    connection.send(answer)


def _big_head(connection, answer, params):
    fields = max(1, params["fields"])
    each = "x" * max(0, params["bytes"] // fields - 12)
    answer.fields += [(f"X-{number:06}", each) for number in range(fields)]
    connection.send(answer)


def _big_body(connection, answer, params):
    answer.body = b"b" * params["bytes"]
    connection.send(answer)


def _connection_close(connection, answer, params):
    connection.announce_close()
    connection.write(b"".join(connection.pieces(answer)))
    connection.end(params["how"])


def _close_after_answer(connection, answer, params):
    connection.write(b"".join(connection.pieces(answer)))
    if params["delay_ms"]:
        connection.answered(True)
        connection.after(params["delay_ms"] / 1000, connection.end_if_idle, params["how"])
    else:
        connection.end(params["how"])


def _status(connection, _answer, params):
    answer = Answer(params["status"], params["body"].encode("latin-1"),
                    fields=list(params["headers"]))
    if params["retry_after"] is not None:
        answer.fields.append(("Retry-After", params["retry_after"]))
    if params["content_length"] is None:
        connection.send(answer)
        return
    head, body = connection.pieces(answer, length=params["content_length"])
    connection.write(head + body)
    connection.answered(connection.keep)


def _api_error(connection, _answer, params):
    connection.send(error(connection.request, params["code"]))


_ACTIONS = {
    "close": _close, "rst": _rst, "never": _never, "half_head": _half_head,
    "half_body": _half_body, "garbage": _garbage, "raw": _raw, "delay": _delay, "hold": _hold,
    "drip": _drip, "wrong_length": _wrong_length, "double_length": _double_length, "extra": _extra,
    "chunked": _chunked, "until_close": _until_close, "http10": _http10,
    "informational": _informational, "switch": _switch, "headers": _headers,
    "big_head": _big_head, "big_body": _big_body, "connection_close": _connection_close,
    "close_after_answer": _close_after_answer, "status": _status, "api_error": _api_error,
}

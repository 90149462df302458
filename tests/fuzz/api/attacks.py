"""Requests that no client should make: broken in how they are sent, not in what they say.

Each is a function of a port and of dice, and returns what was asked with the answers to be judged, or
nothing. What is no HTTP is answered by the library, or not at all, and then the answer is only read;
what is owed is that the process goes on. (libmicrohttpd 0.9.75 leaves a query of some 250 arguments
without an answer until the idle timeout, and may do so with who has closed his half.)
"""

import socket

import wire
from asking import ALL, Asked
from document import JSON

JOB = b'{"class":"x","args":[],"queue":"attacks"}'
POST = [ALL, ("Content-Type", JSON)]


SHRUG_S = 0.05  # until an answer that is not owed is not waited for any more


def talk(port, pieces, methods=("GET",)):
    """Sends the pieces one by one; reads one answer for each method, as far as there are."""
    connection = wire.Connection(port)
    answers = []
    try:
        for piece in pieces:
            if not connection.send(piece):
                break
        for method in methods:
            answers.append(connection.answer(method))
    except wire.Broken:
        pass
    finally:
        connection.close()
    return answers


def throw(port, *pieces):
    """Sends and closes its half; looks whether something comes, which is HTTP then."""
    connection = wire.Connection(port)
    try:
        for piece in pieces:
            connection.send(piece)
        connection.end()
        connection.answer(patience=SHRUG_S)
    except (wire.Broken, socket.timeout):
        pass
    finally:
        connection.close()


def chunked(dice, body):
    pieces = []
    while body:
        n = dice.choice([1, 2, 7, 100, 5000])
        extension = dice.choice([b"", b"", b";x=y", b';a="b"'])
        pieces.append(b"%x%s\r\n%s\r\n" % (len(body[:n]), extension, body[:n]))
        body = body[n:]
    return pieces + [b"0\r\n\r\n"]


def chunks(port, dice, jobs):
    """A body in chunks is a body."""
    body = dice.choice([JOB, b"[" + b",".join([JOB] * 200) + b"]", b"", b"{", JOB * 3000])
    request = wire.Request("POST", "/v1/jobs", POST + [("Transfer-Encoding", "chunked")])
    found = talk(port, [request.head()] + chunked(dice, body))
    return [(Asked(request, jobs), answer) for answer in found]


def bad_chunks(port, dice, jobs):
    head = wire.Request("POST", "/v1/jobs", POST + [("Transfer-Encoding", "chunked")]).head()
    rest = dice.choice([b"zz\r\n", b"-1\r\n", b"ffffffffffffffff\r\n", b"7fffffffffffffff\r\nx", b"5\r\nabc", b"\r\n\r\n",
                        b"3\r\nabcd\r\n0\r\n\r\n", b"0\r\nTrailer: x\r\n\r\n", b"1;" + b"x" * 20000 + b"\r\n"])
    throw(port, head, rest)
    return []


def expect(port, dice, jobs):
    """The server says 100 before the body, or says no at once."""
    kind = dice.choice([JSON, "text/plain"])
    request = wire.Request("POST", "/v1/jobs", [ALL, ("Content-Type", kind), ("Expect", "100-continue")], JOB)
    connection = wire.Connection(port)
    try:
        connection.send(request.head())
        answer = connection.answer(interim=True)
        if answer.status == 100:
            connection.send(JOB)
            answer = connection.answer()
        return [(Asked(request, jobs), answer)]
    finally:
        connection.close()


def pipeline(port, dice, jobs):
    """Answers come in the order of their requests."""
    asked = []
    for at in range(dice.randint(2, 20)):
        if dice.random() < 0.3:
            asked.append(wire.Request("POST", "/v1/jobs", POST, JOB))
        else:
            asked.append(wire.Request("GET", f"/v1/nowhere/{at}", [ALL]))
    found = talk(port, [b"".join(r.raw() for r in asked)], [r.method for r in asked])
    if len(found) != len(asked):
        raise wire.BadAnswer(f"{len(found)} answers to {len(asked)} requests in a row")
    for request, answer in zip(asked, found):
        if answer.status != (202 if request.method == "POST" else 404):
            raise wire.BadAnswer(f"{answer} to {request} of a pipeline")
    return [(Asked(r, jobs if r.method == "POST" else None), a) for r, a in zip(asked, found)]


def half(port, dice, jobs):
    """Hangs up in the middle, one way or the other."""
    raw = wire.Request("POST", "/v1/jobs", POST, JOB).raw()
    connection = wire.Connection(port)
    connection.send(raw[: dice.randint(0, len(raw))])
    if dice.random() < 0.5:
        connection.reset()
    else:
        connection.close()
    return []


def half_read(port, dice, jobs):
    """Hangs up before it has read."""
    target = dice.choice(["/v1/dead?limit=1000", "/metrics", "/openapi.yaml", "/v1/jobs/held1/events", "/v1/workers"])
    connection = wire.Connection(port)
    connection.send(wire.Request("GET", target, [ALL]).raw() * dice.randint(1, 10))
    connection.reset()
    return []


def lengths(port, dice, jobs):
    """Content-Length that is none, or two, or another."""
    value = dice.choice(["-1", "x", "99999999999999999999", "1e3", "0x10", "", " ", "5, 5", "65537", "70000000"])
    request = wire.Request("POST", "/v1/jobs", POST + [("Content-Length", value)], JOB)
    if dice.random() < 0.3:
        request = wire.Request("POST", "/v1/jobs", POST + [("Transfer-Encoding", "chunked"), ("Content-Length", "5")],
                               b"0\r\n\r\n")
    throw(port, request.raw())
    return []


def heads(port, dice, jobs):
    """Heads that are none, or too long."""
    line = b"GET /livez HTTP/1.1\r\n"
    raw = dice.choice([
        b"\r\n\r\n", b"GET\r\n\r\n", b"GET /livez\r\n\r\n", b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n", b"\0" * 100 + b"\r\n\r\n",
        b"GET  /livez  HTTP/1.1\r\n\r\n", b"GET /livez HTTP/1.1\nHost: x\n\n", line + b"\r\n", line + b"Host x\r\n\r\n",
        line + b": x\r\nHost: x\r\n\r\n", line + b"Host: x\r\nA: b\r\n c\r\n\r\n", line + b"Host: x\r\nA: \0\r\n\r\n",
        line + b"Host: x\r\nA: \xff\r\n\r\n", line + b"Host: x\r\n" + b"A: b\r\n" * 2000 + b"\r\n",
        line + b"Host: x\r\nA: " + b"y" * 40000 + b"\r\n\r\n", b"GET /" + b"y" * 40000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"G" * 40000 + b" / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /livez?" + b"&a=b" * 3000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        line + b"Host: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200, b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", b"GET http://x/livez HTTP/1.1\r\nHost: x\r\n\r\n",
        line + b"Host: x\r\nCookie: " + b"a=b; " * 500 + b"\r\n\r\n", line + b"Host: x\r\nExpect: 200-ok\r\n\r\n",
    ])
    cut = raw if dice.random() < 0.8 else raw[: dice.randint(0, len(raw))]
    try:
        throw(port, cut)
    except wire.BadAnswer:
        if not raw.startswith(b"GET /livez\r\n"):  # HTTP/0.9 has no status
            raise
    return []


def headers(port, dice, jobs):
    """Values that are odd, and names that come twice."""
    name = dice.choice(["Idempotency-Key", "Last-Event-ID", "Accept", "Content-Type", "Expect", "Host", "Range", "Connection",
                        "Content-Encoding", "If-None-Match", "X-Forwarded-For", "Origin", "Authorization"])
    value = dice.choice(["", " ", "\t", "\xff\xfe", "ä", "x" * 256, "x" * 5000, "a b", "\x01", "%00", '"', "close", "gzip", "0",
                         "application/json", "application/json;charset=x", "bytes=0-1", "Bearer x", "a, b", "1" * 13])
    request = wire.Request("POST", "/v1/jobs", POST + [(name, value)], JOB)
    allowed = 401 if name == "Authorization" else None
    return [(Asked(request, jobs, stranger=answer.status == allowed), answer) for answer in talk(port, [request.raw()])]


ATTACKS = [headers, chunks, bad_chunks, expect, pipeline, half, half_read, lengths, heads]

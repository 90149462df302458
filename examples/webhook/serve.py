#!/usr/bin/env python3
"""A service that has jobs posted to it by sluice-worker's http handlers. Standard library only.

    serve.py [--port 8080] [--secret-file examples/webhook/secret]

Each function below is the work of one class; what it returns or raises becomes the answer:

    a value                200, the result of the job
    a generator            200, a line of JSON for each value, sent as it comes: the job's events
    Unavailable(seconds)   503 with Retry-After: the job comes again then
    Refused("why")         422: the job is dead, no other try would help
    anything else          500: failed, tried again with back-off

A request without a valid signature is answered 401 and looked at no further. A job can come twice
(its worker died, or its connection did); what was done for its Idempotency-Key is not done again.
"""

import argparse
import collections
import hashlib
import hmac
import http.server
import json
import threading
import time

SIGNED_FOR_S = 300  # older requests may be replayed ones
BODY_MAX = 1 << 24


class Refused(Exception):
    """The job can never be done."""


class Unavailable(Exception):
    """Not now. The first argument: in how many seconds."""


# ---- the work ----


def total(job):
    numbers = job["args"]
    if not all(type(n) in (int, float) for n in numbers):
        raise Refused("args must be numbers")
    return {"sum": sum(numbers)}


def count(job):
    n, seconds = job["args"]
    for i in range(1, n + 1):
        yield {"n": i, "of": n}
        time.sleep(seconds)


def later(job):
    if job["attempt"] == 1:
        raise Unavailable(job["args"][0])
    return "at attempt %d" % job["attempt"]


WORK = {"hook.sum": total, "hook.count": count, "hook.later": later}


# ---- requests ----


def is_signed(secret, header, body, now):
    """Sluice-Signature: t=SECONDS,v1=HEX, where HEX is the HMAC-SHA256 of SECONDS.BODY."""
    fields = dict(field.partition("=")[::2] for field in header.split(","))
    stamp, theirs = fields.get("t", ""), fields.get("v1", "")
    ours = hmac.new(secret, stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    # In constant time: how long it takes must not tell how much of it was right.
    if not hmac.compare_digest(ours.encode(), theirs.encode()):
        return False
    return abs(now - int(stamp)) <= SIGNED_FOR_S


class Memory:
    """The results of the last jobs, by Idempotency-Key. A real service keeps them in its database,
    in the transaction that has the effect."""

    def __init__(self, size=1000):
        self.results, self.size, self.lock = collections.OrderedDict(), size, threading.Lock()

    def get(self, key):
        with self.lock:
            return self.results.get(key)

    def put(self, key, result):
        with self.lock:
            self.results[key] = result
            if len(self.results) > self.size:
                self.results.popitem(last=False)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are kept, bodies can be streamed
    timeout = 300  # seconds until an idle connection is closed

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        if length > BODY_MAX:
            self.close_connection = True  # the body is still on its way
            return self.answer(413, "no more than %d bytes" % BODY_MAX)
        body = self.rfile.read(length)
        signature = self.headers.get("Sluice-Signature", "")
        if self.server.secret and not is_signed(self.server.secret, signature, body, time.time()):
            return self.answer(401, "the signature is missing, wrong or too old")
        try:
            self.work_on(json.loads(body))
        except (BrokenPipeError, ConnectionResetError):
            self.log_message("the worker hung up: the job was cancelled or took too long")
            self.close_connection = True

    def work_on(self, job):
        key = self.headers.get("Idempotency-Key")
        known = self.server.memory.get(key)
        if known is not None:
            return self.answer(200, known)
        try:
            if job["class"] not in WORK:
                raise Refused("no such class here: " + job["class"])
            result = WORK[job["class"]](job)
        except Refused as why:
            return self.answer(422, str(why))
        except Unavailable as why:
            return self.answer(503, "not now", why.args[0])
        except Exception as error:
            return self.answer(500, "%s: %s" % (type(error).__name__, error))
        if hasattr(result, "__next__"):
            return self.stream(result)
        text = json.dumps(result)
        self.server.memory.put(key, text)
        return self.answer(200, text)

    def answer(self, status, text, retry_after_s=None):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status == 200 else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        if retry_after_s is not None:
            self.send_header("Retry-After", str(retry_after_s))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, events):
        """One that fails on the way is broken off: without its last chunk the job has failed."""
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for event in events:
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port, secret):
        super().__init__(("127.0.0.1", port), Handler)
        self.secret, self.memory = secret, Memory()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8080, help="0: any that is free")
    parser.add_argument("--secret-file", help="the same as in the worker's settings")
    options = parser.parse_args()
    secret = b""
    if options.secret_file:
        with open(options.secret_file, "rb") as file:
            secret = file.read().rstrip(b"\r\n")
        if not secret:
            parser.error("%s is empty" % options.secret_file)
    server = Server(options.port, secret)
    print("listening on http://127.0.0.1:%d/jobs" % server.server_address[1], flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()

"""sluice: handlers in Python for sluice-worker's warm processes.

One file, standard library only. A handlers file is

    import sluice

    @sluice.handler("py.resize")
    def resize(ctx, path, width):        # the job's args
        ctx.emit({"progress": 0.5})      # any JSON value: one event of the job's output
        return {"ok": True}              # any JSON value: the job's result

    sluice.run()

and its entry in worker.yaml

    handlers:
      - {class: "py.*", process: [python3, handlers.py], env: {PYTHONPATH: clients/python}}

A name may be a glob (py.*); an exact name goes first, then globs in the order they were given.

An exception fails the job, which is tried again; its class and text are recorded and its traceback
goes to the worker's log. `raise sluice.Dead("why")` fails it for good. Jobs are delivered at least
once: make their effect harmless the second time, or note ctx.jid where the effect is.

stdout carries the answers. Loading this file turns sys.stdout into sys.stderr, which is the worker's
log; from run() on that also holds for what a library or a child process writes to descriptor 1, and
stdin is kept from children. When the job has to stop (cancelled, too long, worker leaving) ctx.cancelled()
becomes true, and a few seconds later the process is killed. It ends by itself when the worker does.
"""

import fnmatch
import json
import os
import signal
import sys
import threading
import traceback

__all__ = ["Context", "Dead", "handler", "run"]

LINE_MAX = 1 << 20  # bytes of an event or a result; the worker takes no more

sys.stdout = sys.stderr

_exact = {}
_globs = []
_stopped = False  # SIGTERM came
_busy = False
_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


class Dead(Exception):
    """Raised by a handler: the job has failed and is never tried again."""


class Context:
    """The job as its handler sees it. Usable from any thread until the handler returns."""

    __slots__ = ("job", "_out", "_lock")

    def __init__(self, job, out, lock):
        self.job = job  #: the whole job, a dict
        self._out = out
        self._lock = lock

    @property
    def jid(self):
        """The job's id, the same in every attempt."""
        return self.job.get("jid")

    @property
    def job_class(self):
        return self.job["class"]

    @property
    def queue(self):
        return self.job.get("queue")

    @property
    def args(self):
        return self.job["args"]

    @property
    def attempt(self):
        """1 the first time."""
        return self.job.get("attempt", 1)

    def emit(self, value):
        """Adds one event to the job's output. Waits when the output runs ahead."""
        line = _line(b'{"event":', value)
        with self._lock:
            _write(self._out, line)

    def cancelled(self):
        """True when the job should stop. Cheap: ask in loops."""
        return _stopped


def handler(name):
    """Decorator: the function runs jobs of this class (exact, or a glob), as f(ctx, *args)."""

    def register(function):
        if any(c in name for c in "*?["):
            _globs.append((name, function))
        else:
            _exact[name] = function
        return function

    return register


def _find(name):
    function = _exact.get(name)
    if function is None:
        for pattern, candidate in _globs:
            if fnmatch.fnmatchcase(name, pattern):
                return candidate
    return function


def _write(fd, line):
    n = os.write(fd, line)
    while n < len(line):
        line = line[n:]
        n = os.write(fd, line)


def _line(start, value):
    line = b"".join((start, _encode(value).encode(), b"}\n"))
    if len(line) > LINE_MAX:
        raise ValueError("%d bytes of JSON are more than the %d allowed" % (len(line), LINE_MAX))
    return line


def _failure(error, dead=False):
    details = {"class": type(error).__name__, "message": str(error)[:10000]}
    if dead:
        details["dead"] = True
    return _line(b'{"error":', details)


def _answer(ctx, function):
    """Runs one job; returns the line that ends it."""
    try:
        return _line(b'{"done":', function(ctx, *ctx.args))
    except Dead as error:
        return _failure(error, dead=True)
    except SystemExit as error:
        return _failure(RuntimeError("the handler left by sys.exit(%s)" % (error.code,)))
    except Exception as error:  # whatever a handler may raise is its job's failure
        traceback.print_exc()
        return _failure(error)


def _on_term(number, frame):
    global _stopped
    _stopped = True
    if not _busy:
        sys.exit(0)


def _take_streams():
    """stdin and stdout for us alone; descriptors 0 and 1 become /dev/null and stderr."""
    jobs, out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return os.fdopen(jobs, "rb"), out


def run():
    """Serves jobs until the worker closes stdin. Call it last, from the main thread."""
    global _busy
    jobs, out = _take_streams()
    lock = threading.Lock()
    signal.signal(signal.SIGTERM, _on_term)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C is for the worker
    try:
        for line in jobs:
            _busy = True
            job = json.loads(line)
            function = _find(job["class"])
            if function is None:
                answer = _line(
                    b'{"error":',
                    {"class": "NoHandler", "message": 'no handler for class "%s"' % job["class"]},
                )
            else:
                answer = _answer(Context(job, out, lock), function)
            sys.stderr.flush()
            with lock:
                _write(out, answer)
            _busy = False
            if _stopped:
                break
    except BrokenPipeError:
        pass  # the worker is gone, and with it whoever would listen

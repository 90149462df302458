"""What tests/interop/test_process_clients.c asks of the Python helper."""

import math
import os
import sys
import time

import sluice

print("printed at the top")


@sluice.handler("py.echo")
def echo(ctx, *args):
    return {"args": list(args), "jid": ctx.jid, "class": ctx.job_class, "attempt": ctx.attempt}


@sluice.handler("py.events")
def events(ctx, n):
    for i in range(n):
        ctx.emit({"n": i})


@sluice.handler("py.print")
def chatter(ctx):
    print("printed by the handler")
    os.system("echo printed by a child; cat")
    return "quiet"


@sluice.handler("py.fail")
def fail(ctx):
    raise LookupError("no é luck")


@sluice.handler("py.dead")
def dead(ctx):
    raise sluice.Dead("bad args")


@sluice.handler("py.odd")
def odd(ctx):
    return math.nan


@sluice.handler("py.large")
def large(ctx):
    ctx.emit("x" * (1 << 20))


@sluice.handler("py.exit")
def leave(ctx):
    sys.exit(3)


@sluice.handler("py.glob.*")
def glob(ctx):
    return "glob"


@sluice.handler("py.wait")
def wait(ctx):
    ctx.emit(os.getpid())
    while not ctx.cancelled():
        time.sleep(0.01)
    with open("stopped.py", "w") as file:
        file.write(ctx.jid)


sluice.run()

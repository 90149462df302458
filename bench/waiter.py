"""The same as bench/waiter.c for a warm process, which asks once in a millisecond."""

import time

import sluice


@sluice.handler("wait.py")
def wait(ctx, path):
    with open(path, "wb"):
        while not ctx.cancelled():
            time.sleep(0.001)
    raise RuntimeError("told to stop")


sluice.run()

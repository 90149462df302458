#!/usr/bin/env python3
"""Handlers for warm processes in Python. Finds its helper beside the examples."""

import hashlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../clients/python"))
import sluice  # noqa: E402


@sluice.handler("py.echo")
def echo(ctx, *args):
    return list(args)


@sluice.handler("py.checksum")
def checksum(ctx, *paths):
    sums = {}
    for n, path in enumerate(paths, 1):
        try:
            with open(path, "rb") as file:
                sums[path] = hashlib.sha256(file.read()).hexdigest()
        except FileNotFoundError as error:
            raise sluice.Dead(str(error))  # no other try will find it
        ctx.emit({"file": path, "n": n, "of": len(paths)})
    return sums


@sluice.handler("py.count")
def count(ctx, seconds):
    """Counts the tenths of a second, and stops when it is told to."""
    for n in range(int(seconds * 10)):
        if ctx.cancelled():
            raise RuntimeError("stopped at %d" % n)
        ctx.emit(n)
        time.sleep(0.1)


sluice.run()

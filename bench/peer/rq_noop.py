"""A no-op job by RQ, for bench-peers.

Usage: rq_noop.py fill JOBS | work     Redis' socket is in BENCH_SOCKET
"""

import os
import sys

from redis import Redis
from rq import Queue, SimpleWorker

AT_ONCE = 1000


def noop(*args):
    pass


def fill(queue, jobs):
    for first in range(0, jobs, AT_ONCE):
        queue.enqueue_many([
            Queue.prepare_data("rq_noop.noop", (i, "a text of some length", {"k": []}), result_ttl=0)
            for i in range(first, min(first + AT_ONCE, jobs))
        ])


if __name__ == "__main__":
    redis = Redis(unix_socket_path=os.environ["BENCH_SOCKET"])
    queue = Queue("bench", connection=redis)
    if sys.argv[1] == "fill":
        fill(queue, int(sys.argv[2]))
    else:
        SimpleWorker([queue], connection=redis).work(logging_level="ERROR")

"""The echo of warm processes by Celery, for bench-process and bench-peers.

Usage: celery_echo.py fill JOBS | work     Redis' socket is in BENCH_SOCKET
"""

import os
import sys

from celery import Celery

app = Celery("celery_echo", broker="redis+socket://" + os.environ["BENCH_SOCKET"])
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 100


@app.task(name="echo")
def echo(*args):
    return args


def fill(jobs):
    with app.connection_for_write() as connection:
        with app.amqp.producer_pool.acquire(block=True) as producer:
            for i in range(jobs):
                echo.apply_async((i, "a text of some length", {"k": []}), producer=producer)


if __name__ == "__main__":
    if sys.argv[1] == "fill":
        fill(int(sys.argv[2]))
    else:
        app.worker_main(["worker", "--pool=solo", "--without-gossip", "--without-mingle",
                         "--loglevel=ERROR", "--hostname=worker%d" % os.getpid()])

"""The same echo by Celery, for bench-process: two solo workers, a backlog, jobs a second.

Usage: celery_echo.py JOBS BROKER_URL     prints one number
"""

import subprocess
import sys
import time

from celery import Celery

app = Celery("celery_echo", broker=sys.argv[-1])
app.conf.task_ignore_result = True
app.conf.worker_prefetch_multiplier = 100


@app.task(name="echo")
def echo(*args):
    return args


def waiting(redis):
    return redis.llen("celery") + redis.hlen("unacked")


def main(jobs):
    with app.connection_for_write() as connection:
        redis = connection.default_channel.client
        with app.amqp.producer_pool.acquire(block=True) as producer:
            for i in range(jobs):
                echo.apply_async((i, "a text of some length", {"k": []}), producer=producer)
        command = [sys.executable, "-m", "celery", "-A", "celery_echo", "-b", sys.argv[-1], "worker"]
        workers = [
            subprocess.Popen(
                command + ["--pool=solo", "--without-gossip", "--without-mingle", "-l", "ERROR",
                           "-n", "w%d" % i],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=sys.path[0],
            )
            for i in range(2)
        ]
        # From when both are at work: their start is not what is measured.
        while waiting(redis) > jobs * 9 // 10:
            time.sleep(0.01)
        left, began = waiting(redis), time.monotonic()
        while waiting(redis) > 0:
            time.sleep(0.01)
        print("%.0f" % (left / (time.monotonic() - began)))
        for worker in workers:
            worker.kill()
            worker.wait()


if __name__ == "__main__":
    main(int(sys.argv[1]))

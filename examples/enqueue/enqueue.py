#!/usr/bin/env python3
"""Enqueue from Python with redis-py (Debian: python3-redis). Redis' address is in REDIS_URL.

Usage: enqueue.py [SECONDS]    the second job is due in so many seconds (default: 60)
"""

import json
import os
import secrets
import sys
import time

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class Queue:
    def __init__(self, client, name="default"):
        self.redis = client
        self.name = name

    def enqueue(self, klass, *args, **fields):
        """Enqueues one job; returns its jid."""
        return self.enqueue_many(klass, [args], **fields)[0]

    def enqueue_many(self, klass, many_args, **fields):
        """All of them or none, in their order; returns their jids."""
        jobs = [self._job(klass, args, fields) for args in many_args]
        with self.redis.pipeline(transaction=True) as pipe:
            pipe.sadd("queues", self.name)
            pipe.lpush("queue:" + self.name, *map(json.dumps, jobs))
            pipe.execute()
        return [job["jid"] for job in jobs]

    def enqueue_in(self, seconds, klass, *args, **fields):
        """Due in so many seconds by Redis' clock, which all workers share."""
        now, micros = self.redis.time()
        job = self._job(klass, args, fields)
        self.redis.zadd("schedule", {json.dumps(job): now + micros / 1e6 + seconds})
        return job["jid"]

    def _job(self, klass, args, fields):
        return {
            "class": klass,
            "args": list(args),
            "queue": self.name,
            "jid": secrets.token_hex(12),
            "created_at": time.time(),
            **fields,  # retry, timeout, expires_at, track …
        }


def main(delay):
    url = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379")
    # What was sent and got no answer may have been done: newer versions would send it again.
    client = redis.from_url(url, retry=Retry(NoBackoff(), 0))
    print("single", Queue(client).enqueue("checksum", "/etc/hosts", retry=5))
    args = [12345678901234567890, 1.10, "é", [], {}]
    print("delayed", Queue(client).enqueue_in(delay, "noop", *args))
    paths = ["/etc/hosts", "/etc/services", "/etc/passwd"]
    print("bulk", *Queue(client, "low").enqueue_many("checksum", [[path] for path in paths]))


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 60)

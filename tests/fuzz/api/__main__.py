"""Asks sluice-api everything that its OpenAPI document allows, and much that it forbids.

The document is the one that is served, so a new path is asked without a change here. Whatever is
asked, the API may not fall, hang or answer 5xx (503 only while Redis is away); each answer has a
status that is documented, and a body after its schema; what the document forbids is refused, what it
allows is not; who has no token learns nothing. Each documented status has to be met, or unmet.py has
to say why not.

All follows from the seed and the number of requests, as far as a busy system can be repeated.
"""

import argparse
import os
import random
import re
import select
import signal
import sys
import time
import traceback

import judge
import strangers
import unmet
import wire
from asking import ALL, Asked, Asker
from attacks import ATTACKS
from document import JSON, Document
from values import ODD_NUMBERS, Values, quote
from world import MAX_BODY, World

TEND_EVERY = 150  # requests
AGE_S = 1.5  # what the API knows without asking Redis is not older
# Members of answers that are parameters by another name.
ALSO = {"name": "queue", "next": "after"}


class Failure(Exception):
    pass


class Fuzz:
    def __init__(self, world, seed):
        self.world = world
        self.document = Document(wire.ask(world.port, wire.Request("GET", "/openapi.yaml", [ALL])).body)
        self.judge = judge.Judge(self.document)
        self.values = Values(seed, self.document, world.known)
        self.asker = Asker(self.document, self.values)
        self.jobs = next(o for o in self.document.operations if str(o) == "POST /v1/jobs")
        for operation in self.document.operations:
            for parameter in operation.parameters:
                world.known.setdefault(parameter["name"], set())
        self.asked = 0
        judge.prove(self.document, next(o for o in self.document.operations if str(o) == "GET /v1/stats"))

    # ---- one request

    def look_at(self, asked, answer):
        complaint = self.judge.complaint(asked.request, asked.operation, answer, asked.allowed, asked.stranger)
        if complaint:
            raise Failure(f"{complaint}\n  asked:  {asked.request}\n  answer: {answer}")
        if asked.operation and answer.status == 200 and asked.request.method != "HEAD":
            if answer.kind() == JSON:
                self.learn(judge.strict(answer.body))
            elif answer.kind() == "text/html":
                self.learn_links(answer.body.decode())

    def learn(self, value):
        """Names that answers give are asked for."""
        if isinstance(value, list):
            for element in value[:20]:
                self.learn(element)
        elif isinstance(value, dict):
            for name, member in value.items():
                known = self.world.known.get(ALSO.get(name, name))
                if known is None or not isinstance(member, str):
                    self.learn(member)
                elif name != "identity" and len(known) < 60:  # of many odd ones, the one that listens would be lost
                    known.add(member)

    def learn_links(self, page):
        """What a page refers to, where that is a path with a parameter."""
        for operation in self.document.operations:
            for parameter in operation.named("path"):
                before = operation.path.split("{")[0].lstrip("/")
                for found in re.findall(r"""["'/]""" + re.escape(before) + r"""([^"'/?#]+)["'?#]""", page):
                    self.world.known[parameter["name"]].add(found)

    def send(self, asked):
        self.asked += 1
        try:
            answer = wire.ask(self.world.port, asked.request)
        except (wire.Broken, wire.BadAnswer, OSError) as e:
            raise Failure(f"{e}\n  asked:  {asked.request}") from e
        self.look_at(asked, answer)
        return answer

    def choices(self, operation):
        """Values of path parameters: each that exists, and one that does not."""
        names = [p["name"] for p in operation.parameters if p.get("required") and p["in"] != "header"]
        pool = sorted(set().union(*(self.world.known.get(n, ()) for n in names))) if names else []
        for value in pool[:60] + ["nobody"]:
            yield {name: value for name in names} or {"-": ""}
            if not names:
                return

    def known(self, operation):
        return next(iter(self.choices(operation)))

    # ---- phases

    def ask_as_stranger(self):
        for asked, is_open in strangers.plain(self.document, self.asker, self.known):
            if is_open:
                asked.stranger = False
                asked.operation = asked.operation if asked.request.method in ("GET", "HEAD") else None
            self.send(asked)
        for asked in strangers.hidden(self.document, self.asker, self.known):
            self.send(asked)
        for asked, may in strangers.readers(self.document, self.asker, self.known):
            answer = self.send(asked)
            if (answer.status == 403) == may:
                raise Failure(f"{answer.status} with a token to read\n  asked:  {asked.request}")

    def ask_each(self):
        """Everything once in the plainest way, and with each thing wrong that can be."""
        for operation in self.document.operations:
            self.world.tend()
            for chosen in list(self.choices(operation)):
                answer = self.send(self.asker.plainest(operation, chosen))
                if operation.method == "GET":
                    asked = self.asker.plainest(operation, chosen)
                    asked.request.method = "HEAD"
                    self.send(asked)
                if answer.header("ETag"):
                    self.send(self.asker.plainest(operation, chosen, [("If-None-Match", answer.header("ETag"))]))
            for _ in operation.named("path"):
                for text in ("%00", "%", "%zz", "%ff", "%c0%af", "a%2fb", quote("\x7f"), quote("x" * 3000)):
                    asked = self.asker.plainest(operation, {p["name"]: "nobody" for p in operation.parameters})
                    asked.request.target = asked.request.target.replace("nobody", text)
                    self.send(asked)
            for parameter in operation.named("query"):
                for text in ODD_NUMBERS:
                    asked = self.asker.plainest(operation, self.known(operation))
                    sign = "&" if "?" in asked.request.target else "?"
                    asked.request.target += f"{sign}{parameter['name']}={quote(text)}"
                    self.send(asked)
            if operation.bodies:
                self.ask_bodies(operation)
            else:
                asked = self.asker.plainest(operation, self.known(operation))
                asked.request.body, asked.allowed = b"x", False
                self.send(asked)

    def ask_bodies(self, operation):
        def post(body, kind=JSON, *headers):
            target, _ = self.asker.target(operation, self.known(operation))
            request = wire.Request(operation.method, target, [ALL, ("Content-Type", kind), *headers], body)
            return self.send(Asked(request, operation))

        for body in (b"{", b"{}", b" " * (MAX_BODY + 1)):
            post(body)
        post(b"{}", "text/plain")
        if operation is not self.jobs:
            return
        job = b'{"class":"x","args":[],"queue":"%s"}'
        post(job % b"plain")
        post(job % b"wrongqueue")
        post(b"[" + b",".join([b"0"] * 10001) + b"]")
        for body in (job % b"once", job % b"once", job % b"another"):
            post(body, JSON, ("Idempotency-Key", "key"))
        held = [wire.Connection(self.world.port) for _ in range(40)]
        head = wire.Request("POST", "/v1/jobs", [ALL, ("Content-Type", JSON), ("Content-Length", str(MAX_BODY))]).head()
        for connection in held:
            connection.send(head)
        ready, _, _ = select.select([c.socket for c in held], [], [], wire.ANSWER_S)
        refused = next(c for c in held if c.socket in ready)
        self.look_at(Asked(wire.Request("POST", "/v1/jobs"), operation), refused.answer())
        for connection in held:
            connection.close()
        again = wire.Request("POST", "/v1/jobs", [ALL, ("Content-Type", JSON)], job % b"plain")
        while wire.ask(self.world.port, again).status == 429:  # until it has seen that they are gone
            time.sleep(0.01)

    def ask_at_random(self, requests, seconds):
        dice = self.values.dice
        with_bodies = [o for o in self.document.operations if o.bodies]
        end = time.monotonic() + seconds if seconds else None
        done = 0
        while time.monotonic() < end if end else done < requests:
            if done % TEND_EVERY == 0:
                self.world.tend()
            done += 1
            if self.values.chance(12):
                attack = dice.choice(ATTACKS)
                self.asked += 1
                try:
                    found = attack(self.world.port, dice, self.jobs)
                except (wire.Broken, wire.BadAnswer, OSError) as e:
                    raise Failure(f"{attack.__name__}: {e}") from e
                for asked, answer in found:
                    self.look_at(asked, answer)
                continue
            some = with_bodies if self.values.chance(35) else self.document.operations
            asked = self.asker.ask(dice.choice(some))
            if self.values.chance(10):
                asked.request.method = dice.choice(strangers.METHODS)
                asked.operation = self.documented(asked.request.method, asked.operation.path)
                asked.allowed = None
            self.send(asked)

    def documented(self, method, path):
        method = "GET" if method == "HEAD" else method
        return next((o for o in self.document.operations if (o.method, o.path) == (method, path)), None)

    def ask_of_wrong_types(self):
        self.world.stop("worker")
        self.world.make_all_wrong()
        for operation in self.document.operations:
            fresh = {p["name"]: "fresh" for p in operation.parameters}
            for chosen in list(self.choices(operation))[:20] + [fresh]:
                self.send(self.asker.plainest(operation, chosen))
        self.world.empty()

    def ask_without_tokens(self):
        """Where none is set, and as a host that the API may not be known by."""
        self.world.stop_api()
        self.world.start_api("open.yaml")
        self.world.tend()
        for host in ("127.0.0.1", "localhost:1", "example.com", "[::1]", "a b", ""):
            for operation in self.document.operations:
                asked = self.asker.plainest(operation, self.known(operation), [("Host", host)])
                asked.request.headers.remove(ALL)
                self.send(asked)

    def ask_without_redis(self):
        self.world.stop_api()
        self.world.start_api(SLUICE_API_MAX_WAIT="0.1")
        self.world.stop("redis", signal.SIGKILL)
        self.judge.redis_away = True
        for operation in self.document.operations:
            chosen = {p["name"]: "nobody" for p in operation.parameters} or {"-": ""}
            end = time.monotonic() + AGE_S
            while self.send(self.asker.plainest(operation, chosen)).status != 503:
                owed = 503 in operation.answers and not unmet.reason(operation.method, operation.path, 503)
                if not owed or time.monotonic() > end:
                    break
                time.sleep(0.05)
        self.judge.redis_away = False
        self.world.start_redis()
        deadline = time.monotonic() + 60
        ready = wire.Request("GET", "/readyz", [ALL])
        while wire.ask(self.world.port, ready).status != 200:
            if time.monotonic() > deadline:
                raise Failure("the API does not come back to Redis")
            time.sleep(0.01)

    def account(self):
        """Which documented statuses were met; those that were not need a reason."""
        owed = {(o.method, o.path, status) for o in self.document.operations for status in o.answers}
        met = owed & set(self.judge.met)
        print(f"{self.asked} requests; of {len(owed)} documented answers of {len(self.document.operations)} operations "
              f"{len(met)} were met")
        missing = sorted(key for key in owed - met if not unmet.reason(*key))
        if missing:
            raise Failure(f"not met, and unmet.py has no reason: {missing}")
        surplus = sorted(key for key in met if unmet.reason(*key))
        if surplus:
            raise Failure(f"met, although unmet.py says why it cannot be: {surplus}")


def main():
    words = argparse.ArgumentParser(description="Fuzzes sluice-api by its OpenAPI document.")
    words.add_argument("--build", required=True, help="build folder")
    words.add_argument("--seed", type=int, default=None, help="default: another each time")
    words.add_argument("--requests", type=int, default=1500, help="at random, after those that are always made")
    words.add_argument("--seconds", type=float, default=None, help="instead: for so long")
    given = words.parse_args()
    seed = given.seed if given.seed is not None else random.SystemRandom().randrange(1000000)
    sys.set_int_max_str_digits(0)
    print(f"seed {seed}", flush=True)
    world = World(os.path.abspath(given.build))
    try:
        fuzz = Fuzz(world, seed)
        phases = {
            "strangers": fuzz.ask_as_stranger,
            "each operation": fuzz.ask_each,
            "at random": lambda: fuzz.ask_at_random(given.requests, given.seconds),
            "keys of wrong types": fuzz.ask_of_wrong_types,
            "without tokens": fuzz.ask_without_tokens,
            "without Redis": fuzz.ask_without_redis,
        }
        for name, phase in phases.items():
            began, before = time.monotonic(), fuzz.asked
            phase()
            print(f"{name:20} {fuzz.asked - before:6} requests {time.monotonic() - began:6.1f} s",
                  flush=True)
        fuzz.account()
        world.stop_api()
    except Exception as e:
        if not isinstance(e, Failure):
            traceback.print_exc()
        print(f"FAILED (seed {seed}): {e}")
        print("--- the end of the API's log:\n" + world.log("api")[-3000:])
        return 1
    finally:
        world.end()
    print("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main())

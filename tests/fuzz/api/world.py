"""A private Redis with something in every place, a worker on it, and the API in front of it."""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import wire

HANG_S = 60
TOKEN, READ_TOKEN = "token-of-all", "token-of-readers"
MAX_BODY = 65536
TOKENS = f"token: {TOKEN}, read_token: {READ_TOKEN}, "
SETTINGS = f"""
api: {{%smax_wait: 30, max_body: {MAX_BODY}, stop_timeout: 0.5}}
worker: {{threads: 4, queues: [work], shutdown_timeout: 1, max_payload: {MAX_BODY}}}
metrics: {{listen: "off"}}
handlers:
"""


class Redis:
    """A client, as small as it gets."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(HANG_S)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")

    def do(self, *words):
        data = b"*%d\r\n" % len(words)
        for word in words:
            word = word if isinstance(word, bytes) else str(word).encode()
            data += b"$%d\r\n%s\r\n" % (len(word), word)
        self.socket.sendall(data)
        return self._reply()

    def _reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind in b"+:":
            return int(rest) if kind == b":" else rest
        if rest == b"-1":
            return None
        if kind == b"$":
            return self.file.read(int(rest) + 2)[:-2]
        return [self._reply() for _ in range(int(rest))]


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until(true, what):
    deadline = time.monotonic() + HANG_S
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"never: {what}")
        time.sleep(0.005)


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def job(name, queue="work", **more):
    return json.dumps({"class": "test", "args": [{}], "jid": name, "queue": queue, "retry": 3,
                       "created_at": 1.5e9, "enqueued_at": 1.5e9, **more})


# What is in a queue, or in one of the sets, that nobody would have put there.
ODD_JOBS = [
    b"", b"no json", b"\xff\xfe\x00", b"null", b"0", b'"text"', b"[]", b"[1]", b"{}", b'{"class":"x"}',
    b'{"class":"x","args":[],"jid":5}', b'{"class":"x","args":[],"jid":""}', b'{"jid":"jid without class"}',
    b'{"class":"x","args":[1e999,' + b"9" * 500 + b"]}", b"[" * 150 + b"]" * 150, b"[" * 5000,
    b'{"class":"x","args":[],"jid":"twice","jid":"twice2"}', b'{"class":"x","args":["' + b"y" * 70000 + b'"]}',
    b'{"class":"\\ud800","args":[]}', b'{"class":"x","args":["\xc3\x28"]}', b'{"class":"x","args":[]} tail',
    '{"class":"x","args":["ä\u2028\U0001f600"],"jid":"ä"}'.encode(), b'{"class":"x","args":[],"jid":"no queue","queue":5}',
    b'{"class":"x","args":[],"jid":"bad queue","queue":"a b"}', b'{"class":5,"args":[],"jid":"no class"}',
    b'{"class":"x","args":1,"jid":"no args"}', b'{"class":"x","args":[],"jid":"bad time","at":"never"}',
    b'{"class":"x","jid":"large","args":["' + b"y" * 70000 + b'"]}', b'{"class":"x","args":[],"jid":"tail"} tail',
    b'{"class":"x","args":[],"jid":"\xff"}', b'{"class":"x","args":[],"jid":"*"}', b'[{"jid":"in a list"}]',
]
ODD_JIDS = ["jid without class", "5", "twice", "twice2", "ä", "no queue", "bad queue", "no class", "no args", "bad time",
            "large", "tail", "\ufffd", "*", "in a list", "score inf", "score 1e300"]
ODD_NAMES = [b"", b"\xff\xfe", b'qu"ote', b"new\nline", b"sp ace", b"\x00", "ä".encode(), b"x" * 5000, b"a/b", b"%41"]


class World:
    def __init__(self, build):
        self.build = build
        self.folder = tempfile.mkdtemp(prefix="sluice-api-fuzz-")
        self.children = {}
        self.redis = None
        self.gate = os.path.join(self.folder, "gate")
        plugin = os.path.join(build, "tests/testplugin.so")
        for name, tokens in (("settings.yaml", TOKENS), ("open.yaml", "")):
            with open(os.path.join(self.folder, name), "w") as f:
                f.write(SETTINGS % tokens + f'  - {{class: test, plugin: "{plugin}"}}\n')
        self.port = free_port()
        self.start_redis()
        self.start_api()
        # What parameters are known to exist, by their names; answers add to it.
        self.known = {
            "jid": {"done", "failing", "dead1", "dead2", "due", "waiting", "odd", "wrongkey", "wrongqueue",
                    *ODD_JIDS},
            "queue": {"work", "waiting", "wrongqueue"},
            "identity": set(),
        }
        self.once = False
        self.held = 0
        self.tend()

    # ---- processes

    def start(self, name, *argv, **more):
        log = open(os.path.join(self.folder, name + ".log"), "ab")
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("REDIS_", "SLUICE_"))}
        environment["REDIS_URL"] = "unix://" + self.socket_path()
        environment.update(more)
        self.children[name] = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder,
                                               env=environment, preexec_fn=die_with_parent)
        log.close()

    def log(self, name):
        with open(os.path.join(self.folder, name + ".log"), errors="replace") as f:
            return f.read()

    def alive(self, name):
        return name in self.children and self.children[name].poll() is None

    def stop(self, name, how=signal.SIGTERM):
        child = self.children[name]
        if child.poll() is None:
            child.send_signal(how)
        return child.wait(HANG_S)

    def socket_path(self):
        return os.path.join(self.folder, "r.sock")

    def start_redis(self):
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        self.start("redis", program, "--port", "0", "--unixsocket", self.socket_path(), "--dir", self.folder, "--save", "",
                   "--appendonly", "no", "--maxmemory-policy", "noeviction")
        def answers():
            try:
                self.redis = Redis(self.socket_path())
                return self.redis.do("PING") == b"PONG"
            except (OSError, RuntimeError):
                return False
        wait_until(answers, "Redis answers")

    def start_api(self, settings="settings.yaml", **more):
        before = self.log("api").count("serving the API") if "api" in self.children else 0
        self.start("api", os.path.join(self.build, "bin/sluice-api"), "--config", settings, "--listen",
                   f"127.0.0.1:{self.port}", **more)
        wait_until(lambda: not self.alive("api") or self.log("api").count("serving the API") > before, "the API serves")
        if not self.alive("api"):
            raise RuntimeError("the API ended at once:\n" + self.log("api"))

    def stop_api(self):
        """It has to end well: that is where a sanitizer speaks last."""
        status = self.stop("api")
        if status != 0:
            raise RuntimeError(f"the API ended with {status}")

    def start_worker(self):
        before = self.log("worker").count("worker started") if "worker" in self.children else 0
        self.start("worker", os.path.join(self.build, "bin/sluice-worker"), "--config", "settings.yaml")
        wait_until(lambda: self.log("worker").count("worker started") > before, "a worker starts")
        self.identity = self.log("worker").rsplit("identity=", 1)[1].split()[0]
        wait_until(lambda: self.redis.do("EXISTS", "sluice:lease:" + self.identity), "the worker has its lease")
        wait_until(lambda: self.redis.do("PUBSUB", "NUMSUB", "sluice:control:" + self.identity)[1], "the worker listens")
        self.known["identity"] = {self.identity}

    def end(self):
        for name in self.children:
            self.stop(name, signal.SIGKILL)
        shutil.rmtree(self.folder)

    # ---- contents

    def state(self, jid):
        return self.redis.do("HGET", "sluice:job:" + jid, "state")

    def tend(self):
        """What requests have used up is there again."""
        do = self.redis.do
        self.keep_worker()
        do("SREM", "paused", "work")
        do("ZREM", "sluice:cancelled", "done", "failing", "waiting", "due", "dead1", "dead2")
        if not self.once:
            do("LPUSH", "queue:work", job("done", track=True, args=[{"emit": 5, "result": {"n": 1}}]))
            do("LPUSH", "queue:work", job("failing", track=True, args=[{"outcome": "fail"}]))
            do("LPUSH", "queue:work", job("dying", track=True, args=[{"outcome": "dead"}]))
            wait_until(lambda: self.state("done") == b"completed", "a job is done")
            wait_until(lambda: self.state("failing") == b"retrying", "a job fails")
            wait_until(lambda: self.state("dying") == b"dead", "a job dies")
            self.once = True
        if not self.holds():
            self.held += 1  # workers remember who was cancelled
            self.known["jid"].add(self.held_jid())
            do("LPUSH", "queue:work", job(self.held_jid(), track=True, args=[{"emit": 3, "gate": self.gate}]))
            wait_until(self.holds, "a job runs")
        self.put_oddities()
        for name in ("dead1", "dead2", "dead3"):
            do("ZADD", "dead", 1.5e9, job(name, queue="waiting", error_message="e", failed_at=1.5e9))
        do("ZADD", "dead", 1.5e9, job("wrongqueue", queue="wrongqueue"))
        do("ZADD", "retry", 4e9, job("retry1", queue="waiting", retry_count=1))
        do("ZADD", "schedule", 4e9, job("due", queue="waiting"))
        for key in ("retry", "schedule"):
            do("ZADD", key, 4e9, job("wrongqueue", queue="wrongqueue", at=4e9))
        do("SADD", "queues", "waiting", "wrongqueue", "wrongkey")
        do("LREM", "queue:waiting", 0, job("waiting", queue="waiting"))
        do("LPUSH", "queue:waiting", job("waiting", queue="waiting"))

    def keep_worker(self):
        """One that takes jobs: it may have been told to stop, or to be quiet."""
        if not self.alive("worker"):
            self.start_worker()
        self.redis.do("PUBLISH", "sluice:control", '{"cmd":"resume"}')

    def held_jid(self):
        return f"held{self.held}"

    def holds(self):
        self.keep_worker()
        return self.state(self.held_jid()) == b"running"

    def put_oddities(self):
        do = self.redis.do
        do("DEL", "queue:odd", "sluice:stream:odd", *(b"queue:" + name for name in ODD_NAMES))
        for at, odd in enumerate(ODD_JOBS):
            do("LPUSH", "queue:odd", odd)
            for key, score in (("dead", 1.4e9 - at), ("retry", 5e9 + at), ("schedule", 5e9 + at)):
                do("ZADD", key, score, odd)
        for score in ("inf", "1e300", "-1"):
            for key in ("dead", "retry", "schedule"):
                if key == "dead" or score != "-1":  # else it is due
                    do("ZADD", key, score, f'{{"class":"x","args":[],"jid":"score {score}"}}')
        for name in ODD_NAMES:
            do("SADD", "queues", name)
            do("SADD", "paused", name)
            do("LPUSH", b"queue:" + name, "{}")
            do("SADD", "processes", name)
        do("SADD", "queues", "odd")
        for at, info in enumerate((b"no json", b"[]", b"null", b'"text"', b"\xff", b'{"concurrency":"many"}', b"{")):
            do("SADD", "processes", f"odd{at}:1:x")
            do("HSET", f"odd{at}:1:x", "info", info, "busy", "x", "beat", "never", "quiet", "perhaps", "rss", "-5")
        do("HSET", "sluice:job:odd", "state", "running", "attempt", "x", "started_at", "never", "result", "{", "cpu_s", "[]",
           "error", b"\xff\xfe", "class", b"\x00")
        for event in (b"", b"\xff", b"{", b'"text"', b"null", b"a\nb\r\nc", b'{"type":"status"}', b'{"n":1e999}'):
            do("RPUSH", "sluice:stream:odd", event)
        do("SET", "sluice:job:wrongkey", "x")
        do("SET", "sluice:stream:wrongkey", "x")
        do("SET", "queue:wrongqueue", "x")
        do("SET", "stat:processed", "x")

    def make_all_wrong(self):
        """Every key has another type, those that are not there included."""
        do = self.redis.do
        keys = set(do("KEYS", "*"))
        keys |= {b"retry", b"schedule", b"dead", b"queues", b"paused", b"processes", b"sluice:workers", b"sluice:cancelled",
                 b"stat:processed", b"stat:failed", b"queue:fresh"}
        for key in sorted(keys):
            was = do("TYPE", key)
            do("DEL", key)
            do(*(("HSET", key, "x", "y") if was == b"string" else ("SET", key, "x")))

    def empty(self):
        self.redis.do("FLUSHALL")
        self.once = False

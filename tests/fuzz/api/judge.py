"""What every answer has to be, whatever was asked."""

import json

import wire
from document import JSON


def strict(data):
    """JSON as it is on the wire, and no more than that."""

    def refuse(name):
        raise ValueError(name)

    return json.loads(data.decode("utf-8"), parse_constant=refuse)


class Judge:
    def __init__(self, document):
        self.document = document
        self.error = document.component("schemas", "Error")
        self.met = {}  # (method, path, status) -> how often
        self.redis_away = False

    def complaint(self, request, operation, answer, allowed=None, stranger=False):
        """What is wrong with an answer, or None. `operation`: None when nothing is documented for
        this path and method. `allowed`: by the document, as far as the request is after it; None:
        nobody says. `stranger`: it came without a token that is known."""
        status = answer.status
        if operation:
            key = (operation.method, operation.path, status)
            self.met[key] = self.met.get(key, 0) + 1
        if request.method == "HEAD" and answer.body:
            return "an answer to HEAD has a body"
        if status >= 500 and not (status == 503 and self.redis_away):
            return f"{status}"
        if status >= 400:
            return self._refusal(request, operation, answer, allowed, stranger)
        if status == 204 and request.method == "OPTIONS":
            return None if answer.header("Allow") and not answer.body else "OPTIONS without Allow"
        if status == 304:
            return self._unchanged(request, operation, answer, stranger)
        if not 200 <= status < 300:
            return f"{status} is no answer of this API"
        if not operation:
            return f"{status} for what is not documented"
        if stranger and not operation.open:
            return f"{status} without a token"
        if allowed is False:
            return f"{status} for what the document forbids"
        return self._success(request, operation, answer)

    def _refusal(self, request, operation, answer, allowed, stranger):
        status = answer.status
        unasked = status == 413 and request.body and operation and not operation.bodies  # said of all
        if operation and status not in operation.answers and not unasked:
            return f"{status} is not documented"
        if stranger and status != 401 and not (operation and operation.open):
            return f"{status} tells a stranger more than 401"
        if not stranger and status == 401:
            return "401 with a token"
        if allowed is True and status in (400, 413, 415, 422):
            return f"{status} for what the document allows"
        if answer.kind() != JSON:
            return f"{status} as {answer.kind()}"
        if status == 405 and not answer.header("Allow"):
            return "405 without Allow"
        if request.method == "HEAD":
            return None
        return self._json(self.error, answer) or self._words(answer)

    @staticmethod
    def _unchanged(request, operation, answer, stranger):
        if not operation or 304 not in operation.answers:
            return "304 is not documented"
        if stranger or not request.header("If-None-Match") or answer.body:
            return "304 to who should not get it"
        return None

    @staticmethod
    def _words(answer):
        error = strict(answer.body)["error"]
        if not error["code"] or not error["message"]:
            return "an error without words"
        return None

    def _success(self, request, operation, answer):
        if answer.status not in operation.answers:
            return f"{answer.status} is not documented"
        content = operation.answers[answer.status]
        if answer.kind() not in content:
            return f"{answer.status} as {answer.kind()}, which is not documented"
        if request.method == "HEAD":
            return None
        if answer.kind() == JSON:
            return self._json(content[JSON], answer)
        if answer.kind() == "text/event-stream":
            return self._events(answer)
        try:
            answer.body.decode("utf-8")
        except UnicodeDecodeError as e:
            return f"text: {e}"
        return None

    def _json(self, schema, answer):
        try:
            value = strict(answer.body)
        except (ValueError, RecursionError) as e:
            return f"no JSON: {e}"
        return self.document.complaint(schema, value)

    @staticmethod
    def _events(answer):
        """Blocks of HTML's event streams; each with data, which is one JSON value, or text."""
        body = answer.body
        if answer.header("Transfer-Encoding") == "chunked":
            body = unchunk(body)
        blocks = body.split(b"\n\n")
        for block in blocks[:-1]:
            for line in block.split(b"\n"):
                if b"\r" in line or line.split(b":")[0] not in (b"", b"retry", b"id", b"data"):
                    return f"line {line!r} in an event stream"
        return None


def unchunk(data):
    body = b""
    while b"\r\n" in data:
        line, rest = data.split(b"\r\n", 1)
        size = int(line, 16)
        body += rest[:size]
        data = rest[size + 2 :]
    return body


def prove(document, operation):
    """The judge itself: wrong answers that it has to see. `operation` answers 200 with JSON."""
    error = b'{"error":{"code":"c","message":"m"}}'
    kind = [("Content-Type", JSON)]
    request = wire.Request("GET", "/")
    refused = wire.Request("GET", "/")
    wrong = [
        (request, operation, wire.Answer(500, kind, error, True), {}),
        (request, operation, wire.Answer(503, kind, error, True), {}),
        (request, operation, wire.Answer(418, kind, error, True), {}),
        (request, operation, wire.Answer(200, kind, b"5", True), {}),
        (request, operation, wire.Answer(200, kind, b"{NaN}", True), {}),
        (request, operation, wire.Answer(200, [("Content-Type", "text/html")], b"{}", True), {}),
        (request, operation, wire.Answer(401, kind, error, True), {}),
        (request, operation, wire.Answer(404, kind, error, True), {"stranger": True}),
        (request, operation, wire.Answer(401, kind, b'{"error":{"code":"c"}}', True), {"stranger": True}),
        (request, operation, wire.Answer(401, kind, b'{"error":{"code":"","message":"m"}}', True), {"stranger": True}),
        (request, operation, wire.Answer(401, [("Content-Type", "text/html")], error, True), {"stranger": True}),
        (request, None, wire.Answer(200, kind, b"{}", True), {}),
        (refused, operation, wire.Answer(302, kind, b"", True), {}),
        (wire.Request("HEAD", "/"), operation, wire.Answer(200, kind, b"{}", True), {}),
    ]
    for request, known, answer, how in wrong:
        if Judge(document).complaint(request, known, answer, **how) is None:
            raise RuntimeError(f"the judge lets pass {answer}")

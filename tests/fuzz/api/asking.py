"""Requests after the document: each with what the document says of it."""

import wire
from document import JSON, LINES
from values import ODD_BODIES, dump, quote
from world import TOKEN

ALL = ("Authorization", "Bearer " + TOKEN)
STREAM = "text/event-stream"


class Asked:
    """A request, the operation it is for (None: none), whether the document allows it."""

    def __init__(self, request, operation=None, allowed=None, stranger=False):
        self.request = request
        self.operation = operation
        self.allowed = allowed
        self.stranger = stranger


def worst(*verdicts):
    """False when one forbids, None when one does not know."""
    return False if False in verdicts else None if None in verdicts else True


def is_plain(value):
    """Python and JSON agree on it, and so do characters and bytes."""
    if isinstance(value, dict):
        return all(is_plain(k) and is_plain(v) for k, v in value.items())
    if isinstance(value, list):
        return all(is_plain(v) for v in value)
    if isinstance(value, str):
        return value.isascii() and value.isprintable()
    if isinstance(value, float):
        return not value.is_integer()
    return not isinstance(value, int) or abs(value) < 2**53


class Asker:
    """Makes requests for operations from `values`."""

    def __init__(self, document, values):
        self.document = document
        self.values = values

    def target(self, operation, chosen=None):
        """The path and query, and what the document says of them."""
        path, verdict = operation.path, True
        for parameter in operation.named("path"):
            name = parameter["name"]
            text, allowed = (chosen[name], None) if chosen else self.values.parameter(parameter)
            if text == "":
                text = "-"  # else it is another path
            path = path.replace("{" + name + "}", quote(text))
            verdict = worst(verdict, allowed)
        query = []
        for parameter in operation.named("query"):
            needed = parameter.get("required", False)
            if chosen and needed:
                query.append(f"{parameter['name']}={quote(chosen.get(parameter['name'], 'nobody'))}")
            elif not chosen and self.values.chance(90 if needed else 60):
                text, allowed = self.values.parameter(parameter)
                query.append(f"{parameter['name']}={quote(text) if '%' not in text else text}")
                verdict = worst(verdict, allowed)
            elif needed:
                verdict = False
        if not chosen and self.values.chance(5):
            query.append(self.values.dice.choice(["x=1", "&&", "=", "%00=1", "limit", "a=b=c"]))
            verdict = worst(verdict, None)
        return path + ("?" + "&".join(query) if query else ""), verdict

    def headers(self, operation):
        headers, verdict = [ALL], True
        for parameter in operation.named("header"):
            if self.values.chance(40):
                text, allowed = self.values.parameter(parameter)
                if not text.isprintable() or not text.isascii() or text != text.strip() or text == "":
                    continue  # raw bytes are another matter
                headers.append((parameter["name"], text))
                verdict = worst(verdict, allowed)
        kinds = {kind for answer in operation.answers.values() for kind in answer}
        if STREAM in kinds and self.values.chance(70):
            headers.append(("Accept", JSON))
        return headers, verdict

    def members(self, value):
        """Of one job and of many: what the objects in it are."""
        return value if isinstance(value, list) else [value]

    def body(self, operation):
        """Kind, bytes and verdict."""
        kind = self.values.dice.choice(sorted(operation.bodies))
        schema = operation.bodies.get(JSON, {})
        value = self.values.sample(schema)
        if self.values.chance(50):
            value = self.values.spoil(value)
        verdict = self.document.complaint(schema, value) is None
        if not is_plain(value):
            verdict = None
        if kind == LINES:
            lines = self.members(value)
            return kind, b"\n".join(dump(line) for line in lines), None if not lines else verdict
        return kind, dump(value), verdict

    def ask(self, operation, chosen=None):
        target, verdict = self.target(operation, chosen)
        headers, allowed = self.headers(operation)
        verdict = worst(verdict, allowed)
        body = b""
        if operation.bodies:
            kind, body, allowed = self.body(operation)
            if self.values.chance(15):
                body, allowed = self.values.dice.choice(ODD_BODIES), None
            elif self.values.chance(15):
                body, allowed = self.values.mutate(body), None
            if self.values.chance(5):
                kind, allowed = self.values.dice.choice(["text/plain", "application/jsonx", "", "*/*", "x" * 200]), False
            headers.append(("Content-Type", kind))
            verdict = worst(verdict, allowed)
        elif self.values.chance(3):
            body, verdict = b"{}", False
        return Asked(wire.Request(operation.method, target, headers, body), operation, verdict)

    def plainest(self, operation, chosen, headers=()):
        """With nothing that may be left out."""
        target, _ = self.target(operation, chosen)
        headers = [ALL, ("Accept", JSON), *headers]
        body = b""
        if operation.bodies:
            kind = JSON if JSON in operation.bodies else sorted(operation.bodies)[0]
            headers.append(("Content-Type", kind))
            body = dump(self.least(operation.bodies[kind], chosen))
        return Asked(wire.Request(operation.method, target, headers, body), operation)

    def least(self, schema, chosen):
        schema = self.document.resolve(schema)
        while "oneOf" in schema:
            schema = self.document.resolve(schema["oneOf"][0])
        return {
            name: chosen.get(name) or self.values.sample(part)
            for name, part in schema.get("properties", {}).items()
            if name in schema.get("required", []) or name in chosen
        }

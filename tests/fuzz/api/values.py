"""Values after a schema, and values that are not: for parameters, headers and bodies."""

import json
import random
import string
import urllib.parse

ODD_TEXTS = [
    "", " ", "0", "-1", "null", "x" * 128, "x" * 129, "x" * 256, "x" * 257, "x" * 3000, "ä" * 128,
    "ä" * 129, "\u2028", "\U0001f600", "a b", "a,b", 'a"b', "a'b", "a\\b", "a/b", "../..", "%", "%00",
    "*", "[a-z]*", "{jid}", "a\tb", "a\rb\nc: d", "\x7f", "\x01", "-", "--", "$ne", "'; DROP",
    "queue:x", "default", "__proto__",
]
ODD_NUMBERS = [
    "-1", "-0", "0", "1", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "18446744073709551616", "1" + "0" * 400, "0.5", "1e3", "1e999", "1.0", "+1", "007", "0x10", " 1",
    "1 ", "", "x", "\u0661", "NaN", "Infinity", "true", "1,2", "%31",
]
ODD_VALUES = [
    None, True, False, 0, -1, 1, 0.5, -0.0, 1e300, 2**53 + 1, 2**63, 10**400, "", "x", "x" * 256,
    "x" * 257, "x" * 5000, "\0", "a\0b", "\ud800", "ä" * 256, [], [[]], {}, {"": 0}, [None], {"a": {"b": []}},
]
ODD_BODIES = [
    b"", b" ", b"null", b"true", b"0", b'""', b"[]", b"{}", b"[[]]", b"[{}]", b"\xef\xbb\xbf{}", b"{", b"[", b'"',
    b'{"class":"x","args":[]', b'{"class":"x","args":[]} x', b'{"class":"x","args":[]}\0',
    b'{"class":"x","args":[]}{"class":"x","args":[]}', b'{"class":"x\0y","args":[]}',
    b'{"class":"x\\u0000y","args":[]}', b'{"class":"\xff\xfe","args":[]}', b'{"class":"x","args":["\xc0\xaf"]}',
    b'{"class":"x","class":"y","args":[],"args":1}', b'{"class":"x","args":[1e999,-1e999,1e-999]}',
    b'{"class":"x","args":[' + b"1" * 10000 + b"]}", b'{"class":"x","args":[],"at":1e400}',
    b'{"class":"x","args":[],"retry":99999999999999999999}', b'{"class":"x","args":[NaN]}',
    b'{"class":"x","args":[01]}', b"{'class':'x'}", b'{"class":"x","args":[],}', b'{"class":"\\ud800","args":[]}',
    b"[" * 99 + b"]" * 99, b"[" * 101 + b"]" * 101, b"[" * 30000, b'{"a":' * 10000,
    b'{"class":"x","args":' + b"[" * 98 + b"]" * 98 + b"}", b'{"class":"x","args":' + b"[" * 100 + b"]" * 100 + b"}",
    b'{"class":"' + b"y" * 60000 + b'","args":[]}', b'{"class":"x","args":["' + b"\\u00e4" * 9000 + b'"]}',
    b"[" + b",".join([b'{"class":"x","args":[]}'] * 1000) + b"]", b"[" + b"1," * 30000 + b"1]",
    b"[" + b",".join([b"0"] * 10001) + b"]", b"\n\n\n", b'{"class":"x","args":[]}\n\n{"class":"x","args":[]}\n',
    b'{"class":"x","args":[]}\r\n{"class":"x","args":1}', b"\r\n\t \n", b"\n" * 60000,
]


class Values:
    def __init__(self, seed, document, known):
        self.dice = random.Random(seed)
        self.document = document
        self.known = known  # name of a parameter -> values that exist

    def chance(self, percent):
        return self.dice.random() * 100 < percent

    # ---- what a schema allows

    def sample(self, schema, depth=0):
        schema = self.document.resolve(schema)
        for key in ("oneOf", "anyOf"):
            if key in schema:
                return self.sample(self.dice.choice(schema[key]), depth)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.dice.choice(schema["enum"])
        kind = schema.get("type", "object" if "properties" in schema else None)
        if isinstance(kind, list):
            kind = self.dice.choice(kind)
        if kind is None:
            kind = self.dice.choice(["null", "boolean", "integer", "string", "array", "object"])
        return getattr(self, "sample_" + kind)(schema, depth)

    def sample_null(self, schema, depth):
        return None

    def sample_boolean(self, schema, depth):
        return self.chance(50)

    def sample_integer(self, schema, depth):
        low = schema.get("minimum", -(2**31))
        high = schema.get("maximum", max(low, 2**31))
        return self.dice.choice([low, high, min(low + 1, high), self.dice.randint(low, high)])

    def sample_number(self, schema, depth):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1e6))
        high = schema.get("maximum", max(low + 1, 2e9))
        return self.dice.choice([high, self.dice.uniform(low, high), int(min(low + 1, high))])

    def sample_string(self, schema, depth):
        low, high = schema.get("minLength", 0), schema.get("maxLength", 300)
        length = self.dice.choice([low, low + 1, high, self.dice.randint(low, min(high, low + 20))])
        text = "".join(self.dice.choice(string.ascii_letters + string.digits + "_.:-") for _ in range(length))
        return text[:high]

    def sample_array(self, schema, depth):
        low = schema.get("minItems", 0)
        many = low if depth > 3 else self.dice.randint(low, min(schema.get("maxItems", 4), low + 4))
        return [self.sample(schema.get("items", {}), depth + 1) for _ in range(many)]

    def sample_object(self, schema, depth):
        members = {}
        for name, part in schema.get("properties", {}).items():
            if name in schema.get("required", []) or (depth < 4 and self.chance(25)):
                members[name] = self.sample(part, depth + 1)
        if self.chance(20):
            members["more" + self.sample_string({"maxLength": 5}, 0)] = self.dice.choice(ODD_VALUES[:15])
        return members

    # ---- what it may not allow

    def spoil(self, value):
        """A copy with one place that is another."""
        if isinstance(value, dict) and value and self.chance(85):
            name = self.dice.choice(sorted(value))
            copy = dict(value)
            if self.chance(20):
                del copy[name]
            else:
                copy[name] = self.spoil(value[name])
            return copy
        if isinstance(value, list) and value and self.chance(85):
            at = self.dice.randrange(len(value))
            return value[:at] + [self.spoil(value[at])] + value[at + 1 :]
        return self.dice.choice(ODD_VALUES)

    def mutate(self, data):
        """Other bytes."""
        for _ in range(self.dice.randint(1, 4)):
            at = self.dice.randint(0, len(data))
            change = self.dice.randrange(4)
            piece = bytes([self.dice.choice([0, 9, 10, 13, 34, 44, 91, 92, 123, 128, 192, 237, 255])])
            if change == 0:
                data = data[:at] + piece + data[at:]
            elif change == 1:
                data = data[:at] + data[at + 1 :]
            elif change == 2:
                data = data[:at] + piece + data[at + 1 :]
            else:
                data = data[:at]
        return data

    # ---- parameters: the text as it is sent, and whether it is allowed (None: nobody says)

    def parameter(self, parameter):
        schema = self.document.resolve(parameter.get("schema", {}))
        if schema.get("type") in ("integer", "number"):
            return self.numeric(schema)
        known = sorted(self.known.get(parameter["name"], []))
        if known and self.chance(60):
            text = self.dice.choice(known)
        elif self.chance(50):
            text = str(self.sample(schema))
        else:
            text = self.dice.choice(ODD_TEXTS)
        if parameter["in"] != "query" or not text.isascii() or not text.isprintable() or "%" in text:
            return text, None
        if "pattern" in schema and self.document.complaint(schema, text) is None:
            return text, None  # a pattern says how it looks, and not which of those there are
        return text, self.document.complaint(schema, text) is None

    def numeric(self, schema):
        low, high = schema.get("minimum", 0), schema.get("maximum", 2**31)
        if self.chance(50):
            return str(self.dice.choice([low, high, min(low + 1, high), self.dice.randint(low, high)])), True
        text = self.dice.choice(ODD_NUMBERS + [str(low - 1), str(high + 1)])
        return text, self.numeric_allowed(text, schema["type"], low, high)

    @staticmethod
    def numeric_allowed(text, kind, low, high):
        if text.isascii() and text.isdigit():
            if text != str(int(text)):
                return None  # zeros in front
            return low <= int(text) <= high
        if kind == "number" and text[-1:].isdigit():
            return None  # there are many ways to write one
        return None if "%" in text or text in ("-0", "") else False


def quote(text):
    """For a path or a query: all that is not plain is escaped."""
    return urllib.parse.quote(text.encode("utf-8", "surrogatepass"), safe="")


def dump(value):
    """JSON, with what Python has and JSON has not kept out of it."""
    return json.dumps(value, ensure_ascii=True, allow_nan=False).encode("ascii")

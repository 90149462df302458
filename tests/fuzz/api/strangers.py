"""Who has no token learns nothing, whatever the method and however the path is written."""

import wire
from asking import ALL, Asked
from world import READ_TOKEN, TOKEN

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "get", "Get", "X", "PROPFIND"]
TOKENS = [
    None, "", "Bearer", "Bearer ", "Bearer x", "Bearer " + TOKEN[:-1], "Bearer " + TOKEN + "x", "Bearer  " + TOKEN,
    "Bearer " + TOKEN.upper(), "Basic " + TOKEN, TOKEN, "Token " + TOKEN, "Bearer " + READ_TOKEN + TOKEN, "Bearer \0",
    "Bearer " + "x" * 5000, "Bearer \xff", f'Bearer "{TOKEN}"', f"Bearer x, Bearer {TOKEN}",
]


def disguises(path):
    """Other ways to write a path, of which none is served; and /livez before it, which is open."""
    return [
        "/" + path, path + "/", path + "/.", "/." + path, "/livez/.." + path, "/livez%2f.." + path, "/livez/" + path,
        "/livez;" + path, path.upper(), path.replace("/v1", "/%76%31"), path + "%00", path + "%20", path + ";x", path + "//",
        path.replace("/", "\\"), path + "/livez", "/livez%00" + path, "http://x" + path, path.replace("/v1", "/v1/"),
    ]


def plain(document, asker, known):
    """Every path with every method and a token that is none."""
    for path in dict.fromkeys(o.path for o in document.operations):
        operations = {o.method: o for o in document.operations if o.path == path}
        any_one = next(iter(operations.values()))
        target, _ = asker.target(any_one, known(any_one))
        for at, method in enumerate(METHODS):
            operation = operations.get(method) or (operations.get("GET") if method == "HEAD" else None)
            for token in TOKENS if method in ("GET", "POST", "DELETE") else TOKENS[at % 3 :: 4]:
                headers = [] if token is None else [("Authorization", token)]
                yield Asked(wire.Request(method, target, headers), operation, stranger=True), any_one.open


def hidden(document, asker, known):
    for operation in document.operations:
        target, _ = asker.target(operation, known(operation))
        for written in disguises(target):
            if written == target:
                continue
            yield Asked(wire.Request("GET", written), None, stranger=True)


def readers(document, asker, known):
    """The token of those who may read: what it may not do is not done."""
    for operation in document.operations:
        asked = asker.plainest(operation, known(operation))
        token = ("Authorization", "Bearer " + READ_TOKEN)
        asked.request.headers = [token if h == ALL else h for h in asked.request.headers]
        yield asked, operation.method == "GET"

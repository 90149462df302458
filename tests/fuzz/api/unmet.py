"""Answers that the document promises and the fuzzer does not provoke, and why not."""

REASONS = {
    ("GET", "/v1/history", 503): "only without memory: it asks nobody",
}


def reason(method, path, status):
    return REASONS.get((method, path, status))

"""Answers that the document promises and the fuzzer does not provoke, and why not."""

REASONS = {}


def reason(method, path, status):
    return REASONS.get((method, path, status))

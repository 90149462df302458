"""The OpenAPI document as the API serves it: its operations, and what it says of their answers."""

import jsonschema
import yaml

METHODS = ("get", "put", "post", "delete", "patch", "head", "options", "trace")
JSON = "application/json"
LINES = "application/x-ndjson"


class Operation:
    def __init__(self, document, path, method, shared, entry):
        self.path = path
        self.method = method.upper()
        self.parameters = [document.resolve(p) for p in shared + entry.get("parameters", [])]
        self.open = entry.get("security", document.root.get("security")) == []
        body = document.resolve(entry.get("requestBody", {}))
        self.bodies = {kind: part.get("schema", {}) for kind, part in body.get("content", {}).items()}
        self.answers = {}
        for status, answer in entry["responses"].items():
            content = document.resolve(answer).get("content", {})
            self.answers[int(status)] = {k: part.get("schema", {}) for k, part in content.items()}

    def __str__(self):
        return f"{self.method} {self.path}"

    def named(self, place):
        return [p for p in self.parameters if p["in"] == place]


class Document:
    def __init__(self, text):
        self.root = yaml.safe_load(text)
        self.resolver = jsonschema.RefResolver("", self.root)
        self.validators = {}
        self.operations = []
        for path, entry in self.root["paths"].items():
            shared = entry.get("parameters", [])
            for method in METHODS:
                if method in entry:
                    self.operations.append(Operation(self, path, method, shared, entry[method]))
        for operation in self.operations:  # what is no schema is found now
            for schemas in [operation.bodies] + list(operation.answers.values()):
                for schema in schemas.values():
                    jsonschema.Draft202012Validator.check_schema(schema)

    def resolve(self, entry):
        while "$ref" in entry:
            _, entry = self.resolver.resolve(entry["$ref"])
        return entry

    def component(self, kind, name):
        return self.root["components"][kind][name]

    def complaint(self, schema, value):
        """What is wrong with a value, or None."""
        key = id(schema)
        if key not in self.validators:
            self.validators[key] = jsonschema.Draft202012Validator(schema, resolver=self.resolver)
        error = jsonschema.exceptions.best_match(self.validators[key].iter_errors(value))
        if error is None:
            return None
        where = "/".join(str(part) for part in error.absolute_path)
        return f"at /{where}: {error.message[:300]}"

    def methods_of(self, path):
        return {o.method for o in self.operations if o.path == path}

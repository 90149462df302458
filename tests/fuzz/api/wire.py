"""HTTP as bytes: requests that may be wrong in any way, and answers that may not be."""

import socket

ANSWER_S = 60  # a bound against hanging
QUIET_S = 0.05  # a stream that says nothing for so long is left


class Broken(Exception):
    """The server hung up before a whole answer; `got` is what had come."""

    def __init__(self, got):
        super().__init__(f"hung up after {got!r}")
        self.got = got


class BadAnswer(Exception):
    """What came is no HTTP."""


class Request:
    def __init__(self, method, target, headers=(), body=b"", version="HTTP/1.1"):
        self.method = method
        self.target = target
        self.headers = list(headers)
        self.body = body
        self.version = version

    def header(self, name):
        for key, value in self.headers:
            if key.lower() == name.lower():
                return value
        return None

    def head(self):
        lines = [f"{self.method} {self.target} {self.version}".encode("utf-8", "surrogateescape")]
        if self.header("Host") is None:
            lines.append(b"Host: x")
        for key, value in self.headers:
            lines.append(f"{key}: {value}".encode("utf-8", "surrogateescape"))
        has_length = self.header("Content-Length") or self.header("Transfer-Encoding")
        if not has_length and (self.body or self.method in ("POST", "PUT", "PATCH")):
            lines.append(b"Content-Length: %d" % len(self.body))
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def raw(self):
        return self.head() + self.body

    def __str__(self):
        text = repr(self.raw())
        return text if len(text) < 1500 else text[:1000] + f" … {len(text)} characters"


class Answer:
    def __init__(self, status, headers, body, whole):
        self.status = status
        self.headers = headers
        self.body = body
        self.whole = whole  # a stream may go on

    def header(self, name):
        values = [v for k, v in self.headers if k.lower() == name.lower()]
        if len(values) > 1:
            raise BadAnswer(f"{name} comes {len(values)} times")
        return values[0] if values else None

    def kind(self):
        return (self.header("Content-Type") or "").split(";")[0].strip()

    def __str__(self):
        return f"{self.status} {self.headers} {self.body[:1000]!r}"


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), ANSWER_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""
        self.patience = ANSWER_S

    def close(self):
        self.socket.close()

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.socket.close()

    def send(self, data):
        """False when the server does not want any more; its answer may be there all the same."""
        try:
            self.socket.sendall(data)
            return True
        except OSError:
            return False

    def end(self):
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def _more(self, patience=None):
        self.socket.settimeout(patience or self.patience)
        try:
            piece = self.socket.recv(65536)
        except ConnectionError:
            piece = b""
        self.buffer += piece
        return piece != b""

    def _line(self):
        while b"\r\n" not in self.buffer:
            if not self._more():
                raise Broken(self.buffer)
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def _bytes(self, n):
        while len(self.buffer) < n:
            if not self._more():
                raise Broken(self.buffer)
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def _chunks(self):
        body = b""
        while True:
            line = self._line()
            size = int(line.split(b";")[0], 16)
            if size == 0:
                if self._line() != b"":
                    raise BadAnswer("trailers")
                return body
            body += self._bytes(size)
            if self._bytes(2) != b"\r\n":
                raise BadAnswer("a chunk does not end where it should")

    def _stream(self):
        """What comes until it ends, or until it is quiet; whether it has ended."""
        try:
            while self._more(QUIET_S):
                pass
            return self.buffer, True
        except socket.timeout:
            return self.buffer, False

    def answer(self, method="GET", interim=False, patience=ANSWER_S):
        """The next answer; with `interim` one of 1xx counts as one."""
        self.patience = patience
        words = self._line().split(b" ", 2)
        if len(words) < 2 or not words[0].startswith(b"HTTP/1.") or not words[1].isdigit():
            raise BadAnswer(f"status line {words!r}")
        status = int(words[1])
        headers = []
        while True:
            line = self._line()
            if not line:
                break
            name, colon, value = line.partition(b":")
            if not colon or not name or name.strip() != name:
                raise BadAnswer(f"header {line!r}")
            headers.append((name.decode("ascii"), value.strip().decode("latin-1")))
        found = Answer(status, headers, b"", True)
        if status < 200:
            return found if interim else self.answer(method, patience=patience)
        length = found.header("Content-Length")
        if method == "HEAD" or status in (204, 304):
            pass
        elif found.kind() == "text/event-stream":
            found.body, found.whole = self._stream()
            self.close()
        elif found.header("Transfer-Encoding") == "chunked":
            found.body = self._chunks()
        elif length is not None:
            found.body = self._bytes(int(length))
        else:
            while self._more():
                pass
            found.body, self.buffer = self.buffer, b""
        return found


def ask(port, request):
    """One request on a connection of its own."""
    connection = Connection(port)
    try:
        connection.send(request.raw())
        return connection.answer(request.method)
    finally:
        connection.close()

#!/usr/bin/env python3
"""Writes down what it is asked, one JSON object a line: `recorder.py strict|http.server PORT FILE`.

`strict` is what stands behind nginx, Apache and HAProxy: what they understood is what they send on. `http.server` is Python's
own server with its own reading of a head.
"""

import http.server
import json
import socketserver
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        content = self.content()
        if content is None:
            self.close_connection = True
            return
        fields = [[name.lower(), value] for name, value in self.headers.items()]
        self.server.write(self.command, self.path, fields, content)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"ok")

    def content(self):
        """The body; nothing where it breaks off."""
        if (self.headers.get("Transfer-Encoding") or "").lower() == "chunked":
            whole = b""
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                piece = self.rfile.read(size)
                if len(piece) < size or self.rfile.readline() != b"\r\n":
                    return None
                if size == 0:
                    return whole
                whole += piece
        size = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(size)
        return content if len(content) == size else None

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True

    def __init__(self, port, file):
        super().__init__(("127.0.0.1", port), Handler)
        self.file = open(file, "a")

    def write(self, method, target, fields, content):
        seen = {"method": method, "target": target, "fields": fields, "body": content.hex()}
        self.file.write(json.dumps(seen) + "\n")
        self.file.flush()

    def handle_error(self, request, address):
        # Whoever breaks off has broken off.
        pass


class StrictHandler(socketserver.StreamRequestHandler):
    """Reads what a proxy sends, which is right HTTP/1.1; anything else ends the connection."""

    def handle(self):
        while self.one():
            pass

    def one(self):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            if not line:
                return False
            head += line
        line, *fields = head.decode("latin-1").split("\r\n")[:-2]
        method, target, _ = line.split(" ")
        fields = [[name.lower(), value.strip()] for name, value in (field.split(":", 1) for field in fields)]
        known = dict(fields)
        if "transfer-encoding" in known:
            content = b""
            while size := int(self.rfile.readline(), 16):
                content += self.rfile.read(size)
                if self.rfile.readline() != b"\r\n":
                    return False
            while self.rfile.readline() not in (b"\r\n", b""):
                pass
        else:
            size = int(known.get("content-length", 0))
            content = self.rfile.read(size)
            if len(content) < size:
                return False
        self.server.write(method, target, fields, content)
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n" + (b"" if method == "HEAD" else b"ok"))
        return True


if __name__ == "__main__":
    kind, port, file = sys.argv[1:]
    server = Server(int(port), file)
    if kind == "strict":
        server.RequestHandlerClass = StrictHandler
    server.serve_forever()

"""Ordinary visitors, while something else goes on: each asks one thing after another over a connection that is kept."""

import http.client
import threading
import time

from parts import percentile


class Visitors:
    """So many of them, until the block ends. `paths` are asked for in turn."""

    def __init__(self, port, count=4, paths=("/page", "/style.css", "/a"), pause=0.01):
        self.port, self.paths, self.pause = port, paths, pause
        self.took, self.wrong = [], []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.visit, daemon=True) for _ in range(count)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        for thread in self.threads:
            thread.join(30)

    def visit(self):
        connection, number = None, 0
        while not self.stop.is_set():
            path = self.paths[number % len(self.paths)]
            number += 1
            began = time.monotonic()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=15)
                connection.request("GET", path, headers={"Accept": "text/html" if path == "/page" else "image/*"})
                answer = connection.getresponse()
                answer.read()
                if answer.status != 200:
                    self.wrong.append(f"{path}: {answer.status}")
                if answer.will_close:
                    connection = None
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(f"{path}: {error!r}")
                connection = None
            self.took.append(time.monotonic() - began)
            time.sleep(self.pause)

    def p50(self):
        return percentile(self.took, 0.5) * 1000

    def p99(self):
        return percentile(self.took, 0.99) * 1000

    def __str__(self):
        return f"{len(self.took)} requests, {len(self.wrong)} errors, p50 {self.p50():.1f} ms, p99 {self.p99():.1f} ms"

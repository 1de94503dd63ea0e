"""Much at once and little by little: 1 GB (long: 10 GB) down and up in flat memory, and streams whose every frame goes out at
once."""

import socket
import sys
import threading
import time

from parts import HERE, Failed, Gateway, Process, free_port, mib, percentile, resident, say, short_or_long, wait_for_port

SIZE = short_or_long(1 << 30, 10 << 30)
# Buffers in both directions; not a part of what is carried.
GROWTH = 24 << 20
FRAMES = short_or_long(200, 2000)
# What a frame may take through the gateway; generous, since the machine is shared.
LATE = 0.05


class Watch:
    """The most memory the gateway takes until the block ends."""

    def __init__(self, pid):
        self.pid, self.most, self.before = pid, 0, resident(pid)
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self):
        while not self.stop.wait(0.05):
            self.most = max(self.most, resident(self.pid))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def run(folder):
    port = free_port()
    wait_for_port(folder.start(Process([sys.executable, HERE / "site.py", port], folder.path / "site.log")), port)
    gateway = folder.start(Gateway(folder.path / "gateway", port, limits='max_body_bytes = "11 GiB"\n'))
    # What it takes once it is warm.
    for way in (down, up):
        way(gateway.port, 64 << 20, "length")
    most = 0
    for name, way in (("down", down), ("up", up)):
        for framing in ("length", "chunks"):
            with Watch(gateway.pid) as watch:
                began = time.monotonic()
                got = way(gateway.port, SIZE, framing)
                took = time.monotonic() - began
            if got != SIZE:
                raise Failed(f"{name}, by {framing}: {got} of {SIZE} bytes")
            grown = watch.most - watch.before
            most = max(most, grown)
            say(
                f"  {SIZE >> 30} GB {name} by {framing}: {SIZE / took / 1e6:.0f} MB/s; memory {mib(watch.before)}, {mib(watch.most)} at most"
            )
            if grown > GROWTH:
                raise Failed(f"{name}, by {framing}: memory grew by {mib(grown)}")
    with Watch(gateway.pid) as watch:
        slow_reader(gateway.port)
    say(f"  one who does not read 64 MB: memory {mib(watch.before)}, {mib(watch.most)} at most")
    if watch.most > watch.before + GROWTH:
        raise Failed(f"for one who does not read, memory grew by {mib(watch.most - watch.before)}")
    worst = {}
    for path in ("/events", "/pieces"):
        direct, through = frames(port, path), frames(gateway.port, path)
        worst[path] = percentile(through, 0.99) * 1000
        say(
            f"  {FRAMES} frames of {path}: p50 {percentile(through, 0.5) * 1000:.2f} ms, p99 {worst[path]:.2f} ms; "
            f"without the gateway {percentile(direct, 0.5) * 1000:.2f} and {percentile(direct, 0.99) * 1000:.2f}"
        )
        if percentile(through, 0.99) > percentile(direct, 0.99) + LATE:
            raise Failed(f"{path}: frames wait: p99 {worst[path]:.1f} ms")
    return (
        f"{SIZE >> 30} GB down and up, memory grew by {mib(most)} at most; "
        f"frames of event streams p99 {worst['/events']:.2f} ms, of others {worst['/pieces']:.2f} ms"
    )


def ask(port, line, fields=""):
    connection = socket.create_connection(("127.0.0.1", port), 60)
    head = f"{line} HTTP/1.1\r\nHost: a.example\r\nSec-Fetch-Dest: empty\r\nConnection: close\r\n{fields}\r\n"
    connection.sendall(head.encode())
    return connection


def head_of(connection):
    """The head of an answer, and what came with it of the body."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        if not piece:
            raise Failed(f"closed within a head: {got!r}")
        got += piece
    head, rest = got.split(b"\r\n\r\n", 1)
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise Failed(head.decode("latin-1"))
    return head.lower(), rest


def down(port, size, framing):
    connection = ask(port, f"GET /{'large' if framing == 'length' else 'chunks'}?{size}")
    head, rest = head_of(connection)
    if b"transfer-encoding: chunked" not in head:
        got = len(rest)
        buffer = bytearray(1 << 20)
        while count := connection.recv_into(buffer):
            got += count
        return got
    got, reader = 0, Reader(connection, rest)
    while length := int(reader.line().split(b";")[0], 16):
        reader.drop(length + 2)
        got += length
    return got


class Reader:
    """Lines and counted bytes of a connection."""

    def __init__(self, connection, rest):
        self.connection, self.rest = connection, rest

    def more(self):
        piece = self.connection.recv(1 << 20)
        if not piece:
            raise Failed("closed within a body")
        self.rest += piece

    def line(self):
        while b"\r\n" not in self.rest:
            self.more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line

    def drop(self, count):
        while count > len(self.rest):
            count -= len(self.rest)
            self.rest = b""
            self.more()
        self.rest = self.rest[count:]


def up(port, size, framing):
    piece = bytes(1 << 20)
    chunked = framing == "chunks"
    connection = ask(port, "POST /count", "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {size}\r\n")
    for _ in range(size >> 20):
        connection.sendall(b"%x\r\n" % len(piece) + piece + b"\r\n" if chunked else piece)
    if chunked:
        connection.sendall(b"0\r\n\r\n")
    head, rest = head_of(connection)
    while count := connection.recv(65536):
        rest += count
    return int(rest)


def slow_reader(port):
    connection = ask(port, f"GET /large?{64 << 20}")
    head_of(connection)
    time.sleep(3)
    connection.close()


def frames(port, path):
    """How long each frame took from the site to us, in seconds; both read one clock."""
    connection = ask(port, f"GET {path}?{FRAMES}")
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _, rest = head_of(connection)
    reader, took = Reader(connection, rest), []
    while length := int(reader.line(), 16):
        while len(reader.rest) < length + 2:
            reader.more()
        now = time.monotonic_ns()
        for event in reader.rest[:length].split(b"\n\n")[:-1]:
            took.append((now - int(event.removeprefix(b"data: "))) / 1e9)
        reader.rest = reader.rest[length + 2 :]
    if len(took) != FRAMES:
        raise Failed(f"{path}: {len(took)} of {FRAMES} frames")
    return took

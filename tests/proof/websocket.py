"""WebSockets by the `websockets` library, at both ends: messages of 1 MB, many at once, half-close; memory stays flat."""

import asyncio
import hashlib
import importlib
import os
import socket
import subprocess
import sys
import time

from parts import HERE, Failed, Gateway, Process, free_port, mib, resident, say, short_or_long, wait_for_port
from redbot import installed

MESSAGES = short_or_long(100, 2000)
MANY = short_or_long(200, 1000)
GROWTH = 48 << 20


def run(folder):
    python = installed("python")
    port = free_port()
    wait_for_port(folder.start(Process([python, HERE / "websocket.py", "serve", port], folder.path / "site.log")), port)
    gateway = folder.start(Gateway(folder.path / "gateway", port))
    subprocess.run([python, HERE / "websocket.py", "talk", str(gateway.port), "5", "20"], check=True)
    before = resident(gateway.pid)
    began = time.monotonic()
    ran = subprocess.run(
        [python, HERE / "websocket.py", "talk", str(gateway.port), str(MESSAGES), str(MANY)], capture_output=True, text=True
    )
    took = time.monotonic() - began
    if ran.returncode != 0:
        raise Failed(ran.stderr[-2000:])
    after = resident(gateway.pid)
    say(
        f"  {MESSAGES} messages of 1 MB there and back, {MANY} sockets at once, in {took:.1f} s; memory {mib(before)}, then {mib(after)}"
    )
    if after > before + GROWTH:
        raise Failed(f"memory: {mib(before)} before, {mib(after)} after")
    half_close(folder)
    return f"{MESSAGES} messages of 1 MB, {MANY} at once, half-close in both directions; memory {mib(before)}, then {mib(after)}"


def half_close(folder):
    """Bytes still come after one side has said everything, whichever it is."""
    site = socket.create_server(("127.0.0.1", 0))
    gateway = folder.start(Gateway(folder.path / "half", site.getsockname()[1]))
    for visitor_first in (True, False):
        visitor = socket.create_connection(("127.0.0.1", gateway.port), 20)
        visitor.sendall(b"GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        other, _ = site.accept()
        other.settimeout(20)
        until(other, b"\r\n\r\n")
        other.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        until(visitor, b"\r\n\r\n")
        first, second = (visitor, other) if visitor_first else (other, visitor)
        first.sendall(b"the last word of the first")
        first.shutdown(socket.SHUT_WR)
        if until(second, None) != b"the last word of the first":
            raise Failed("what was said before half a tunnel closed is not what arrived")
        words = os.urandom(1 << 20)
        second.sendall(words)
        second.shutdown(socket.SHUT_WR)
        if until(first, None) != words:
            raise Failed("what was said after half a tunnel closed did not arrive")
        visitor.close()
        other.close()


def until(connection, end):
    got = b""
    while not (end and got.endswith(end)):
        piece = connection.recv(65536)
        if not piece:
            break
        got += piece
    return got


async def serve(port):
    server = importlib.import_module("websockets.asyncio.server")

    async def echo(connection):
        async for message in connection:
            await connection.send(message)

    async with server.serve(echo, "127.0.0.1", port, max_size=4 << 20, compression=None, ping_interval=None):
        await asyncio.Future()


async def talk(port, messages, many):
    client = importlib.import_module("websockets.asyncio.client")
    more = {"max_size": 4 << 20, "compression": None, "ping_interval": None}
    message = os.urandom(1 << 20)
    digest = hashlib.sha256(message).digest()
    async with client.connect(f"ws://127.0.0.1:{port}/ws", **more) as connection:
        for _ in range(messages):
            await connection.send(message)
            assert hashlib.sha256(await connection.recv()).digest() == digest, "a message came back otherwise"

    async def one(number):
        async with client.connect(f"ws://127.0.0.1:{port}/ws", open_timeout=60, **more) as connection:
            for at in range(20):
                await connection.send(f"{number} {at}")
                assert await connection.recv() == f"{number} {at}", "messages are mixed up"

    await asyncio.gather(*(one(number) for number in range(many)))


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    asyncio.run({"serve": serve, "talk": talk}[what](*map(int, numbers)))

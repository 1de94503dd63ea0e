#!/usr/bin/env python3
"""The site behind the gateway, for proofs that need one which does much: `site.py PORT`.

/page             HTML with cookies, ETag and validators
/cached.css       what any cache may keep
/large?BYTES      so many bytes, of announced length; /chunks?BYTES the same in chunks
/events?N         a stream of N server-sent events, each with the moment it was sent; /pieces?N the same in chunks
/count            answers how many bytes the request's body had
/tunnel           switches protocols and echoes bytes
/slow?MS          answers after some time
anything else     a small text
"""

import asyncio
import signal
import sys
import time

PIECE = bytes(range(256)) * 1024
HTML = (
    b"<!doctype html><html lang=en><head><meta charset=utf-8><title>A page</title></head>"
    b"<body><h1>A page</h1>" + b"<p>Of the site.</p>" * 400 + b"</body></html>\n"
)
STYLE = b"body { margin: 0 }\n"


async def serve(reader, writer):
    try:
        while await answer(reader, writer):
            pass
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
        pass
    finally:
        writer.close()


async def answer(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")[:-2]
    method, target, _ = line.split(" ", 2)
    fields = dict((name.strip().lower(), value.strip()) for name, value in (f.split(":", 1) for f in fields))
    path, _, query = target.partition("?")
    count = number(query)
    if path == "/tunnel" and fields.get("upgrade"):
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
        while piece := await reader.read(65536):
            writer.write(piece)
            await writer.drain()
        return False
    size = await body(reader, fields)
    if path == "/count":
        whole(writer, method, b"%d" % size)
    elif path == "/page":
        if fields.get("if-none-match") == '"v1"':
            writer.write(b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nCache-Control: public, max-age=60\r\n\r\n')
        else:
            more = 'Content-Type: text/html; charset=utf-8\r\nETag: "v1"\r\nCache-Control: public, max-age=60\r\nSet-Cookie: session=1; Path=/\r\n'
            whole(writer, method, HTML, more)
    elif path == "/cached.css":
        if fields.get("if-none-match") == '"s1"' or fields.get("if-modified-since") == DATE:
            writer.write(
                f'HTTP/1.1 304 Not Modified\r\nDate: {now()}\r\nETag: "s1"\r\nCache-Control: public, max-age=600\r\n\r\n'.encode()
            )
        else:
            begin, end = ranged(fields.get("range"), len(STYLE))
            more = f'Content-Type: text/css\r\nETag: "s1"\r\nLast-Modified: {DATE}\r\nCache-Control: public, max-age=600\r\nAccept-Ranges: bytes\r\nDate: {now()}\r\n'
            if (begin, end) == (0, len(STYLE)):
                whole(writer, method, STYLE, more)
            else:
                more += f"Content-Range: bytes {begin}-{end - 1}/{len(STYLE)}\r\n"
                whole(writer, method, STYLE[begin:end], more, "206 Partial Content")
    elif path == "/large":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nContent-Length: %d\r\n\r\n" % count)
        while count > 0:
            writer.write(PIECE[:count])
            count -= len(PIECE)
            await writer.drain()
    elif path == "/chunks":
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/zip\r\nTransfer-Encoding: chunked\r\n\r\n")
        while count > 0:
            piece = PIECE[: min(count, len(PIECE))]
            writer.write(b"%x\r\n" % len(piece) + piece + b"\r\n")
            count -= len(piece)
            await writer.drain()
        writer.write(b"0\r\n\r\n")
    elif path in ("/events", "/pieces"):
        kind = b"text/event-stream" if path == "/events" else b"application/octet-stream"
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % kind)
        for _ in range(count):
            event = b"data: %d\n\n" % time.monotonic_ns()
            writer.write(b"%x\r\n" % len(event) + event + b"\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)
        writer.write(b"0\r\n\r\n")
    else:
        if path == "/slow":
            await asyncio.sleep(count / 1000)
        whole(writer, method, b"A small answer.\n")
    await writer.drain()
    return fields.get("connection", "").lower() != "close"


DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


def now():
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())


def ranged(field, size):
    """The one range that is asked for, or all."""
    begin, dash, end = (field or "").removeprefix("bytes=").partition("-")
    if not dash or "," in end or not begin.isdigit() or int(begin) >= size:
        return 0, size
    return int(begin), min(int(end) + 1, size) if end.isdigit() else size


def number(text):
    digits = text.split("&")[0]
    return int(digits) if digits.isdigit() else 0


def whole(writer, method, content, more="Content-Type: text/plain\r\n", status="200 OK"):
    writer.write(f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(content)}\r\n\r\n".encode())
    if method != "HEAD":
        writer.write(content)


async def body(reader, fields):
    """Reads a request's body and gives its length."""
    size = 0
    if fields.get("transfer-encoding") == "chunked":
        while length := int((await reader.readuntil(b"\r\n")).strip(), 16):
            await drop(reader, length + 2)
            size += length
        await reader.readexactly(2)
        return size
    size = int(fields.get("content-length", 0))
    await drop(reader, size)
    return size


async def drop(reader, count):
    while count > 0:
        piece = await reader.read(min(count, 1 << 20))
        if not piece:
            raise ConnectionError("it broke off")
        count -= len(piece)


async def main(port):
    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=1 << 20, backlog=1024, reuse_address=True)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, lambda: sys.exit(0))
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1])))
    except SystemExit:
        pass

"""Mixed traffic with faults: pages, assets, beacons, WebSockets, uploads, visitors who break off and visitors who read slowly,
while the site is killed and comes back, the database is killed, and the configuration is loaded anew.

Nothing is answered with 4xx or 5xx but while the site is away, no exchange breaks off that was not broken off, and when the traffic
has ended memory and descriptors are what they were after the warm-up.
"""

import asyncio
import collections
import http.client
import os
import random
import signal
import subprocess
import sys
import time

from parts import (
    BINARY,
    HERE,
    Failed,
    Gateway,
    Process,
    children,
    descriptors,
    free_port,
    mib,
    percentile,
    resident,
    say,
    short_or_long,
    wait_for_port,
)

SECONDS = int(os.environ.get("SOAK_SECONDS", short_or_long(20, 1800)))
# Of the gateway alone: buffers of the spool and of a batch that is shipped, and what the allocator keeps.
GROWTH = 64 << 20
# After the site is back, what was tried meanwhile may still fail for so long.
AFTERWARDS = 0.3
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


class Book:
    """What came of everything."""

    def __init__(self):
        self.counts = collections.Counter()
        self.wrong = []
        self.took = []
        self.site_away = False
        self.site_back_at = 0.0
        self.ends = False

    def excused(self, began):
        """Whether the site was away at any time since then."""
        return self.site_away or began < self.site_back_at + AFTERWARDS

    def note(self, what, began, status=None, error=None):
        if error is None and status < 400:
            self.counts[what] += 1
            return
        if self.excused(began):
            self.counts["while the site was away"] += 1
            return
        self.wrong.append(f"{what}: {status or repr(error)}")


class Connection:
    def __init__(self, port, reader, writer):
        self.port, self.reader, self.writer = port, reader, writer

    @classmethod
    async def open(cls, port):
        return cls(port, *await asyncio.open_connection("127.0.0.1", port, limit=1 << 20))

    async def ask(self, line, fields="", body=b""):
        """Status and length of the body of a whole answer."""
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        head = f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nUser-Agent: {AGENT}\r\n{fields}{length}\r\n"
        self.writer.write(head.encode() + body)
        status, fields = await self.head()
        size = 0
        if not line.startswith("HEAD") and status not in (204, 304):
            if fields.get("transfer-encoding") == "chunked":
                while count := int(await self.reader.readuntil(b"\r\n"), 16):
                    await self.reader.readexactly(count + 2)
                    size += count
                await self.reader.readexactly(2)
            else:
                size = int(fields["content-length"])
                await self.reader.readexactly(size)
        return status, size, fields

    async def head(self):
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        fields = {name.lower(): value.strip() for name, value in (line.split(":", 1) for line in lines[1:])}
        return int(lines[0].split()[1]), fields

    def close(self):
        self.writer.close()


async def keeps_asking(book, port, what, exchange, pause):
    """One visitor with one connection, made anew when it ends."""
    connection = None
    while not book.ends:
        began = time.monotonic()
        try:
            connection = connection or await Connection.open(port)
            status, closes = await asyncio.wait_for(exchange(connection), 60)
            book.note(what, began, status)
            book.took.append(time.monotonic() - began)
            if closes:
                connection.close()
                connection = None
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            book.note(what, began, error=error)
            if connection:
                connection.close()
            connection = None
        await asyncio.sleep(pause * random.uniform(0.5, 1.5))
    if connection:
        connection.close()


def closes(fields):
    return fields.get("connection", "").lower() == "close"


def exchanges(cookies):
    """What visitors do, by name: the exchange, how many do it, seconds between two."""
    navigates = f"Accept: text/html\r\nSec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: none\r\nCookie: {cookies}\r\n"
    fetches = "Accept: */*\r\nSec-Fetch-Dest: style\r\n"

    async def page(connection):
        status, size, fields = await connection.ask("GET /page", navigates)
        return (status if size > 5000 or status >= 400 else 599), closes(fields)

    async def stranger(connection):
        status, _, fields = await connection.ask("GET /page", "Accept: text/html\r\n")
        return status, closes(fields)

    async def asset(connection):
        line, more = random.choice(
            [
                ("GET /cached.css", ""),
                ("GET /cached.css", 'If-None-Match: "s1"\r\n'),
                ("HEAD /cached.css", ""),
                ("GET /cached.css", "Range: bytes=2-5\r\n"),
                ("GET /chunks?30000", ""),
            ]
        )
        status, _, fields = await connection.ask(line, fetches + more)
        return status, closes(fields)

    async def beacon(connection):
        event = f'{{"n":"Soak","u":"/page","i":"{random.getrandbits(64):016x}"}}'
        body = f'{{"v":1,"events":[{event}]}}'.encode()
        fields = f"Sec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nCookie: {cookies}\r\n"
        status, _, fields = await connection.ask("POST /_privacy/events", fields, body)
        # Kept, or not at all.
        return (status if status in (204, 503) else 599), closes(fields)

    async def upload(connection):
        size = random.choice([1, 1000, 100_000, 1_000_000])
        status, _, fields = await connection.ask("POST /count", fetches, bytes(size))
        return status, closes(fields)

    async def talks(connection):
        connection.writer.write(b"GET /tunnel HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        status, _ = await connection.head()
        if status != 101:
            return status, True
        for _ in range(10):
            words = random.randbytes(random.choice([10, 1000, 50_000]))
            connection.writer.write(words)
            if await connection.reader.readexactly(len(words)) != words:
                return 599, True
            await asyncio.sleep(0.02)
        return status, True

    async def breaks_off(connection):
        if random.random() < 0.5:
            connection.writer.write(b"GET /large?50000000 HTTP/1.1\r\nHost: a.example\r\nSec-Fetch-Dest: image\r\n\r\n")
            await connection.reader.readexactly(100_000)
        else:
            connection.writer.write(
                b"POST /count HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5000000\r\n\r\n" + bytes(100_000)
            )
            await asyncio.sleep(0.05)
        connection.writer.transport.abort()
        return 200, True

    async def reads_slowly(connection):
        connection.writer.write(
            b"GET /large?2000000 HTTP/1.1\r\nHost: a.example\r\nSec-Fetch-Dest: image\r\nConnection: close\r\n\r\n"
        )
        status, fields = await connection.head()
        left = int(fields["content-length"])
        while left > 0:
            left -= len(await connection.reader.readexactly(min(left, 100_000)))
            await asyncio.sleep(0.05)
        return status, True

    return {
        "pages": (page, 4, 0.02),
        "strangers": (stranger, 2, 0.03),
        "assets": (asset, 6, 0.01),
        "beacons": (beacon, 4, 0.02),
        "uploads": (upload, 2, 0.05),
        "websockets": (talks, 3, 0.1),
        "broken off": (breaks_off, 2, 0.1),
        "slow readers": (reads_slowly, 4, 0.1),
    }


class Faults:
    """What goes wrong, one after the other."""

    def __init__(self, folder, book, gateway, site_port):
        self.folder, self.book, self.gateway, self.site_port = folder, book, gateway, site_port
        self.site = self.start_site()
        self.done = collections.Counter()

    def start_site(self):
        site = self.folder.start(Process([sys.executable, HERE / "site.py", self.site_port], self.folder.path / "site.log"))
        wait_for_port(site, self.site_port)
        return site

    async def site_is_killed(self):
        self.book.site_away = True
        self.site.stop(signal.SIGKILL)
        await asyncio.sleep(1)
        self.site = await asyncio.to_thread(self.start_site)
        self.book.site_away, self.book.site_back_at = False, time.monotonic()
        self.done["the site killed"] += 1

    async def database_is_killed(self):
        for child in children(self.gateway.pid):
            os.kill(child, signal.SIGKILL)
        self.done["the database killed"] += 1

    async def reload(self):
        ran = await asyncio.to_thread(
            subprocess.run, [BINARY, "reload", "--config", self.gateway.config], capture_output=True, text=True
        )
        if ran.returncode != 0:
            self.book.wrong.append(f"reload: {ran.stderr[-500:]}")
        self.done["the configuration loaded anew"] += 1

    async def happen(self):
        faults = [self.site_is_killed, self.database_is_killed]
        if subprocess.run([BINARY, "reload", "--help"], capture_output=True).returncode == 0:
            faults.append(self.reload)
        pause = short_or_long(3.0, 10.0)
        while not self.book.ends:
            for fault in faults:
                await asyncio.sleep(pause)
                if self.book.ends:
                    return
                await fault()


def accepts(port):
    """The cookies of a visitor who has accepted and seen a page."""
    origin = f"http://127.0.0.1:{port}"
    cookies = {}
    for method, path, body in (("POST", "/_privacy/consent", "source=banner&choice=accept"), ("GET", "/page", None)):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        headers = {"Origin": origin, "Sec-Fetch-Site": "same-origin", "User-Agent": AGENT, "Accept": "text/html"}
        headers |= {"Content-Type": "application/x-www-form-urlencoded"} if body else {}
        headers |= {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())} if cookies else {}
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        answer.read()
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                name, value = value.split(";")[0].split("=", 1)
                cookies[name] = value
    if "consentry" not in cookies:
        raise Failed(f"no choice was kept: {cookies}")
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


async def traffic(book, port, cookies, seconds, faults=None):
    book.ends = False
    tasks = [
        asyncio.create_task(keeps_asking(book, port, name, exchange, pause))
        for name, (exchange, count, pause) in exchanges(cookies).items()
        for _ in range(count)
    ]
    happening = asyncio.create_task(faults.happen()) if faults else None
    await asyncio.sleep(seconds)
    book.ends = True
    if happening:
        await happening
    await asyncio.gather(*tasks)


def run(folder):
    port = free_port()
    declared = '[[cookie]]\nname = "session*"\npurpose = "necessary"\n'
    gateway = folder.start(Gateway(folder.path / "gateway", port, more=declared, embedded=True))
    book = Book()
    faults = Faults(folder, book, gateway, port)
    cookies = accepts(gateway.port)
    asyncio.run(traffic(book, gateway.port, cookies, short_or_long(4, 60)))
    time.sleep(2)
    memory, open_files = resident(gateway.pid), descriptors(gateway.pid)
    asyncio.run(traffic(book, gateway.port, cookies, SECONDS, faults))
    if not gateway.runs():
        raise Failed(f"the gateway ended:\n{gateway.said()[-3000:]}")
    deadline = time.monotonic() + 60
    while (resident(gateway.pid) > memory + GROWTH or descriptors(gateway.pid) > open_files + 20) and time.monotonic() < deadline:
        time.sleep(0.5)
    memory_after, files_after = resident(gateway.pid), descriptors(gateway.pid)
    did = ", ".join(f"{count} {what}" for what, count in sorted(book.counts.items()))
    say(f"  {did}")
    say(f"  faults: {', '.join(f'{count} times {what}' for what, count in faults.done.items())}")
    say(
        f"  p50 {percentile(book.took, 0.5) * 1000:.1f} ms, p99 {percentile(book.took, 0.99) * 1000:.1f} ms, of all, slow ones too"
    )
    say(f"  memory {mib(memory)}, then {mib(memory_after)}; descriptors {open_files}, then {files_after}")
    if book.wrong:
        tail = "\n".join(gateway.said().splitlines()[-15:])
        raise Failed(
            f"{len(book.wrong)} went wrong while the site was there: {collections.Counter(book.wrong).most_common(8)}\n{tail}"
        )
    idle = [name for name in exchanges("") if book.counts[name] == 0]
    if idle:
        raise Failed(f"no {', '.join(idle)} came to an end")
    if memory_after > memory + GROWTH:
        raise Failed(f"memory: {mib(memory)} after the warm-up, {mib(memory_after)} at the end")
    if files_after > open_files + 20:
        raise Failed(f"descriptors: {open_files} after the warm-up, {files_after} at the end")
    if "panicked" in gateway.said():
        raise Failed(f"something panicked:\n{gateway.said()[-3000:]}")
    total = sum(book.counts.values())
    return f"{SECONDS} s, {total} exchanges, {sum(faults.done.values())} faults, none wrong; memory {mib(memory)}, then {mib(memory_after)}; descriptors {open_files}, then {files_after}"

"""Thousands of connections that have asked once and do nothing, without and with TLS: what each takes of memory, that all of
them are still served, and that others notice nothing."""

import resource
import socket
import ssl
import subprocess
import sys
import time

from parts import HERE, Failed, Gateway, Process, descriptors, free_port, mib, resident, say, short_or_long, wait_for_port
from visitors import Visitors

COUNT = 10_000
# A handshake costs the client more than the gateway, and this client is one thread of Python.
TLS_COUNT = short_or_long(2_000, 10_000)
# Bytes for one connection, the kernel's not counted; a build without optimisation takes more than one with.
AT_MOST = {"plain": 40 << 10, "TLS": 96 << 10}

REQUEST = b"GET /a HTTP/1.1\r\nHost: a.example\r\nSec-Fetch-Dest: image\r\n\r\n"


def run(folder):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = COUNT + 2000
    if soft < need:
        if hard < need:
            raise Failed(f"this needs {need} descriptors, and the system gives {hard} (ulimit -n)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    port = free_port()
    wait_for_port(folder.start(Process([sys.executable, HERE / "site.py", port], folder.path / "site.log")), port)
    tls = '[gateway.tls]\nlisten = "127.0.0.1:0"\n[[gateway.tls.certificate]]\ncertificate = "cert.pem"\nkey = "key.pem"\n'
    limits = 'max_connections = 12_000\nmax_connections_per_address = 12_000\nhead_timeout = "10 minutes"\nkeep_alive = "10 minutes"\n'
    said = []
    for kind, count in (("plain", COUNT), ("TLS", TLS_COUNT)):
        # One of its own for each: what the first gave back would serve the second.
        work = folder.path / kind
        work.mkdir()
        certificate(work)
        gateway = folder.start(Gateway(work, port, limits=limits, more=tls))
        where, context = gateway.port, None
        if kind == "TLS":
            where, context = gateway.tls, ssl.create_default_context(cafile=work / "cert.pem")
        for _ in range(200):
            connect(where, context).close()
        time.sleep(2)
        before, open_before = resident(gateway.pid), descriptors(gateway.pid)
        began = time.monotonic()
        connections = [connect(where, context) for _ in range(count)]
        took = time.monotonic() - began
        time.sleep(2)
        after = resident(gateway.pid)
        each = (after - before) / count
        with Visitors(gateway.port) as others:
            time.sleep(3)
        if others.wrong:
            raise Failed(f"beside {count} connections: {others.wrong[0]}")
        # Each is still there, and is still served.
        for connection in connections[:: max(1, count // 500)]:
            ask(connection)
        say(
            f"  {count} {kind}, opened in {took:.1f} s: {mib(before)}, then {mib(after)}: {each / 1024:.1f} KiB each; others: {others}"
        )
        if each > AT_MOST[kind]:
            raise Failed(f"{each / 1024:.1f} KiB for an idle {kind} connection; at most {AT_MOST[kind] // 1024} are promised")
        for connection in connections:
            connection.close()
        deadline = time.monotonic() + 30
        while descriptors(gateway.pid) > open_before + 50:
            if time.monotonic() > deadline:
                raise Failed(f"{descriptors(gateway.pid)} descriptors are open, {open_before} were")
            time.sleep(0.1)
        said.append(f"{count} {kind} {each / 1024:.1f} KiB each, then {mib(resident(gateway.pid))}")
        gateway.stop()
    return "; ".join(said)


def connect(port, context):
    connection = socket.create_connection(("127.0.0.1", port), 30)
    if context:
        connection = context.wrap_socket(connection, server_hostname="localhost")
    ask(connection)
    return connection


def ask(connection):
    connection.sendall(REQUEST)
    got = b""
    while not got.endswith(b"A small answer.\n"):
        piece = connection.recv(4096)
        if not piece:
            raise Failed(f"closed: {got!r}")
        got += piece


def certificate(work):
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    command += [
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=DNS:localhost",
        "-keyout",
        work / "key.pem",
        "-out",
        work / "cert.pem",
    ]
    subprocess.run([str(word) for word in command], check=True, capture_output=True)
    (work / "key.pem").chmod(0o600)

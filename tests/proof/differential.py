"""One request, one meaning: the same bytes sent through the gateway to five servers, which must all understand the same.

Behind the gateway stand nginx, Apache and HAProxy, each passing on what it understood to a recorder, and the servers of Node
and Python, which record themselves. A payload holds where every server saw the same requests - method, target, host, fields and
body - or where the gateway refused it before any did. A server may refuse what another takes, as Node does with some
targets; it may not understand it in another way. The same is then sent to the five without the gateway, for comparison.
"""

import json
import os
import re
import shutil
import socket
import threading
import time

from parts import HERE, Failed, Gateway, Process, free_port, say, wait_for_port
from payloads import payloads

# What each server does with its own connection, or adds of itself; and the id, which is another one for each request.
OWN = {
    "x-request-id",
    "connection",
    "keep-alive",
    "te",
    "via",
    "content-length",
    "transfer-encoding",
    "accept-encoding",
    "expect",
    "max-forwards",
    "proxy-connection",
    "upgrade",
}
SERVERS = ["nginx", "Apache", "HAProxy", "Node", "Python"]


class Server:
    """One of the five, with the gateway in front of it."""

    def __init__(self, name, folder):
        self.name = name
        work = folder.path / name
        work.mkdir()
        self.file = work / "seen"
        self.file.touch()
        self.place = 0
        port, behind = free_port(), free_port()
        if name in ("nginx", "Apache", "HAProxy"):
            self.start(folder, ["python3", HERE / "recorder.py", "strict", behind, self.file], behind, work / "recorder.log")
            self.start(
                folder, {"nginx": nginx, "Apache": apache, "HAProxy": haproxy}[name](work, port, behind), port, work / "log"
            )
        elif name == "Node":
            self.start(folder, ["node", HERE / "recorder.mjs", port, self.file], port, work / "log")
        else:
            self.start(folder, ["python3", HERE / "recorder.py", "http.server", port, self.file], port, work / "log")
        self.port = port
        self.gateway = folder.start(
            Gateway(work / "gateway", port, more='[[cookie]]\nname = "session*"\npurpose = "necessary"\n')
        )

    def start(self, folder, command, port, log):
        wait_for_port(folder.start(Process(command, log)), port)

    def ask(self, port, payload, patience):
        """What the server saw of a payload, and which statuses came back."""
        statuses = re.findall(rb"HTTP/1\.[01] (\d{3})", exchange(port, payload, patience))
        # What the server is asked next it sees next.
        exchange(self.port, b"GET /next HTTP/1.1\r\nHost: next\r\nConnection: close\r\n\r\n", 5)
        deadline = time.monotonic() + 5
        while True:
            with open(self.file) as file:
                file.seek(self.place)
                text = file.read()
            seen = [json.loads(line) for line in text.splitlines()]
            if any(one["target"] == "/next" for one in seen):
                break
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} does not answer any more")
            time.sleep(0.005)
        self.place += len(text.encode())
        return [meaning(one) for one in seen if one["target"] != "/next"], [
            int(status) for status in statuses if status != b"100"
        ]


    def forget(self):
        """What comes late of a payload that was not waited for is not the next one's."""
        self.place = self.file.stat().st_size


def meaning(seen):
    """What of a request must be the same for all, fields of one name joined."""
    fields = {}
    for name, value in seen["fields"]:
        if name not in OWN:
            fields.setdefault(name, []).append(value.strip(" \t"))
    fields = {name: ", ".join(values) for name, values in fields.items()}
    # Python's server takes several slashes at the beginning of a path for one, lest they be taken for a host.
    target = re.sub("^/+", "/", seen["target"])
    return {"method": seen["method"], "target": target, "fields": fields, "body": seen["body"]}


def exchange(port, payload, patience):
    """Sends it all and reads until the other side closes or has said nothing for `patience` seconds."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        sender = threading.Thread(target=send, args=(connection, payload), daemon=True)
        sender.start()
        connection.settimeout(patience)
        try:
            while piece := connection.recv(65536):
                got += piece
        except OSError:
            pass
    sender.join()
    return got


def send(connection, payload):
    try:
        connection.sendall(payload)
    except OSError:
        # Refused before it was there.
        pass


def verdict(seen):
    """Of what the servers saw of one payload, by name: (same | refused | some refused | differs, who)."""
    all_requests = {name: requests for name, (requests, _) in seen.items()}
    longest = max(all_requests.values(), key=len)
    if not longest:
        return "refused", []
    refusing = []
    for name, requests in all_requests.items():
        if requests == longest:
            continue
        statuses = seen[name][1]
        missing = len(longest) - len(requests)
        rest = iter(longest)
        in_order = all(any(one == other for other in rest) for one in requests)
        if in_order and missing <= sum(status >= 400 for status in statuses):
            refusing.append(name)
        elif in_order and answered_itself(name, longest, statuses):
            refusing.append(name)
        else:
            return "differs", [name]
    return ("some refused", refusing) if refusing else ("same", [])


def answered_itself(name, requests, statuses):
    """Apache answers some methods of its own accord."""
    return name == "Apache" and any(one["target"] == "*" for one in requests) and len(statuses) > 0


def run(folder):
    for program in ("nginx", "apache2", "haproxy", "node"):
        if not shutil.which(program):
            raise Failed(f"{program} is missing; `make proof` installs it")
    servers = [Server(name, folder) for name in SERVERS]
    everything = payloads()
    through = compare(servers, everything, lambda server: server.gateway.port)
    direct = compare(servers, everything, lambda server: server.port)
    wrong = [name for name, (kind, _, _) in through.items() if kind == "differs"]
    table = {kind: sum(one == kind for one, _, _ in through.values()) for kind in ("same", "some refused", "refused", "differs")}
    without = sum(kind == "differs" for kind, _, _ in direct.values())
    say(f"  {'':32} through the gateway   without it")
    for kind, what in {
        "same": "all five understand the same",
        "some refused": "some refuse, the others agree",
        "refused": "refused, nobody sees it",
        "differs": "understood in several ways",
    }.items():
        say(f"  {what:32} {table[kind]:8}  {sum(one == kind for one, _, _ in direct.values()):18}")
    by_server = {name: sum(name in who for kind, who, _ in through.values() if kind == "some refused") for name in SERVERS}
    say("  who refuses what others take: " + ", ".join(f"{name} {count}" for name, count in by_server.items()))
    if os.environ.get("VERBOSE") == "1":
        for name, (kind, who, seen) in through.items():
            say(f"    {kind:14} {name:50} {' '.join(who)} {seen['nginx'][1]}")
    if wrong:
        shown = "\n".join(f"  {name}: {through[name][1]}\n    {shorten(through[name][2])}" for name in wrong)
        raise Failed(f"{len(wrong)} of {len(everything)} payloads are understood in several ways:\n{shown}")
    return f"{len(everything)} payloads, none understood in two ways ({without} without the gateway)"


def shorten(seen):
    return "\n    ".join(f"{name}: {json.dumps(requests)[:400]} {statuses}" for name, (requests, statuses) in seen.items())


def compare(servers, everything, port):
    """Sends all payloads, each to all servers at once; what comes out otherwise is asked again with more patience."""
    results = {}
    for name, payload in everything:
        for patience in (0.1, 1):
            seen = {}
            threads = [
                threading.Thread(
                    target=lambda server=server: seen.update({server.name: server.ask(port(server), payload, patience)})
                )
                for server in servers
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            if len(seen) < len(servers):
                raise Failed(f"after {name!r} only {', '.join(seen)} answer")
            kind, who = verdict(seen)
            if kind != "differs":
                break
            time.sleep(0.3)
            for server in servers:
                server.forget()
        results[name] = (kind, who, seen)
    return results


def nginx(work, port, behind):
    temporary = "".join(f"{kind}_temp_path {work}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    user = "user root;" if os.geteuid() == 0 else ""
    config = work / "nginx.conf"
    config.write_text(
        f"""{user} daemon off; worker_processes 1; pid {work}/pid; events {{ }}
        http {{ access_log off; merge_slashes off; large_client_header_buffers 8 256k; client_max_body_size 0; {temporary}
            server {{ listen 127.0.0.1:{port}; underscores_in_headers on; ignore_invalid_headers off;
                location / {{ proxy_pass http://127.0.0.1:{behind}; proxy_http_version 1.1; proxy_set_header Host $http_host; }} }} }}"""
    )
    return ["nginx", "-c", config, "-e", work / "error.log"]


def apache(work, port, behind):
    user = "User www-data\nGroup www-data" if os.geteuid() == 0 else ""
    modules = "".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n"
        for name in ("mpm_event", "authz_core", "proxy", "proxy_http")
    )
    config = work / "apache.conf"
    config.write_text(
        f"""{modules}ServerRoot {work}\nServerName a.example\nPidFile {work}/pid\nErrorLog {work}/error.log\nListen 127.0.0.1:{port}\n{user}
        AllowEncodedSlashes NoDecode\nMergeSlashes Off\nLimitRequestLine 100000\nLimitRequestFieldSize 200000\nProxyPreserveHost On\nProxyAddHeaders Off
        ProxyPass / http://127.0.0.1:{behind}/ nocanon\n"""
    )
    return ["apache2", "-f", config, "-D", "FOREGROUND"]


def haproxy(work, port, behind):
    config = work / "haproxy.cfg"
    config.write_text(
        f"""global\n  tune.bufsize 131072\ndefaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s
frontend in\n  bind 127.0.0.1:{port}\n  default_backend out\nbackend out\n  server one 127.0.0.1:{behind}\n"""
    )
    return ["haproxy", "-db", "-f", config]

"""The parts: an nginx with pages, nginx and HAProxy as proxies, the gateway. Each knows its port and the processes to be counted."""

import http.client
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import time

CPUS = sorted(os.sched_getaffinity(0))
PROXY_CPU = CPUS[:1]
UPSTREAM_CPU = CPUS[1:2] or CPUS
LOAD_CPU = CPUS[2:3] or UPSTREAM_CPU

# What a browser sends when a link is followed.
BROWSER = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Accept-Language": "en-GB,en;q=0.9",
    "Upgrade-Insecure-Requests": "1",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
    "Sec-Fetch-Dest": "document",
}

# What it sends for a style sheet of that page.
ASSET = {
    **{name: value for name, value in BROWSER.items() if name not in ("Upgrade-Insecure-Requests", "Sec-Fetch-User")},
    "Accept": "text/css,*/*;q=0.1",
    "Sec-Fetch-Mode": "no-cors",
    "Sec-Fetch-Dest": "style",
}

# A kind of file each comparison is about, and what a browser sends for one.
FILES = {"pass-through": ("css", ASSET), "full": ("html", BROWSER), "gating": ("tags.html", BROWSER)}

# Third-party tags of a purpose that is refused where tags are gated.
HEAD_TAGS = '<script async src="https://ads.example/tag.js"></script>\n'
BODY_TAGS = '<img src="https://ads.example/pixel.gif" alt="" width="1" height="1">\n'

SNIPPET = '<script src="/_privacy/collector.js" defer></script>'


class Process:
    """A started program; `pids` are the processes whose time counts, `databases` those of its database, told apart."""

    def __init__(self, name, port, popen, pids, databases=lambda pid: []):
        self.name, self.port, self.popen, self._pids, self._databases = name, port, popen, pids, databases

    def pids(self):
        return self._pids(self.popen.pid)

    def databases(self):
        return self._databases(self.popen.pid)

    def stop(self):
        self.popen.terminate()
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()


def start_upstream(folder, pages):
    root = folder / "pages"
    root.mkdir()
    for size in pages:
        for kind, _ in FILES.values():
            (root / f"{size}.{kind}").write_text(page(size * 1024, kind))
    port = free_port()
    config = nginx_config(
        folder / "upstream",
        f"server {{ listen 127.0.0.1:{port} reuseport; root {root}; access_log off; etag on; }}",
    )
    return start_nginx(config, "upstream", port, UPSTREAM_CPU)


def start_nginx_proxy(folder, name, upstream_port, rich, prefix=()):
    port = free_port()
    work = folder / name.replace(" ", "-")
    log = ""
    if rich:
        fields = {
            "time": "$msec", "ip": "$remote_addr", "host": "$host", "path": "$request_uri", "status": "$status",
            "bytes": "$body_bytes_sent", "agent": "$http_user_agent", "referrer": "$http_referer",
            "language": "$http_accept_language",
        }
        log = f"log_format event escape=json '{json.dumps(fields)}';"
        extra = (
            f"access_log {work}/access.log event buffer=64k flush=1s; proxy_set_header Accept-Encoding ''; "
            f"sub_filter '</head>' '{SNIPPET}</head>'; sub_filter_once on;"
        )
    else:
        extra = "access_log off;"
    config = nginx_config(
        work,
        f"""{log}
        upstream site {{ server 127.0.0.1:{upstream_port}; keepalive 512; keepalive_requests 1000000000; }}
        server {{
            listen 127.0.0.1:{port} reuseport;
            location / {{
                proxy_pass http://site;
                proxy_http_version 1.1;
                proxy_set_header Connection '';
                proxy_buffer_size 16k;
                proxy_buffers 8 32k;
                {extra}
            }}
        }}""",
    )
    return start_nginx(config, name, port, PROXY_CPU, prefix)


def start_haproxy(folder, upstream_port):
    """One thread, and buffers that take a whole page, as nginx's do."""
    port = free_port()
    work = folder / "haproxy"
    work.mkdir()
    config = work / "haproxy.cfg"
    config.write_text(
        f"""global
    nbthread 1
    maxconn 4096
    tune.bufsize 65536
defaults
    mode http
    timeout connect 5s
    timeout client 60s
    timeout server 60s
    http-reuse always
listen site
    bind 127.0.0.1:{port}
    server site 127.0.0.1:{upstream_port}
"""
    )
    log = open(work / "log", "w")
    popen = start(["haproxy", "-db", "-f", str(config)], PROXY_CPU, stdout=log, stderr=log)
    wait_until_open(popen, port, work / "log", patience=30)
    return Process("HAProxy", port, popen, lambda pid: [pid])


def start_gateway(folder, binary, upstream_port, prefix=()):
    port = free_port()
    work = folder / "gateway"
    work.mkdir()
    clickhouse = os.environ.get("CLICKHOUSE_URL")
    config = work / "consentry.toml"
    # The geo database is left out: every request here comes from a loopback address, which has no country.
    config.write_text(
        f"""data_dir = "{work}/data"
[gateway]
listen = "127.0.0.1:{port}"
upstream = "http://127.0.0.1:{upstream_port}"
workers = 1
[[cookie]]
name = "session"
purpose = "necessary"
[[cookie]]
name = "_ga*"
purpose = "analytics"
[[tag]]
host = "ads.example"
purpose = "marketing"
[geo]
database = "off"
[dashboard]
listen = "127.0.0.1:{free_port()}"
[observe]
log = "warn"
"""
        + (f'[clickhouse]\nurl = "{clickhouse}"\n' if clickhouse else "")
    )
    log = open(work / "log", "w")
    popen = start([*prefix, str(binary), "serve", "--config", str(config)], PROXY_CPU, stdout=log, stderr=log)
    wait_until_open(popen, port, work / "log", patience=180)
    # The database shares the machine with the upstream, not with what is measured.
    for child in children(popen.pid):
        pin(child, UPSTREAM_CPU)
    return Process("consentry", port, popen, lambda pid: [pid], children)


def start_nginx(config, name, port, cpus, prefix=()):
    """With a prefix (a tool that watches one process) nginx does its work in the process it is started as."""
    single = ["-g", "master_process off;"] if prefix else []
    command = [*prefix, "nginx", "-c", str(config), "-e", str(config.parent / "error.log"), *single]
    popen = start(command, cpus)
    wait_until_open(popen, port, config.parent / "error.log", patience=30)
    return Process(name, port, popen, (lambda pid: [pid]) if prefix else children)


def nginx_config(work, http):
    work.mkdir()
    config = work / "nginx.conf"
    temporary = "".join(
        f"{kind}_temp_path {work}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # As root, nginx would give its worker to a user who may not read a private temporary folder.
    user = "user root;" if os.geteuid() == 0 else ""
    config.write_text(
        f"""{user} daemon off; worker_processes 1; pid {work}/pid; worker_rlimit_nofile 8192;
        events {{ worker_connections 4096; }}
        http {{
            types {{ text/html html; text/css css; }}
            sendfile on; tcp_nopush on; keepalive_timeout 65; keepalive_requests 1000000000;
            {temporary}
            {http}
        }}"""
    )
    return config


def page(size, kind):
    """A page of about this many bytes, with a head like real ones have; of one kind with third-party tags."""
    head_tags, body_tags = (HEAD_TAGS, BODY_TAGS) if kind == "tags.html" else ("", "")
    head = "".join(f'<link rel="stylesheet" href="/static/style-{n}.css">\n' for n in range(6 if size > 4096 else 1))
    start = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>A page about tea</title>\n'
        f'<!-- built by hand -->\n{head}<script>window.site = {{"name": "tea"}};</script>\n{head_tags}</head>\n<body>\n'
    )
    end = f"{body_tags}</body>\n</html>\n"
    line = '<p class="text">Tea is <a href="/tea?from=here">made</a> of leaves, water and time.</p>\n'
    body = line * (size // len(line) + 1)
    room = size - len(start) - len(end)
    # Whole lines, so that nothing is cut off in a tag.
    whole = body[:room].rpartition("\n")[0] + "\n"
    return start + whole + " " * (room - len(whole)) + end


def fetch(port, path, headers=None, method="GET", body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request(method, path, body=body, headers={**BROWSER, **(headers or {})})
    answer = connection.getresponse()
    return answer.status, answer.getheaders(), answer.read()


def choose(gateway, form, page_path):
    """Chooses as a visitor without JavaScript does, then looks at a page; all cookies that were set."""
    origin = f"http://127.0.0.1:{gateway.port}"
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": origin, "Referer": f"{origin}{page_path}"}
    cookies = set_cookies(fetch(gateway.port, "/_privacy/consent", headers, "POST", form)[1])
    pairs = "; ".join(f"{name}={value}" for name, value in cookies.items())
    cookies.update(set_cookies(fetch(gateway.port, page_path, {"Cookie": pairs})[1]))
    return cookies


def set_cookies(headers):
    pairs = [value.split(";", 1)[0].split("=", 1) for name, value in headers if name.lower() == "set-cookie"]
    return {pair[0].strip(): pair[1] for pair in pairs if len(pair) == 2}


def check_pages(kind, proxies, pages, cookie):
    """All sides must do the work before it is measured."""
    file, headers = FILES[kind]
    for side in proxies:
        for size in pages:
            path = f"/{size}.{file}"
            status, _, body = fetch(side.port, path, {**headers, **({"Cookie": cookie} if cookie else {})})
            same = body.decode() == page(size * 1024, file)
            if status != 200 or (kind == "pass-through" and not same):
                sys.exit(f"{side.name} does not pass {path} on as it is (status {status}, {len(body)} bytes)")
            if kind != "pass-through" and side.name != "nginx" and (same or b"/_privacy/" not in body):
                sys.exit(f"{side.name} does not inject into {path}")
            if kind == "gating" and side.name == "consentry" and re.search(rb'[^-]src="https://ads', body):
                sys.exit(f"{side.name} does not gate the tags of {path}")


def start(command, cpus, **streams):
    return subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, cpus), **streams)


def wait_until_open(popen, port, log, patience):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if popen.poll() is not None:
            break
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    popen.kill()
    tail = pathlib.Path(log).read_text()[-2000:] if pathlib.Path(log).exists() else ""
    sys.exit(f"{' '.join(popen.args)} does not listen on port {port}:\n{tail}")


def children(pid):
    found = []
    for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def pin(pid, cpus):
    for task in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(task), cpus)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]

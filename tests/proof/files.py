"""A site that is never what is waited for: nginx with a few files."""

import os
import shutil

from parts import Failed, Process, free_port, wait_for_port


def serve(folder):
    """Starts it and gives its port; it has `/page`, `/style.css`, `/a` and, of 2 MB, `/large`."""
    if not shutil.which("nginx"):
        raise Failed("nginx is missing; `make proof` installs it")
    work = folder.path / "files"
    root = work / "root"
    root.mkdir(parents=True)
    (root / "page").write_text("<!doctype html><title>A page</title><h1>A page</h1>" + "<p>Of the site.</p>" * 400)
    (root / "style.css").write_text("body { margin: 0 }\n")
    (root / "a").write_text("A small answer.\n")
    (root / "large").write_bytes(bytes(2_000_000))
    port = free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = "".join(f"{kind}_temp_path {work}/{kind}; " for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    config = work / "nginx.conf"
    config.write_text(f"""{user} daemon off; worker_processes 1; pid {work}/pid; worker_rlimit_nofile 8192;
        events {{ worker_connections 4096; }}
        http {{ access_log off; default_type application/octet-stream; {temporary}
            server {{ listen 127.0.0.1:{port}; root {root};
                location = /page {{ default_type text/html; error_page 405 =200 $uri; }} }} }}""")
    site = folder.start(Process(["nginx", "-c", config, "-e", work / "error.log"], work / "log"))
    wait_for_port(site, port)
    return port

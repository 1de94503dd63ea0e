"""The parts of a proof: the gateway in a folder of its own, programs beside it, what a process takes of the machine."""

import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = ROOT / "tests/proof"
# What is fetched for the proofs and stays for the next time.
KEPT = ROOT / "target/proof"
BINARY = pathlib.Path(os.environ.get("GATEWAY", ROOT / "target/debug/consentry"))
LONG = os.environ.get("PROOF") == "long"
# Where Debian keeps servers.
os.environ["PATH"] += ":/usr/sbin"


class Failed(Exception):
    """What was promised and did not come true."""


def short_or_long(short, long):
    return long if LONG else short


def say(message):
    print(message, file=sys.stderr, flush=True)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Process:
    """A started program; it ends with the proof."""

    def __init__(self, command, log, **more):
        self.log = log
        self.output = open(log, "ab")
        self.popen = subprocess.Popen(
            [str(word) for word in command], stdout=self.output, stderr=self.output, start_new_session=True, **more
        )

    @property
    def pid(self):
        return self.popen.pid

    def runs(self):
        return self.popen.poll() is None

    def said(self):
        return pathlib.Path(self.log).read_text(errors="replace")

    def send(self, number):
        self.popen.send_signal(number)

    def stop(self, number=signal.SIGTERM, patience=30):
        if self.runs():
            self.popen.send_signal(number)
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait()
        self.output.close()
        return self.popen.returncode


def wait_for_port(process, port, patience=30):
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and process.runs():
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.05)
    raise Failed(f"{process.popen.args[0]} does not listen on port {port}:\n{process.said()[-2000:]}")


class Gateway(Process):
    """`consentry serve` in front of a site on this machine. Its database is away, unless it is to have the embedded one."""

    def __init__(self, folder, site_port, in_gateway="", more="", limits="", embedded=False):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        # Nobody listens there as long as we hold it.
        self.nobody = socket.socket()
        self.nobody.bind(("127.0.0.1", 0))
        clickhouse = "" if embedded else f'[clickhouse]\nurl = "http://127.0.0.1:{self.nobody.getsockname()[1]}"\n'
        self.config = self.folder / "consentry.toml"
        self.config.write_text(
            f'data_dir = "{self.folder}/data"\n[dashboard]\nlisten = "127.0.0.1:0"\n[geo]\ndatabase = "off"\n'
            f'[gateway]\nlisten = "127.0.0.1:0"\nupstream = "http://127.0.0.1:{site_port}"\n{in_gateway}\n'
            f"[gateway.limits]\n{limits}\n{more}\n{clickhouse}"
        )
        environment = {
            **os.environ,
            "CONSENTRY__CAPTURE__BEACONS_PER_MINUTE": "1000000",
            "CONSENTRY__CONSENT__CHOICES_PER_MINUTE": "1000000",
        }
        super().__init__(
            [BINARY, "serve", "--json", "--config", self.config],
            self.folder / "log",
            env=environment,
            cwd=self.folder,
        )
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            line = next((line for line in self.said().splitlines() if line.startswith('{"')), None)
            if line or not self.runs():
                break
            time.sleep(0.02)
        if not line:
            raise Failed(f"the gateway did not start:\n{self.said()[-3000:]}")
        said = json.loads(line)
        port = lambda text: int(text.rsplit(":", 1)[1])
        self.port, self.dashboard = port(said["gateway"]), port(said["dashboard"])
        self.tls = port(said["tls"][0]) if said.get("tls") else None

    def metric(self, name):
        import urllib.request

        text = urllib.request.urlopen(f"http://127.0.0.1:{self.dashboard}/metrics", timeout=10).read().decode()
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(f"{name} "))


def resident(pid):
    """Resident memory in bytes."""
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0


def children(pid):
    tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for task in tasks for child in (task / "children").read_text().split()]


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def mib(count):
    return f"{count / 2**20:.1f} MiB"


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(len(values) * share))] if values else float("nan")


class Folder:
    """A folder that is gone after the proof, unless KEEP=1."""

    def __enter__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="consentry-proof-"))
        self.running = []
        return self

    def start(self, process):
        self.running.append(process)
        return process

    def __exit__(self, *_):
        for process in reversed(self.running):
            process.stop()
        if os.environ.get("KEEP") == "1":
            say(f"configurations and logs: {self.path}")
        else:
            shutil.rmtree(self.path, ignore_errors=True)

"""slowhttptest in its four modes - slow heads, slow bodies, ranges, slow reading - while other visitors ask and notice nothing."""

import re
import shutil
import subprocess
import time

import files
from parts import Failed, Gateway, say, short_or_long
from visitors import Visitors

CONNECTIONS = 400
# New ones a second: it is their slowness that is tried, not how fast the machine can copy the first megabytes for each.
PACE = 60
MODES = {
    "slow heads": ["-H", "-i", "2", "-t", "GET"],
    "slow bodies": ["-B", "-i", "2", "-s", "100000"],
    "ranges": ["-R", "-a", "1", "-b", "3000"],
    # Half as many: each holds 4 MB of the kernel's memory, and from 1.5 GB on all connections of the machine suffer from that.
    "slow reading": ["-X", "-c", "200", "-w", "1", "-y", "16", "-n", "2", "-z", "8", "-k", "3"],
}
# What they may wait for, against what they waited for before; generous, since the attackers share the machine.
WORSE = 10


def run(folder):
    program = shutil.which("slowhttptest")
    if not program:
        raise Failed("slowhttptest is missing; `make proof` installs it")
    port = files.serve(folder)
    limits = 'head_timeout = "5s"\nidle_timeout = "5s"\n'
    gateway = folder.start(Gateway(folder.path / "gateway", port, limits=limits))
    seconds = short_or_long(8, 60)
    with Visitors(gateway.port) as calm:
        time.sleep(3)
    say(f"  without: {calm}")
    worst = 0
    for mode, options in MODES.items():
        url = f"http://127.0.0.1:{gateway.port}/" + ("large" if mode == "slow reading" else "page")
        attack = [program, "-c", CONNECTIONS, "-r", PACE, "-l", seconds, "-p", "3", "-u", url, *options]
        # Beside them some who ask the site itself: what they wait for is not the gateway's doing.
        with Visitors(gateway.port) as others, Visitors(port, count=1) as direct:
            ran = subprocess.run(
                [str(word) for word in attack], capture_output=True, text=True, timeout=seconds * 3 + 60, cwd=folder.path
            )
        # The tool's own word on whether the service was there for it.
        text = re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout + ran.stderr)
        available = re.findall(r"service available:\s+(\w+)", text)
        say(f"  {mode}: {others}; the site itself p99 {direct.p99():.1f} ms; by the tool's own probe available: {available[-1]}")
        worst = max(worst, others.p99() - direct.p99())
        if others.wrong:
            raise Failed(f"{mode}: {len(others.wrong)} errors, such as {others.wrong[0]}")
        if others.p99() > direct.p99() + calm.p99() * WORSE + 250:
            raise Failed(f"{mode}: p99 {others.p99():.1f} ms, {direct.p99():.1f} ms at the site, {calm.p99():.1f} ms without")
        if not gateway.runs():
            raise Failed(f"{mode}: the gateway ended:\n{gateway.said()[-2000:]}")
    return f"4 modes, up to {CONNECTIONS} connections: no errors; p99 of others at most {max(worst, 0):.1f} ms above the site's"

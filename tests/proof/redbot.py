"""What REDbot says of an answer that any cache may keep and of a page, through the gateway and without it.

A note that is neither the site's own nor one of those below fails the proof.
"""

import subprocess
import sys

from parts import HERE, KEPT, Failed, Gateway, Process, free_port, say, wait_for_port

PACKAGES = {"redbot": "2.7.1", "websockets": "17.4"}

# What the gateway changes, on purpose.
OURS = {
    # REDbot says neither what it is nor what it wants, so the answer might be a page; the first one says that it is none.
    "/cached.css": set(),
    "/page": {
        # K7: what differs by choice stays out of shared caches, and the site's validators are not those of what we serve.
        "This response allows only private caches to store it.",
        "This response cannot be served from cache without validation, and doesn't have a validator.",
        "The server's clock is correct.",
        # By the choice, by the language, and by who asks: a script gets the page with its tags asleep.
        "This resource varies in 4 ways.",
    },
}


def installed(program):
    """A program of the packages above, in an environment of its own."""
    place = KEPT / "venv/bin" / program
    if not place.exists():
        say("REDbot and websockets are installed, once")
        subprocess.run([sys.executable, "-m", "venv", KEPT / "venv"], check=True)
        packages = [f"{name}=={version}" for name, version in PACKAGES.items()]
        subprocess.run([KEPT / "venv/bin/pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
    return place


def notes(program, port, path):
    ran = subprocess.run([program, "-o", "text", f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, timeout=120)
    found = {line.strip().removeprefix("* ") for line in ran.stdout.splitlines() if line.startswith("  * ")}
    if not found:
        raise Failed(f"REDbot says nothing of {path}:\n{ran.stdout[-1000:]}{ran.stderr[-1000:]}")
    return found


def run(folder):
    program = installed("redbot")
    port = free_port()
    wait_for_port(folder.start(Process([sys.executable, HERE / "site.py", port], folder.path / "site.log")), port)
    declared = '[[cookie]]\nname = "session*"\npurpose = "necessary"\n'
    gateway = folder.start(Gateway(folder.path / "gateway", port, more=declared))
    count = 0
    for path, ours in OURS.items():
        direct, through = notes(program, port, path), notes(program, gateway.port, path)
        count += len(through)
        strange = through - direct - ours
        say(f"  {path}: {len(through)} notes, {len(through - direct)} of them of our making")
        if strange:
            raise Failed(f"{path}: " + "; ".join(sorted(strange)))
    return f"{count} notes on {len(OURS)} answers, none that is not on purpose"

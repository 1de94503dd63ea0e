"""HTTP/2 to visitors, judged by httpwg's cases of RFC 9113 and RFC 7541.

`httpwg-known-failures.txt` names what is known to come out otherwise and why; whatever else fails, and whatever is listed
and passes, fails the proof. A case fails where it fails in each of three runs, and passes where it does in each: on a busy
machine one may be late, and those with a question mark race our answer.
"""

import re
import subprocess

from parts import HERE, KEPT, Failed, Gateway, Process, free_port, say, wait_for_port

VERSION = "0.2.5"
RUNS = 3
# hyper's and h2's own number with this version, three of which race the answer.
AT_MOST = 20


def install():
    program = KEPT / "cargo/bin/httpwg"
    if not program.exists():
        say(f"httpwg-cli {VERSION} is built, once")
        subprocess.run(
            ["cargo", "install", "httpwg-cli", "--version", VERSION, "--locked", "--quiet", "--root", KEPT / "cargo"],
            check=True,
        )
    return program


def known():
    lines = (HERE / "httpwg-known-failures.txt").read_text().splitlines()
    cases = [line.split("#")[0].strip() for line in lines]
    return {case.rstrip(" ?"): not case.endswith("?") for case in cases if case}


def run(folder):
    program = install()
    port = free_port()
    wait_for_port(folder.start(Process(["python3", HERE / "site.py", port], folder.path / "site.log")), port)
    gateway = folder.start(Gateway(folder.path / "gateway", port, in_gateway="h2c = true"))
    failed, ever_failed, passed = None, set(), set()
    for _ in range(RUNS):
        ran = subprocess.run(
            [program, "--address", f"127.0.0.1:{gateway.port}", "--frame-timeout", "3000"],
            capture_output=True,
            text=True,
            timeout=300,
        )
        text = re.sub(r"\x1b\[[0-9;]*m", "", ran.stdout + ran.stderr)
        wrong = {name.strip() for name in re.findall(r"Test failed: (.*)", text)}
        right = {name.strip() for name in re.findall(r"Test passed: (.*)", text)}
        if len(wrong | right) < 100:
            raise Failed(f"only {len(wrong | right)} cases ran:\n{text[-2000:]}")
        failed = wrong if failed is None else failed & wrong
        ever_failed |= wrong
        passed |= right
    listed = known()
    new, fixed = failed - set(listed), {case for case, sure in listed.items() if sure and case not in ever_failed}
    say(f"  {len(passed | failed)} cases, {len(failed)} known failures of at most {AT_MOST}")
    if len(listed) > AT_MOST:
        raise Failed(f"{len(listed)} failures are listed; hyper itself has {AT_MOST}")
    if new:
        raise Failed("new failures:\n  " + "\n  ".join(sorted(new)))
    unknown = set(listed) - passed - ever_failed
    if unknown:
        raise Failed("listed, but no such case ran:\n  " + "\n  ".join(sorted(unknown)))
    if fixed:
        raise Failed("no longer failures, to be taken off the list:\n  " + "\n  ".join(sorted(fixed)))
    return f"{len(passed | failed) - len(failed)} of {len(passed | failed)} cases; the other {len(failed)} are known"

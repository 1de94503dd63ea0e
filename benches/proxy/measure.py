"""Rounds of wrk in turns, the processes' own time from /proc, and the table."""

import os
import re
import statistics
import subprocess
import sys

import sites

TICKS = os.sysconf("SC_CLK_TCK")


class Round:
    """What one side did in one round."""

    def __init__(self, requests, user, system, rps, p50, p99, rss):
        self.user, self.system = user / requests * 1e6, system / requests * 1e6
        self.cpu = self.user + self.system
        self.rps, self.p50, self.p99, self.rss = rps, p50, p99, rss


def run_all(sides, pages, connections, rounds, seconds, cookies, say):
    """{(kind, page, connections): [(round of the gateway, round of nginx), ...]}"""
    results = {}
    for kind, pair in sides.items():
        for size in pages if pair else []:
            file, headers = sites.FILES[kind]
            path = f"/{size}.{file}"
            asked = {**headers, **({"Cookie": cookies[kind]} if cookies[kind] else {})}
            for clients in connections:
                say(f"{kind}, {size} KB, {clients} connections: {rounds} rounds of {seconds} s each")
                for side in pair:
                    load(side, path, clients, 1, asked)
                turns = []
                for number in range(rounds):
                    order = pair if number % 2 == 0 else pair[::-1]
                    done = {side.name: load(side, path, clients, seconds, asked) for side in order}
                    turns.append((done[pair[0].name], done[pair[1].name]))
                results[kind, size, clients] = (pair, turns)
    return results


def load(side, path, clients, seconds, asked):
    headers = {**asked, "Referer": f"http://127.0.0.1:{side.port}/"}
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    before = cpu_time(side)
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{side.port}{path}"],
        preexec_fn=lambda: os.sched_setaffinity(0, sites.LOAD_CPU),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    after = cpu_time(side)
    if re.search(r"Non-2xx|Socket errors: (?!connect 0, read 0, write 0, timeout 0)", output):
        sys.exit(f"{side.name} failed under load at {path}:\n{output}")
    requests = int(re.search(r"(\d+) requests in", output)[1])
    return Round(
        requests,
        after[0] - before[0],
        after[1] - before[1],
        float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1]),
        milliseconds(re.search(r"(?m)^\s+50%\s+(\S+)", output)[1]),
        milliseconds(re.search(r"(?m)^\s+99%\s+(\S+)", output)[1]),
        resident(side),
    )


def cpu_time(side):
    """Seconds in user and system mode, over all threads, children not counted."""
    user = system = 0
    for pid in side.pids():
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        user, system = user + int(fields[11]), system + int(fields[12])
    return user / TICKS, system / TICKS


def resident(side):
    kilobytes = 0
    for pid in side.pids():
        with open(f"/proc/{pid}/status") as status:
            kilobytes += int(re.search(r"VmRSS:\s+(\d+)", status.read())[1])
    return kilobytes / 1024


def milliseconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * {"us": 1e-3, "ms": 1, "s": 1e3, "m": 6e4}[unit]


def print_table(results, bounds, rounds, seconds):
    """Prints medians; whether every ratio is within its bound."""
    print(f"CPU per request of the proxy process, median of {rounds} rounds of {seconds} s, in turns. "
          "A ratio is the median of the rounds' ratios; below 1 the gateway is cheaper.\n")
    columns = ["what", "page", "conns", "proxy", "CPU us/req (user+sys)", "ratio (range)", "bound", "rps", "p50 ms", "p99 ms", "RSS MiB"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    within = True
    for (kind, size, clients), (pair, turns) in results.items():
        ratios = [ours.cpu / theirs.cpu for ours, theirs in turns]
        ratio = statistics.median(ratios)
        shown = f"{ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
        within = within and ratio <= bounds[kind]
        for place, side in enumerate(pair):
            done = [turn[place] for turn in turns]
            median = lambda field: statistics.median(getattr(one, field) for one in done)  # noqa: E731
            print(
                f"| {kind} | {size} KB | {clients} | {side.name} "
                f"| {median('cpu'):.1f} ({median('user'):.1f}+{median('system'):.1f}) "
                f"| {shown if place == 0 else '1.00'} | {f'{bounds[kind]:.2f}' if place == 0 else ''} "
                f"| {median('rps'):.0f} | {median('p50'):.1f} | {median('p99'):.1f} | {median('rss'):.1f} |"
            )
    return within

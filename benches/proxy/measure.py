"""Rounds of wrk in turns, the processes' own time from /proc, and the table."""

import os
import re
import statistics
import subprocess
import sys

import sites

TICKS = os.sysconf("SC_CLK_TCK")

# Which of a comparison's proxies is which.
GATEWAY, NGINX = 0, 1


class Round:
    """What one side did in one round."""

    def __init__(self, side, before, after, output):
        """Of `times` before and after, and what wrk said."""
        self.requests = int(re.search(r"(\d+) requests in", output)[1])
        self.user, self.system, self.database = (
            (later - earlier) / self.requests * 1e6 for earlier, later in zip(before, after)
        )
        self.cpu = self.user + self.system
        self.rps = float(re.search(r"Requests/sec:\s+([\d.]+)", output)[1])
        self.p50, self.p99 = (
            milliseconds(re.search(rf"(?m)^\s+{percent}%\s+(\S+)", output)[1]) for percent in (50, 99)
        )
        self.rss = resident(side)


def run_all(sides, pages, connections, rounds, seconds, cookies, say):
    """{(kind, page, connections): (sides, [(round of the gateway, round of nginx, ...), ...])}"""
    results = {}
    for kind, proxies in sides.items():
        for size in pages if proxies else []:
            file, headers = sites.FILES[kind]
            path = f"/{size}.{file}"
            asked = {**headers, **({"Cookie": cookies[kind]} if cookies[kind] else {})}
            for clients in connections:
                say(f"{kind}, {size} KB, {clients} connections: {rounds} rounds of {seconds} s each")
                for side in proxies:
                    load(side, path, clients, 1, asked)
                turns = []
                for number in range(rounds):
                    order = proxies if number % 2 == 0 else proxies[::-1]
                    done = {side.name: load(side, path, clients, seconds, asked) for side in order}
                    turns.append(tuple(done[side.name] for side in proxies))
                results[kind, size, clients] = (proxies, turns)
    return results


def load(side, path, clients, seconds, asked):
    headers = {**asked, "Referer": f"http://127.0.0.1:{side.port}/"}
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency"]
    for name, value in headers.items():
        command += ["-H", f"{name}: {value}"]
    before = times(side)
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{side.port}{path}"],
        preexec_fn=lambda: os.sched_setaffinity(0, sites.LOAD_CPU),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    after = times(side)
    if re.search(r"Non-2xx|Socket errors: (?!connect 0, read 0, write 0, timeout 0)", output):
        sys.exit(f"{side.name} failed under load at {path}:\n{output}")
    return Round(side, before, after, output)


def times(side):
    """Seconds of the proxy in user and in system mode, and of its database."""
    return *cpu_time(side.pids()), sum(cpu_time(side.databases()))


def cpu_time(pids):
    """Seconds in user and in system mode of these processes, over all threads."""
    user = system = 0
    for pid in pids:
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
    """Prints medians, and ratios to nginx; whether every ratio of the gateway's is within its bound."""
    print(f"Medians of {rounds} rounds of {seconds} s, in turns. CPU is that of the proxy process for each request; a ratio is the "
          "median of the rounds' ratios to nginx: below 1 costs less CPU, serves less, waits less.\n")
    columns = ["what", "page", "conns", "proxy", "CPU us/req (user+sys)", "ratio (range)", "bound", "requests/s (ratio)",
               "p50 ms (ratio)", "p99 ms (ratio)", "RSS MiB", "its database, CPU us/req"]
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    within = True
    for (kind, size, clients), (proxies, turns) in results.items():
        for place, side in enumerate(proxies):
            done = [turn[place] for turn in turns]
            median = lambda field: statistics.median(getattr(one, field) for one in done)  # noqa: E731
            ratios = lambda field: [  # noqa: E731
                getattr(turn[place], field) / getattr(turn[NGINX], field) for turn in turns
            ]
            ratio = lambda field: statistics.median(ratios(field))  # noqa: E731
            shown = f"{ratio('cpu'):.2f} ({min(ratios('cpu')):.2f} to {max(ratios('cpu')):.2f})"
            within = within and (place != GATEWAY or ratio("cpu") <= bounds[kind])
            print(
                f"| {kind} | {size} KB | {clients} | {side.name} "
                f"| {median('cpu'):.1f} ({median('user'):.1f}+{median('system'):.1f}) "
                f"| {'1.00' if place == NGINX else shown} | {f'{bounds[kind]:.2f}' if place == GATEWAY else ''} "
                f"| {median('rps'):.0f} ({ratio('rps'):.2f}) | {median('p50'):.2f} ({ratio('p50'):.2f}) "
                f"| {median('p99'):.1f} ({ratio('p99'):.2f}) | {median('rss'):.1f} | {median('database'):.1f} |"
            )
    return within

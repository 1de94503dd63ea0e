"""The scripts in `varnish/`, played by Varnish's own test program as client and, where one is named, as site."""

import shutil
import subprocess

from parts import HERE, Failed, Gateway, free_port, say


def run(folder):
    program = shutil.which("varnishtest")
    if not program:
        raise Failed("varnishtest is missing; `make proof` installs it")
    site = free_port()
    declared = '[[cookie]]\nname = "session*"\npurpose = "necessary"\n'
    gateway = folder.start(Gateway(folder.path / "gateway", site, in_gateway="h2c = true\nworkers = 1", more=declared))
    scripts = sorted((HERE / "varnish").glob("*.vtc"))
    failed = []
    for script in scripts:
        ran = subprocess.run(
            [program, "-t", "30", f"-Dgateway=127.0.0.1:{gateway.port}", f"-Dsite=127.0.0.1:{site}", script],
            capture_output=True,
            text=True,
            cwd=folder.path,
        )
        held = ran.returncode == 0
        say(f"  {'ok    ' if held else 'FAILED'} {script.name}")
        if not held:
            failed.append(f"{script.name}:\n{(ran.stdout + ran.stderr)[-3000:]}")
    if failed:
        raise Failed("\n".join(failed))
    return f"{len(scripts)} scripts"

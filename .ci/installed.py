"""Tries the installed program, from a folder that is not the checkout: `BARE/bin/python .ci/installed.py`, BARE an environment with
nothing but the wheel and what it needs in it. Takes a few seconds; exit code 1 and a traceback where something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PROGRAM = Path(sys.executable).parent / "quarterdeck"
CHECKOUT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Everything, in an empty home."""
    with tempfile.TemporaryDirectory() as folder:
        kept = {"HOME": folder, "PATH": os.environ["PATH"], "TERM": "dumb", "LANG": os.environ.get("LANG", "C.UTF-8")}
        os.environ.clear()
        os.environ.update(kept)
        os.chdir(folder)
        package()
        commands()
        demo()
    sys.stdout.write(f"{PROGRAM}: ok\n")


def package() -> None:
    """Where it lies, and what must lie in it: the themes and the commented fleet file."""
    import quarterdeck
    from quarterdeck.tui.colors import themes

    place = Path(quarterdeck.__file__).parent
    assert CHECKOUT / "src" not in place.parents, place
    assert themes.packaged_folder() == place / "themes"
    names = sorted(path.stem for path in (CHECKOUT / "themes").glob("*.toml"))
    assert len(names) >= 6, names
    for name in names:
        loaded = themes.load(name, (themes.user_folder(), themes.packaged_folder()))
        assert (loaded.theme.name, loaded.problem) == (name, ""), loaded
    assert (place / "py.typed").exists()
    assert "console" in tomllib.loads((place / "fleet.toml").read_text(encoding="utf-8"))


def commands() -> None:
    """Those that need no server."""
    version = said("--version")
    assert version.startswith("quarterdeck "), version
    assert (
        subprocess.run([PROGRAM.with_name("qd"), "--version"], capture_output=True, text=True, check=True).stdout
        == version
    )
    said("config", "init", "fleet.toml")
    assert "no problem found" in said("config", "check")
    assert json.loads(said("config", "schema"))
    assert said("man").startswith(".TH QUARTERDECK 1 ")
    subprocess.run(["bash", "-n"], input=said("completion", "bash"), text=True, check=True)
    assert "quarterdeck-night" in said("_complete", "theme").split()


def demo() -> None:
    """The simulated fleet serves, and is seen."""
    with subprocess.Popen([PROGRAM, "demo", "--serve", "--calm"], stdout=subprocess.PIPE, text=True) as servers:
        try:
            assert servers.stdout is not None
            first = json.loads(servers.stdout.readline())
            seen = json.loads(said("status", "--json", "--fast", "--url", first["url"]))
            assert seen["endpoints"][0]["state"] in ("OK", "BUSY", "LOADING"), seen["endpoints"][0]
        finally:
            servers.terminate()


def said(*arguments: str) -> str:
    """What a command prints; it must end well."""
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, (arguments, done.returncode, done.stderr)
    return done.stdout


main()

"""An OpenSSH server of our own on loopback, with keys of its own, that any user may run."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from fake_servers import free_port

_WAIT_S = 10.0


@dataclass(slots=True)
class Sshd:
    """One server. Hosts of its ssh configuration: ``box``, ``nokey`` (a key it doesn't know), ``wrongkey``, ``unknown``."""

    folder: Path
    program: str
    port: int = field(default_factory=free_port)
    _listener: subprocess.Popen[bytes] | None = None

    def prepare(self, remote_path: str) -> None:
        """Make keys and both sides' configuration; ``remote_path``: PATH over there."""
        for name in ("host", "other-host", "user", "other-user"):
            command = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / name))
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        (self.folder / "authorized").write_text((self.folder / "user.pub").read_text())
        for name, key in (("known", "host"), ("known-wrong", "other-host")):
            words = (self.folder / f"{key}.pub").read_text().split()
            (self.folder / name).write_text(f"[127.0.0.1]:{self.port} {words[0]} {words[1]}\n")
        (self.folder / "known-empty").write_text("")
        options = (
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {self.folder}/host",
            f"AuthorizedKeysFile {self.folder}/authorized",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            f"PidFile {self.folder}/pid",
            f"SetEnv PATH={remote_path}",
        )
        (self.folder / "sshd_config").write_text("\n".join(options) + "\n")
        hosts = [("box", "user", "known"), ("nokey", "other-user", "known")]
        hosts += [("wrongkey", "user", "known-wrong"), ("unknown", "user", "known-empty")]
        (self.folder / "ssh_config").write_text("".join(self._host(*host) for host in hosts))
        # The system's ssh, with this configuration in place of ~/.ssh/config.
        wrapper = self.folder / "bin" / "ssh"
        wrapper.parent.mkdir()
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F "{self.folder}/ssh_config" "$@"\n')
        wrapper.chmod(0o755)

    def _host(self, name: str, key: str, known: str) -> str:
        return (
            f"Host {name}\n HostName 127.0.0.1\n Port {self.port}\n User {getpass.getuser()}\n"
            f" IdentityFile {self.folder}/{key}\n IdentitiesOnly yes\n"
            f" UserKnownHostsFile {self.folder}/{known}\n GlobalKnownHostsFile /dev/null\n"
        )

    def start(self) -> None:
        """Begin to listen; returns when it does."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        command = (self.program, "-D", "-e", "-f", str(self.folder / "sshd_config"))
        with (self.folder / "sshd.log").open("ab") as log:
            self._listener = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((self.folder / "sshd.log").read_text())

    def sessions(self) -> list[psutil.Process]:
        """The processes of its connections."""
        if self._listener is None or self._listener.poll() is not None:
            return []
        return [child for child in psutil.Process(self._listener.pid).children() if child.status() != "zombie"]

    def drop(self) -> None:
        """End every connection at once; new ones are let in."""
        for session in self.sessions():
            session.send_signal(signal.SIGKILL)

    def stop(self) -> None:
        """End every connection and listen no more."""
        sessions = self.sessions()
        if self._listener is not None:
            self._listener.kill()
            self._listener.wait()
        for session in sessions:
            session.kill()

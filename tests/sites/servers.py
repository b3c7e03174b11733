"""Debian's own munge, Slurm and sshd, started in a folder and ended with the tests."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROGRAMS = ("slurmctld", "slurmd", "sbatch", "munged", "sshd", "rsync")

SLURM = """
ClusterName=trial
SlurmctldHost={host}
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
ReturnToService=2
NodeName={host} CPUs=2 State=UNKNOWN
PartitionName=demand Nodes={host} PriorityTier=10 MaxTime=60 State=UP
PartitionName=preemptable Nodes={host} PriorityTier=1 PreemptMode=REQUEUE MaxTime=600 State=UP
PartitionName=closed Nodes={host} State=DOWN
"""

SSHD = """
Port {ports[2]}
Port {ports[3]}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile {folder}/sshd.pid
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
PasswordAuthentication no
UsePAM no
SetEnv SLURM_CONF={folder}/slurm.conf
Banner {folder}/banner
Match LocalPort {ports[3]}
  ForceCommand echo 'Welcome to this cluster'; eval "$SSH_ORIGINAL_COMMAND"
"""

SSH = """
Host cluster
  HostName 127.0.0.1
  Port {ports[2]}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
Host impostor
  HostName 127.0.0.1
  Port {ports[2]}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/other_known_hosts
Host locked
  HostName 127.0.0.1
  Port {ports[2]}
  IdentityFile {folder}/other_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
Host chatty
  HostName 127.0.0.1
  Port {ports[3]}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
Host nowhere
  HostName 127.0.0.1
  Port 1
"""


def missing() -> list[str]:
    """Return the programs that are not installed."""
    path = os.environ["PATH"] + ":/usr/sbin:/sbin"
    return [name for name in PROGRAMS if shutil.which(name, path=path) is None]


@contextmanager
def cluster(folder: Path) -> Iterator[Path]:
    """Run a cluster of this machine alone; yields ssh's configuration for it."""
    ports = _free_ports(4)
    words = {"folder": folder, "host": socket.gethostname(), "ports": ports}
    for name, text in {"slurm.conf": SLURM, "sshd.conf": SSHD, "ssh.conf": SSH}.items():
        (folder / name).write_text(text.format(**words))
    (folder / "banner").write_text("Welcome. lauedepth-answer:{} is not an answer.\n")
    (folder / "spool").mkdir()
    (folder / "state").mkdir()
    for name in ("host_key", "user_key", "other_key"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    for name, key in (("known_hosts", "host_key"), ("other_known_hosts", "other_key")):
        public = (folder / f"{key}.pub").read_text()
        (folder / name).write_text("".join(f"[127.0.0.1]:{p} {public}" for p in ports[2:]))
    Path("/run/sshd").mkdir(exist_ok=True)
    (folder / "munge.key").write_bytes(os.urandom(1024))
    (folder / "munge.key").chmod(0o400)
    files = {name: f"{folder}/munge.{name}" for name in ("socket", "pid", "log", "seed")}
    munge = [f"--{name}-file={path}" for name, path in files.items() if name != "socket"]
    with _Servers(folder) as servers:
        servers.start(
            "/usr/sbin/munged",
            *("--foreground", "--force", f"--key-file={folder}/munge.key"),
            *(f"--socket={files['socket']}", *munge),
        )
        _until(lambda: Path(files["socket"]).exists())
        servers.start("/usr/sbin/slurmctld", "-D", "-f", str(folder / "slurm.conf"))
        servers.start("/usr/sbin/slurmd", "-D", "-f", str(folder / "slurm.conf"))
        servers.start("/usr/sbin/sshd", "-D", "-e", "-f", str(folder / "sshd.conf"))
        _until(lambda: "idle" in servers.ask("sinfo", "--noheader", "--format=%t"))
        yield folder / "ssh.conf"


class _Servers:
    def __init__(self, folder: Path) -> None:
        self._folder, self._running = folder, list[subprocess.Popen[bytes]]()
        self._environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def __enter__(self) -> _Servers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._running):
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def start(self, *words: str) -> None:
        with (self._folder / f"{Path(words[0]).name}.out").open("wb") as log:
            self._running.append(
                subprocess.Popen(words, stdout=log, stderr=log, env=self._environment)
            )

    def ask(self, *words: str) -> str:
        done = subprocess.run(
            words, capture_output=True, text=True, env=self._environment, check=False
        )
        return done.stdout


def _free_ports(number: int) -> list[int]:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [server.getsockname()[1] for server in listening]
    for server in listening:
        server.close()
    return ports


def _run(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def _until(condition: object) -> None:
    assert callable(condition)
    for _ in range(300):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("a server did not come up; see its .out file")

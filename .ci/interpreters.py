"""Interpreters for the jobs of the workflows: those of this machine, and those of Debian.

What this machine lacks comes from a Debian system in a directory of its own, in which the job then
runs. That needs root, debootstrap and Debian's archive; for another processor also qemu.
"""

from __future__ import annotations

import glob
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

SUITES = {"3.13": "trixie", "3.14": "sid", "3.15": "sid"}
"""Where Debian has interpreters. It has no free-threaded ones, and none for musl."""

_ARCHIVE = "http://deb.debian.org/debian"
_PACKAGES = ("ca-certificates", "curl", "g++", "git", "libc6-dev", "make", "openssl")
_DEBIAN_NAMES = {"x86_64": "amd64", "aarch64": "arm64"}
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_ABOUT = """
import sys, sysconfig
free = "t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""
print("%d.%d%s" % (*sys.version_info[:2], free), "%d.%d.%d" % sys.version_info[:3])
"""


class NotToBeHad(Exception):
    """The reason why there is no such interpreter."""


@dataclass(frozen=True)
class Interpreter:
    """A Python, on this system or on one in a directory.

    Attributes:
        python: its path, as processes of its system see it.
        version: major, minor and micro.
        root: the directory of its system.
    """

    python: str
    version: str
    root: Path = Path("/")

    def command(self, *command: str, cwd: Path) -> list[str]:
        """Return the command that runs another in a directory of its system.

        Args:
            command: the other one.
            cwd: the directory, as this system sees it.
        """
        if self.root == Path("/"):
            return ["env", "-C", str(cwd), *command]
        script = (
            'root=$1 cwd=$2; shift 2; mount --rbind /dev "$root/dev"'
            ' && mount -t proc proc "$root/proc" && exec chroot "$root" env -C "$cwd" "$@"'
        )
        inside = "/" + str(cwd.relative_to(self.root))
        # All processes of the command end with it, and its mounts are gone.
        unshare = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]
        return [*unshare, "bash", "-c", script, "-", str(self.root), inside, *command]


def find(wanted: str, roots: Path, machine: str = platform.machine()) -> Interpreter:
    """Find or install an interpreter.

    Args:
        wanted: such as ``3.13`` or ``3.14t``.
        roots: where systems of Debian are kept.
        machine: its processor.

    Raises:
        NotToBeHad: there is none.
    """
    is_native = machine == platform.machine()
    for candidate in _candidates(wanted) if is_native else ():
        about = _about([candidate])
        if about is not None and about[0] == wanted:
            return Interpreter(candidate, about[1])
    if wanted not in SUITES:
        raise NotToBeHad("not on this machine, and Debian does not have it")
    root = _debian(SUITES[wanted], roots, machine)
    python = f"/usr/bin/python{wanted}"
    here = Interpreter(python, "", root)
    about = _about(here.command(python, cwd=root))
    if about is None:
        raise NotToBeHad(f"{SUITES[wanted]} of Debian does not have it")
    return Interpreter(python, about[1], root)


def _candidates(wanted: str) -> list[str]:
    version = wanted.removesuffix("t")
    of_pyenv = os.environ.get("PYENV_ROOT", str(Path.home() / ".pyenv"))
    free = "*t" if wanted.endswith("t") else "*[0-9]"
    found = sorted(glob.glob(f"{of_pyenv}/versions/{version}.{free}/bin/python"))  # noqa: PTH207
    on_path = shutil.which(f"python{wanted}")
    # The base of a virtual environment, so that a job's own does not depend on this one.
    return [
        *found,
        *([on_path] if on_path else []),
        getattr(sys, "_base_executable", sys.executable),
    ]


def _about(command: list[str]) -> tuple[str, str] | None:
    try:
        done = subprocess.run([*command, "-c", _ABOUT], capture_output=True, text=True, timeout=120)
    except OSError:
        return None
    if done.returncode != 0:
        return None
    wanted, version = done.stdout.split()
    return wanted, version


def _debian(suite: str, roots: Path, machine: str) -> Path:
    """Install a system of Debian, unless it is there already."""
    architecture = _DEBIAN_NAMES.get(machine, machine)
    root = roots / f"{suite}-{architecture}"
    if not (root / "complete").exists():
        for program in ("debootstrap", "unshare"):
            if shutil.which(program) is None:
                raise NotToBeHad(f"not on this machine, and {program} is missing")
        if os.geteuid() != 0:
            raise NotToBeHad("not on this machine, and only root can install Debian's")
        if machine != platform.machine() and not _emulates(machine):
            raise NotToBeHad(f"no qemu-user-static with binfmt that runs programs of {machine}")
        versions = [version for version, of in SUITES.items() if of == suite]
        packages = [f"python{each}-{kind}" for each in versions for kind in ("dev", "venv")]
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir(parents=True)
        log = roots / f"{root.name}.log"
        command = ["debootstrap", f"--arch={architecture}", "--variant=minbase"]
        command += [f"--include={','.join((*_PACKAGES, *packages))}", suite, str(root), _ARCHIVE]
        with log.open("wb") as output:
            done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise NotToBeHad(f"debootstrap failed: see {log}")
        (root / "complete").touch()
    # Use the names and certificates of this system: there may be a proxy.
    for path in (Path("/etc/resolv.conf"), Path("/etc/hosts"), _CERTIFICATES):
        if path.exists():
            shutil.copyfile(path, root / path.relative_to("/"))
    return root


def _emulates(machine: str) -> bool:
    handler = Path(f"/proc/sys/fs/binfmt_misc/qemu-{machine}")
    # With F, the kernel keeps the emulator open, which the other system does not contain.
    return handler.exists() and "F" in handler.read_text().partition("flags:")[2].split("\n")[0]

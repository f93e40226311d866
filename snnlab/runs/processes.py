"""Which process is meant: pids are used again, so a process is known by its host, its pid and when it began."""

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """One process.

    Args:
        host: Name of its machine.
        pid: Its number there.
        began: When it began, as this platform tells it; empty where it does not.
    """

    host: str
    pid: int
    began: str

    @staticmethod
    def me() -> "Owner":
        """This process."""
        return Owner(socket.gethostname()[:255], os.getpid(), began(os.getpid()) or "")

    def is_here(self) -> bool:
        """On this machine."""
        return self.host == socket.gethostname()[:255]

    def is_gone(self) -> bool:
        """Certainly ended. Only for processes of this machine."""
        found = began(self.pid)
        return found is None or bool(self.began and found and found != self.began)


def began(pid: int) -> str | None:
    """When a process began, in this platform's own words; empty where it cannot be told, None if there is none."""
    if os.name != "posix":
        return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass  # another user's
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return None if fields[0] in "ZX" else f"{fields[19]} ticks after boot {boot}"
    except (OSError, IndexError):
        pass
    try:
        told = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, timeout=5)
        return told.stdout.strip()[:80]
    except (OSError, subprocess.SubprocessError):
        return ""

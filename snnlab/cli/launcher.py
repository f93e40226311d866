"""Start the app, from any working directory: the checkout's, or the copy that an installed package carries."""

import ipaddress
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from errno import EADDRNOTAVAIL
from pathlib import Path
from typing import NoReturn

from snnlab.core.assets import app_folder
from snnlab.core.errors import SnnlabError
from snnlab.core.loaded import look_into_named, name_files

DEFAULT_PORT = 8501
LOOPBACK = "127.0.0.1"

_TRUST = (
    "note: whoever reaches {address}:{port} can use this app without a password: read every run, open files under the "
    "allowed folders (SNNLAB_DATA_ROOTS), upload files and keep this machine's cores busy; the connection is not "
    "encrypted.\n"
)


def start_app(
    port: int = DEFAULT_PORT,
    address: str = LOOPBACK,
    *,
    trusted_network: bool = False,
    workers: int | None = None,
    load: Sequence[Path] = (),
) -> NoReturn:
    """Become the app's server: serve until interrupted. Prints one address, once the server listens.

    Args:
        port: TCP port, kept: the browser stores a workspace per address and port.
        address: Address to listen on.
        trusted_network: Allow an address that other machines reach.
        workers: Batch jobs at once; None for ``$SNNLAB_WORKERS``, else the cores.
        load: The user's own files, beside those of ``$SNNLAB_LOAD``; one that raises is told of and left out.

    Raises:
        SnnlabError: The app's files are missing, the address is not allowed or not this machine's, or the port is
            taken.
    """
    script = app_folder() / "app.py"
    if not script.is_file():
        raise SnnlabError(f"The app is missing: there is no {script}; install snnlab-workbench again.")
    if workers is not None:
        if workers < 1:
            raise SnnlabError(f"--workers {workers}: give 1 or more.")
        os.environ["SNNLAB_WORKERS"] = str(workers)
    if not _is_loopback(address):
        if not trusted_network:
            raise SnnlabError(
                f"{address} is reachable from other machines: the app listens on loopback only, {LOOPBACK}; in a "
                "network whose every user you trust, add --trusted-network."
            )
        sys.stderr.write(_TRUST.format(address=address, port=port))
        sys.stderr.flush()
    check_port(address, port)
    name_files(load)
    for file in look_into_named():
        told = file.problem or f"{file.file} brings {', '.join(file.methods)}"
        sys.stderr.write(f"note: {told}\n")
    sys.stderr.flush()
    arguments = [sys.executable, "-m", "streamlit", "run", str(script)]
    arguments += ["--server.address", address, "--server.port", str(port), "--server.headless", "true"]
    arguments += ["--browser.gatherUsageStats", "false", "--logger.level", "warning"]
    sys.stdout.flush()
    if os.name == "posix":
        # Replaced, not parented: whoever stops this process stops the server.
        os.execv(sys.executable, arguments)
    sys.exit(subprocess.call(arguments))


def _is_loopback(address: str) -> bool:
    try:
        return address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def check_port(address: str, port: int) -> None:
    """Refuse what a server could not listen on.

    Raises:
        SnnlabError: The port does not exist, needs an administrator or is taken, or the address is not this machine's.
    """
    if not 1 <= port <= 65535:
        raise SnnlabError(f"Port {port} does not exist: give one from 1 to 65535.")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as probe:
        # As the server does: a port in TIME_WAIT is free, one that somebody listens on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(os.name == "posix"))
        try:
            probe.bind((address, port))
        except PermissionError:
            raise SnnlabError(f"Port {port} needs an administrator: give one above 1023 with --port.") from None
        except (OSError, UnicodeError) as error:
            if not isinstance(error, OSError) or isinstance(error, socket.gaierror) or error.errno == EADDRNOTAVAIL:
                raise SnnlabError(f"{address!r} is no address of this machine: give one with --address.") from None
            raise SnnlabError(
                f"Port {port} is in use: stop the other program (another snnlab app?) or give another with --port."
            ) from None

"""Start the app, from any working directory: the checkout's, or the copy that an installed package carries."""

import ipaddress
import os
import socket
import subprocess
import sys
from typing import NoReturn

from snnlab.core.assets import app_folder
from snnlab.core.errors import SnnlabError

DEFAULT_PORT = 8501
LOOPBACK = "127.0.0.1"


def start_app(port: int = DEFAULT_PORT, address: str = LOOPBACK) -> NoReturn:
    """Become the app's server: serve until interrupted. Prints one address, once the server listens.

    Args:
        port: TCP port, kept: the browser stores a workspace per address and port.
        address: Loopback address to listen on.

    Raises:
        SnnlabError: The app's files are missing, the address is not this machine's own, or the port is taken.
    """
    script = app_folder() / "app.py"
    if not script.is_file():
        raise SnnlabError(f"The app is missing: there is no {script}; install snnlab-workbench again.")
    _check_address(address, port)
    arguments = [sys.executable, "-m", "streamlit", "run", str(script)]
    arguments += ["--server.address", address, "--server.port", str(port), "--server.headless", "true"]
    arguments += ["--browser.gatherUsageStats", "false", "--logger.level", "warning"]
    sys.stdout.flush()
    if os.name == "posix":
        # Replaced, not parented: whoever stops this process stops the server.
        os.execv(sys.executable, arguments)
    sys.exit(subprocess.call(arguments))


def _check_address(address: str, port: int) -> None:
    try:
        own = address == "localhost" or ipaddress.ip_address(address).is_loopback
    except ValueError:
        own = False
    if not own:
        raise SnnlabError(f"{address} is reachable from other machines: the app listens on loopback only, {LOOPBACK}.")
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
        except OSError:
            raise SnnlabError(
                f"Port {port} is in use: stop the other program (another snnlab app?) or give another with --port."
            ) from None

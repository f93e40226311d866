"""What ``snnlab doctor`` finds out about this machine."""

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata

from snnlab.core.assets import asset_folder
from snnlab.core.errors import SnnlabError

PACKAGES = ("torch", "snntorch", "numpy", "numba", "streamlit", "plotly", "matplotlib", "pandas", "captum")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")


@dataclass(frozen=True)
class Finding:
    """One line of the doctor's report."""

    name: str
    value: str
    ok: bool = True


def examine() -> tuple[Finding, ...]:
    """All findings; ``ok`` is False where something will not work."""
    return (
        Finding("python", platform.python_version(), sys.version_info >= (3, 11)),
        *(_package(name) for name in PACKAGES),
        _threads(),
        _memory_limit(),
        _fonts(),
        _browser(),
        _examples(),
        _store(),
        _identities(),
    )


def _package(name: str) -> Finding:
    try:
        return Finding(name, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, "not installed; install snnlab-workbench again", False)


def _threads() -> Finding:
    import torch

    return Finding("threads", f"{torch.get_num_threads()} of {os.cpu_count()} cores")


def _memory_limit() -> Finding:
    try:
        import resource
    except ImportError:
        return Finding("memory limit for opening files", "this platform has none; files are only checked by size")
    return Finding("memory limit for opening files", "available" if hasattr(resource, "RLIMIT_AS") else "none here")


def _fonts() -> Finding:
    from matplotlib import font_manager

    found = {font.name for font in font_manager.fontManager.ttflist}
    wanted = [name for name in ("DejaVu Sans", "Liberation Sans", "Arial", "Helvetica") if name in found]
    return Finding("fonts", ", ".join(wanted) or "none of the usual ones", bool(wanted))


def _browser() -> Finding:
    found = next((path for path in map(shutil.which, BROWSERS) if path), None)
    return Finding("browser for the tests", found or "none; browser tests are skipped, the app needs only yours")


def _examples() -> Finding:
    names = sorted(path.stem for path in (asset_folder() / "checkpoints").glob("*.safetensors"))
    return Finding("bundled checkpoints", ", ".join(names) or "none found; install again", bool(names))


def _store() -> Finding:
    from snnlab.runs.store import Store

    try:
        store = Store()
        return Finding("run store", f"{store.path}, {len(store.list())} runs")
    except SnnlabError as error:
        return Finding("run store", str(error), False)


def _identities() -> Finding:
    """Charge balance and the constant-input law on a small random network, on a grid where floats are exact."""
    import torch
    from torch import nn

    from snnlab.activations import QCFS
    from snnlab.converters.apply import convert
    from snnlab.core.histogram import EXCESS, MISSING
    from snnlab.simulation import simulate

    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Linear(8, 16), QCFS(1.0, 4), nn.Linear(16, 4))
    with torch.no_grad():
        for parameter in network[0].parameters():
            parameter.copy_(torch.randint(-8, 9, parameter.shape, generator=generator) / 16)
    images = torch.randint(-8, 9, (64, 8), generator=generator) / 16
    recording = simulate(convert(network, "qcfs"), images, num_steps=16, snapshots=[4, 16])
    statistics = recording.sites["1"].statistics
    assert statistics is not None, "snapshots were asked for"
    wrong = int(statistics.histogram[:, [EXCESS, MISSING]].sum())
    error = float(statistics.identity[0])
    ok = wrong == 0 and error == 0
    return Finding("identities", f"charge balance off by {error:g}, {wrong} wrong counts under constant input", ok)

"""A run: a recipe with its reports and its environment, as one file or one row."""

import datetime
import io
import json
import os
import platform
import secrets
import zipfile
from dataclasses import dataclass, field
from importlib import metadata
from typing import Any

import numpy as np

from snnlab.analysis.reports import AccuracyCurve, ConversionReport, NeuronTraces, NoiseReport, Report, ResidualReport
from snnlab.core.errors import StoreError
from snnlab.core.recipe import RESULTS_VERSION, Recipe

_META = "run.json"
_PACKAGES = ("torch", "numpy", "snntorch", "numba", "snnlab-workbench")


@dataclass(frozen=True)
class Run:
    """One executed recipe.

    Args:
        recipe: What was run, complete.
        reports: ``accuracy``, ``conversion`` and, with snapshots, ``residuals`` and ``traces``; of a noise run
            ``noise``.
        card: The checkpoint's card, as plain values.
        notes: What was assumed on the way, one sentence each.
        environment: Versions, threads, device, wall time in seconds.
        verb: What was asked for.
        id: Random, 32 hexadecimal digits.
        created: UTC time, ISO 8601.
        state: ``"done"``.
    """

    recipe: Recipe
    reports: dict[str, Report]
    card: dict[str, Any]
    notes: tuple[str, ...] = ()
    environment: dict[str, Any] = field(default_factory=dict)
    verb: str = "analyse"
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    created: str = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    state: str = "done"

    @property
    def accuracy(self) -> AccuracyCurve:
        """The accuracy curve."""
        report = self.reports["accuracy"]
        assert isinstance(report, AccuracyCurve), "stored under its own name"
        return report

    @property
    def conversion(self) -> ConversionReport:
        """What stands at every site."""
        report = self.reports["conversion"]
        assert isinstance(report, ConversionReport), "stored under its own name"
        return report

    @property
    def residuals(self) -> ResidualReport | None:
        """The residual report; None for a run without snapshots."""
        report = self.reports.get("residuals")
        assert report is None or isinstance(report, ResidualReport), "stored under its own name"
        return report

    @property
    def traces(self) -> NeuronTraces | None:
        """Single neurons; None for a run without them."""
        report = self.reports.get("traces")
        assert report is None or isinstance(report, NeuronTraces), "stored under its own name"
        return report

    @property
    def noise(self) -> NoiseReport | None:
        """The noise report; None for a run without one."""
        report = self.reports.get("noise")
        assert report is None or isinstance(report, NoiseReport), "stored under its own name"
        return report

    @property
    def recipe_sha(self) -> str:
        """Hash of the recipe."""
        return self.recipe.sha

    @property
    def key(self) -> str:
        """Cache key."""
        return self.recipe.key(self.environment.get("device", "cpu"))

    @property
    def title(self) -> str:
        """For lists: checkpoint and method."""
        return f"{self.card['name']} · {self.recipe.converter.method}"

    def to_bytes(self) -> bytes:
        """The whole run as a zip of one JSON file and NumPy arrays; equal runs give equal bytes."""
        reports, arrays = {}, {}
        for name, report in self.reports.items():
            reports[name], parts = report.payload()
            arrays.update({f"{name}/{part}.npy": array for part, array in parts.items()})
        meta = {
            "id": self.id,
            "verb": self.verb,
            "created": self.created,
            "state": self.state,
            "recipe": self.recipe.to_dict(),
            "card": self.card,
            "notes": self.notes,
            "environment": self.environment,
            "reports": reports,
        }
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, _META, json.dumps(meta, allow_nan=False).encode())
            for name, array in arrays.items():
                part = io.BytesIO()
                np.save(part, array, allow_pickle=False)
                _add(archive, name, part.getvalue())
        return buffer.getvalue()

    @staticmethod
    def from_bytes(data: bytes) -> "Run":
        """Inverse of ``to_bytes``.

        Raises:
            StoreError: Damaged, or written by a version that this one cannot read.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                meta = json.loads(archive.read(_META))
                arrays: dict[str, dict[str, np.ndarray]] = {name: {} for name in meta["reports"]}
                for entry in archive.namelist():
                    if entry != _META:
                        name, part = entry.removesuffix(".npy").split("/")
                        arrays[name][part] = np.load(io.BytesIO(archive.read(entry)), allow_pickle=False)
            return Run(
                recipe=Recipe.parse(meta["recipe"]),
                reports={name: Report.from_payload(values, arrays[name]) for name, values in meta["reports"].items()},
                card=meta["card"],
                notes=tuple(meta["notes"]),
                environment=meta["environment"],
                verb=meta["verb"],
                id=meta["id"],
                created=meta["created"],
                state=meta["state"],
            )
        except (zipfile.BadZipFile, KeyError, ValueError, TypeError) as error:
            raise StoreError(f"A stored run cannot be read ({error}); run its recipe again.") from None


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    # A fixed time, so that equal contents give equal bytes.
    entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, data)


def environment(*, seconds: float, threads: int, device: str = "cpu") -> dict[str, Any]:
    """Versions and machine facts that go beside every number."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # run from a checkout that is not installed
            continue
    return {
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": threads,
        "results_version": RESULTS_VERSION,
        "device": device,
        "seconds": round(seconds, 3),
        "versions": versions,
    }

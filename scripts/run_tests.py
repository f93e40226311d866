"""Run the parts of the test suite one after the other, and say what each took.

    python scripts/run_tests.py          everything but the long matrix
    python scripts/run_tests.py check    style, types, layers, documented examples
    python scripts/run_tests.py --full   everything

A part fails when its command fails or finds no test; a part whose folder does not exist is left out.
"""

import argparse
import os
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / ".reports"
NO_TESTS = 5  # pytest's exit status

ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
"""Test processes that run side by side must not each take every core."""


@dataclass(frozen=True)
class Part:
    """A group of tests: ``arguments`` go to pytest; it exists when ``folder`` holds a file like ``pattern``."""

    name: str
    arguments: tuple[str, ...]
    folder: str = "tests"
    pattern: str = "test_*.py"
    environment: dict[str, str] = field(default_factory=dict)

    def exists(self) -> bool:
        """Whether there is a file to run."""
        return any((ROOT / self.folder).rglob(self.pattern))


@dataclass
class Outcome:
    """What a part left behind; ``ran`` and ``skipped`` count tests."""

    name: str
    passed: bool
    seconds: float
    ran: int = 0
    skipped: int = 0


STYLE = (
    ("ruff", (sys.executable, "-m", "ruff", "check", ".")),
    ("format", (sys.executable, "-m", "ruff", "format", "--check", ".")),
    ("types", (sys.executable, "-m", "mypy")),
    ("layers", (str(Path(sys.executable).parent / "lint-imports"), "--no-logo")),
)
DOCUMENTED = Part("documented examples", ("--doctest-modules", "snnlab", "tests/test_docs.py"), environment=ONE_THREAD)
SEPARATE = ("tests/test_docs.py", "tests/app", "tests/browser")
BESIDE = ("-n", str(min(os.cpu_count() or 1, 4)), "--dist=loadfile")
"""Tests in as many processes as there are cores, a file in one of them."""

TESTS = (
    Part("library", ("tests", *(f"--ignore={path}" for path in SEPARATE), *BESIDE), environment=ONE_THREAD),
    Part("app", ("tests/app", *BESIDE), "tests/app", environment=ONE_THREAD),
    # A real browser on shared cores misses a moment now and then: one more try, and the summary names who needed it.
    Part("browser", ("tests/browser", "--reruns=1", "-rR", *BESIDE), "tests/browser"),
    Part(
        "notebooks",
        ("--nbmake", "--nbmake-timeout=300", "notebooks"),
        "notebooks",
        "*.ipynb",
        {"SNNLAB_FAST": "1"},  # fewer images and a token training where a notebook would take minutes
    ),
)


def run_style(name: str, command: tuple[str, ...]) -> Outcome:
    """Run one tool of ``make check``."""
    print(f"\n== {name}", flush=True)
    start = time.monotonic()
    status = subprocess.call(command, cwd=ROOT)
    return Outcome(name, status == 0, time.monotonic() - start)


def run_tests(part: Part, full: bool) -> Outcome:
    """Run one part with pytest and count what ran."""
    print(f"\n== {part.name}", flush=True)
    report = REPORTS / f"{part.name.replace(' ', '-')}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", *part.arguments, f"--junitxml={report}", "--durations=5"]
    environment = os.environ | part.environment
    if full:
        command += ["-m", ""]
        environment["SNNLAB_FULL"] = "1"
    start = time.monotonic()
    status = subprocess.call(command, cwd=ROOT, env=environment)
    outcome = Outcome(part.name, status == 0, time.monotonic() - start)
    if status == NO_TESTS:
        print(f"{part.name}: no test was found, so nothing was tested.")
    if report.is_file():
        suites = ElementTree.parse(report).getroot().iter("testsuite")
        for suite in suites:
            outcome.skipped += int(suite.get("skipped", 0))
            outcome.ran += int(suite.get("tests", 0)) - int(suite.get("skipped", 0))
    return outcome


def main() -> int:
    """Run what the command line asks for; 0 when all of it passed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("what", nargs="?", choices=("check", "all"), default="all")
    parser.add_argument("--full", action="store_true", help="also the tests marked `full`")
    options = parser.parse_args()

    REPORTS.mkdir(exist_ok=True)
    outcomes = [run_style(name, command) for name, command in STYLE]
    parts = (DOCUMENTED,) if options.what == "check" else (DOCUMENTED, *TESTS)
    outcomes += [run_tests(part, options.full) for part in parts if part.exists()]

    print(f"\n{'part':<22}{'minutes':>8}{'tests':>8}{'skipped':>9}")
    for outcome in outcomes:
        verdict = "" if outcome.passed else "  FAILED"
        counts = f"{outcome.ran:>8}{outcome.skipped:>9}" if outcome.ran or outcome.skipped else " " * 17
        print(f"{outcome.name:<22}{outcome.seconds / 60:>8.1f}{counts}{verdict}")
    ran = sum(outcome.ran for outcome in outcomes)
    print(f"{'together':<22}{sum(outcome.seconds for outcome in outcomes) / 60:>8.1f}{ran:>8}")
    if not ran:
        print("No test ran.")
    return 0 if ran and all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())

"""The user's own code: files that the person who starts snnlab names, and that register methods. No torch here.

A file comes in by ``--load FILE`` or by ``$SNNLAB_LOAD`` (several, separated as in ``$PATH``), never by an upload, a
link or a recipe. Workers and the command line run it (``load_named``); the server of the app, which must not import
torch, has it run once in a process of its own and takes over the cards (``adopt_named``). A method is known by the
name and SHA-256 of its file, which stand in every recipe (``CodeChoice``) and in every checkpoint that was trained with
an activation of it: one file, one hash, so a file cannot import another one from its folder.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from snnlab.core import registry
from snnlab.core.errors import RecipeError
from snnlab.core.registry import MethodCard, Parameter, Source

VARIABLE = "SNNLAB_LOAD"
FOUND_VARIABLE = "SNNLAB_LOADED"
"""What the launcher found in the files, as JSON, so that the server need not look again."""

MOST_FOUND = 100_000  # characters; systems limit a variable to 128 kB
PROBE_SECONDS = 120.0
"""A file that takes longer to import is given up."""

MAX_BYTES = 2**20


@dataclass(frozen=True)
class LoadedFile:
    """A file of the user's, as it was found.

    Args:
        path: Where it lies.
        sha256: Hash of its content; empty where it cannot be read.
        methods: Names of the methods it registered.
        problem: Why nothing of it is there, one sentence; empty where all is well.
    """

    path: str
    sha256: str = ""
    methods: tuple[str, ...] = ()
    problem: str = ""

    @property
    def file(self) -> str:
        """Its name, without the folder."""
        return Path(self.path).name


_loaded: dict[str, LoadedFile] = {}


def loaded_files() -> tuple[LoadedFile, ...]:
    """The files that this process knows, those with a problem too."""
    return tuple(_loaded.values())


def named_files() -> tuple[str, ...]:
    """The files that ``$SNNLAB_LOAD`` names, absolute."""
    named = os.environ.get(VARIABLE, "").split(os.pathsep)
    return tuple(dict.fromkeys(str(Path(path).expanduser().absolute()) for path in named if path.strip()))


def name_files(paths: Iterable[str | Path]) -> None:
    """Add files to ``$SNNLAB_LOAD``, for this process and those it starts.

    Raises:
        RecipeError: A path holds the separator.
    """
    every = [*named_files(), *(str(Path(path).expanduser().absolute()) for path in paths)]
    if wrong := next((path for path in every if os.pathsep in path), None):
        raise RecipeError(f"--load {wrong!r} contains {os.pathsep!r}, which separates paths; rename its folder.")
    os.environ[VARIABLE] = os.pathsep.join(dict.fromkeys(every))


def load_named() -> tuple[LoadedFile, ...]:
    """Run every named file in this process, once; what fails is told in ``problem``."""
    for path in named_files():
        if path not in _loaded:
            _loaded[path] = _tried(path)
    return tuple(_loaded[path] for path in named_files())


def load_file(path: str | Path) -> LoadedFile:
    """Run one file in this process, so that the methods it registers are known.

    Args:
        path: The user's Python file.

    Raises:
        RecipeError: It cannot be read, raises (its line is quoted), registers nothing, or takes another method's name.
    """
    path = Path(path).expanduser().absolute()
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RecipeError(f"{path} cannot be loaded: {error.strerror or error}.") from None
    if len(data) > MAX_BYTES:
        raise RecipeError(f"{path.name} has {len(data):,} bytes; a file of methods has at most {MAX_BYTES:,}.")
    source = Source(path.name, hashlib.sha256(data).hexdigest())
    registry.methods()  # snnlab's own names are taken
    if not registry.brought_by(source):
        with registry.loading(source):
            _run(path, data, source)
            if not registry.brought_by(source):
                raise RecipeError(f"{path.name} registers no method; put @sl.register above the class of yours.")
    return LoadedFile(str(path), source.sha256, tuple(card.name for card in registry.brought_by(source)))


def adopt_named() -> tuple[LoadedFile, ...]:
    """Know the methods of every named file by their cards, without running a line of it in this process.

    The files are run in one process of their own, once; later calls cost nothing.
    """
    paths = named_files()
    if any(path not in _loaded for path in paths):
        told = json.loads(os.environ.get(FOUND_VARIABLE, "[]"))
        if [one["file"]["path"] for one in told] != list(paths):
            told = _probed(paths)
        for one in told:
            found = LoadedFile(**{**one["file"], "methods": tuple(one["file"]["methods"])})
            _loaded[found.path] = found
            for values in one["cards"]:
                registry.adopt(_card(values), Source(found.file, found.sha256))
    return tuple(_loaded[path] for path in paths)


def look_into_named() -> tuple[LoadedFile, ...]:
    """What the named files hold, found in another process and left in the environment for the server."""
    paths = named_files()
    if not paths:
        return ()
    told = _probed(paths)
    text = json.dumps(told)
    if len(text) <= MOST_FOUND:
        os.environ[FOUND_VARIABLE] = text
    return tuple(LoadedFile(**{**one["file"], "methods": tuple(one["file"]["methods"])}) for one in told)


def _tried(path: str) -> LoadedFile:
    try:
        return load_file(path)
    except RecipeError as error:
        return LoadedFile(path, problem=str(error))


def _run(path: Path, data: bytes, source: Source) -> None:
    name = f"snnlab_loaded_{source.sha256[:16]}"
    spec = importlib.util.spec_from_loader(name, loader=None, origin=str(path))
    assert spec is not None, "a name without a loader always makes a specification"
    module = importlib.util.module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[name] = module  # dataclasses look their annotations up there
    try:
        exec(compile(data, str(path), "exec"), module.__dict__)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise RecipeError(_quoted(path, data, error)) from None


def _quoted(path: Path, data: bytes, error: BaseException) -> str:
    """One sentence with the line of the file that failed."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        line, reason = error.lineno, error.msg
    else:
        frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
        line = frames[-1].lineno if frames else None
        reason = " ".join(str(error).split()) or "no message"
    lines = data.decode(errors="replace").splitlines()
    quoted = f", line {line}: `{lines[line - 1].strip()[:120]}`" if line and line <= len(lines) else ""
    return f"{path.name}{quoted} raised {type(error).__name__}: {reason[:300].rstrip('.')}; nothing of it is loaded."


def _probed(paths: tuple[str, ...]) -> list[dict[str, Any]]:
    """Every file and the cards that it registers, as plain values, found by another process."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", "from snnlab.core.loaded import tell; tell()"],
            env={**os.environ, VARIABLE: os.pathsep.join(paths)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=PROBE_SECONDS,
        )
        found: list[dict[str, Any]] = json.loads(done.stdout)
        return found
    except subprocess.TimeoutExpired:
        trouble = f"took longer than {PROBE_SECONDS:g} seconds to load"
    except (OSError, ValueError):
        trouble = "ended the process that loads it"
    lost = [LoadedFile(path, problem=f"{Path(path).name} {trouble}; it is left out.") for path in paths]
    return [{"file": asdict(one), "cards": []} for one in lost]


def tell() -> None:
    """Run the named files and print what came of each as one JSON value; for ``adopt_named``'s process."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # a print of the user's must not look like an answer
    found = load_named()
    cards = [[asdict(card) for card in registry.brought_by(Source(one.file, one.sha256))] for one in found]
    json.dump([{"file": asdict(one), "cards": brought} for one, brought in zip(found, cards, strict=True)], answers)
    answers.flush()
    os._exit(0)  # whatever threads the files have started


def _card(values: dict[str, Any]) -> MethodCard:
    parameters = tuple(Parameter(**{**one, "choices": tuple(one["choices"])}) for one in values["parameters"])
    return MethodCard(**{**values, "needs": tuple(values["needs"]), "parameters": parameters})

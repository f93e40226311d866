"""The app from a notebook: a server on this machine, a checkpoint in view, and an object that stops it."""

import atexit
import html
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from snnlab.cli.launcher import LOOPBACK, check_port
from snnlab.core.errors import DataError, SnnlabError
from snnlab.data.names import DATASETS
from snnlab.runs.jobs import LOCAL
from snnlab.runs.paths import data_roots, upload_folder
from snnlab.runs.store import Store

if TYPE_CHECKING:
    from snnlab.io import Checkpoint

START_SECONDS = 60.0
"""A server that does not answer by then is given up."""

STOP_SECONDS = 5.0


class RunningApp:
    """The app as a child of this process; ends with ``stop``, with its ``with`` block, and with this process.

    Args:
        url: Its address, with the run in view.
        process: The server.
        name: What is in view, for the notebook.
    """

    def __init__(self, url: str, process: "subprocess.Popen[bytes]", name: str) -> None:
        self.url, self.name, self._process = url, name, process
        atexit.register(self.stop)

    @property
    def running(self) -> bool:
        """Whether the server serves."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End the server and its workers; a second call does nothing."""
        atexit.unregister(self.stop)
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def __repr__(self) -> str:
        return f"RunningApp({self.url}, {'running' if self.running else 'stopped'})"

    def _repr_html_(self) -> str:
        """A link, in a notebook."""
        if not self.running:
            return "<p>The app was stopped.</p>"
        url = html.escape(self.url, quote=True)
        return f'<p>snnlab with {html.escape(self.name)}: <a href="{url}" target="_blank" rel="noopener">{url}</a></p>'


def open_app(
    checkpoint: "str | Path | Checkpoint", data: str | Path | None = None, *, port: int | None = None
) -> RunningApp:
    """Start the app on this machine with a checkpoint in view.

    The checkpoint is converted and analysed first, in this process, unless that very run is stored already. The app
    stops with the object's ``stop``, or with this process.

    Args:
        checkpoint: Bundled name, file, or an opened checkpoint.
        data: Name of a dataset, its folder, or an ``.npz`` file; None for the dataset that the checkpoint names.
        port: TCP port; None for a free one.

    Raises:
        CheckpointError: The checkpoint cannot be opened or converted.
        DataError: Nobody tells the dataset, or it is missing.
        SnnlabError: The port is taken, or the server does not start; its last words are in the sentence.
    """
    port = _free_port() if port is None else port
    check_port(LOOPBACK, port)
    source, opened = _source(checkpoint)
    run_id = _run_in_view(source, opened, *_dataset(data, opened.card.dataset))
    return _start(port, run_id, opened.card.name, _folders(source, data))


def _source(checkpoint: "str | Path | Checkpoint") -> "tuple[str, Checkpoint]":
    """Where the app finds the checkpoint, and the checkpoint."""
    from snnlab.io import Checkpoint, example, examples, load_checkpoint

    if not isinstance(checkpoint, Checkpoint):
        opened = load_checkpoint(checkpoint)
        return str(checkpoint) if str(checkpoint) in examples() else str(
            Path(checkpoint).expanduser().absolute()
        ), opened
    name = checkpoint.card.name
    if name in examples() and _same(checkpoint, example(name)):
        return name, checkpoint
    # Weights that are in no file, or in one that was declared by hand: the app's workers need a file.
    folder = upload_folder()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".opening-") as place:
        part = Path(place) / "checkpoint.safetensors"
        saved = checkpoint.save(part)
        home = folder / saved.card.sha256[:32]
        home.mkdir(exist_ok=True)
        kept = home / f"{_stem(saved.card.name)}.safetensors"
        part.replace(kept)
    return str(kept), saved


def _same(one: "Checkpoint", other: "Checkpoint") -> bool:
    weights, others = one.state_dict, other.state_dict
    if one.card.sha256 != other.card.sha256 or weights.keys() != others.keys():
        return False
    # The hash is that of the file it came from: whoever has changed weights since has another network.
    return all(
        value.shape == others[key].shape and bool((value == others[key]).all()) for key, value in weights.items()
    )


def _stem(name: str) -> str:
    return "".join(letter for letter in name if letter.isalnum() or letter in "-_").strip("-") or "checkpoint"


def _dataset(data: str | Path | None, own: str | None) -> tuple[str, str | None]:
    """Name and folder of the dataset.

    Raises:
        DataError: Nobody tells its name, or there is nothing at the path.
    """
    known = f"one of {', '.join(DATASETS)}"
    if data is None or str(data) in DATASETS:
        name = own if data is None else str(data)
        if name is None:
            raise DataError(f"The checkpoint does not tell its dataset; give data=, {known}, a folder or an .npz file.")
        return name, None
    path = Path(data).expanduser().absolute()
    if not path.exists():
        raise DataError(f"data={str(data)!r} is neither {known} nor a path that exists.")
    if path.suffix == ".npz":
        return "npz", str(path)
    if own is None:
        raise DataError(f"The checkpoint does not tell which dataset lies in {path}; give data= as its name, {known}.")
    return own, str(path)


def _run_in_view(source: str, opened: "Checkpoint", dataset: str, folder: str | None) -> str:
    """Id of the stored run of this checkpoint that the app opens with."""
    from snnlab.runs.defaults import default_recipe
    from snnlab.runs.execute import analyse_prepared, resolve

    started, store = time.perf_counter(), Store()
    if folder is None:
        for row in store.list((LOCAL,)):
            same = row.sha256 == opened.card.sha256 and row.recipe.data.dataset == dataset
            if row.shipped and row.verb == "analyse" and same:
                return row.id
    prepared = resolve(default_recipe(source, activation=opened.card.activation, dataset=dataset, folder=folder))
    found = store.find(prepared.recipe, verb="analyse")
    return found.id if found is not None else store.save(analyse_prepared(prepared, started=started), workspace=LOCAL)


def _folders(source: str, data: str | Path | None) -> tuple[str, ...]:
    """Where the user's own files lie: the app may read there."""
    paths = [Path(path).expanduser().absolute() for path in (source, data) if path is not None]
    return tuple(str(path if path.is_dir() else path.parent) for path in paths if path.exists())


def _start(port: int, run_id: str, name: str, folders: tuple[str, ...]) -> RunningApp:
    roots = os.pathsep.join(dict.fromkeys((*map(str, data_roots()), *folders)))
    words = [sys.executable, "-m", "snnlab.cli.main", "app", "--port", str(port)]
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            words,
            env={**os.environ, "SNNLAB_DATA_ROOTS": roots},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        app = RunningApp(f"http://{LOOPBACK}:{port}/?run={run_id[:12]}", process, name)
        until = time.monotonic() + START_SECONDS
        while not _answers(port):
            if not app.running or time.monotonic() > until:
                app.stop()
                said.seek(0)
                last = _last_words(said.read().decode(errors="replace"))
                raise SnnlabError(f"The app did not start on port {port}: {last}")
            time.sleep(0.1)
    return app


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/_stcore/health", timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _last_words(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("error: ") if lines else "it said nothing; run snnlab doctor."


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port

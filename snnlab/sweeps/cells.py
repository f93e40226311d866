"""What one finished training of an experiment leaves behind."""

import io
import json
import zipfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from snnlab.core.errors import CheckpointError
from snnlab.core.files import write_atomically
from snnlab.training.epochs import check_same

_SETTINGS = "settings"


@dataclass(frozen=True)
class Cell:
    """One trained network, converted and read.

    Args:
        ann_correct: Answers of the trained ANN, (images,), bool.
        snn_correct: Answers of its SNN, (steps, images), bool.
        std: Std / threshold that acted, (epochs, sites); NaN for epochs that were not run.
        gap: Std / threshold of the gap afterwards, (sites,).
        classes: Neurons x images by class of spike-count error at the first step, (sites, classes), int64.
        errors: The same by k, (sites, 2 K_LIMIT + 1), int64.
        curves: What was watched, (epochs, 4), in the order of ``gain.CURVES``; NaN where nothing was.
    """

    ann_correct: np.ndarray
    snn_correct: np.ndarray
    std: np.ndarray
    gap: np.ndarray
    classes: np.ndarray
    errors: np.ndarray
    curves: np.ndarray

    def save(self, path: Path, training: dict[str, Any], reading: dict[str, Any]) -> None:
        """Write to ``path`` as a whole.

        Args:
            path: In the training's folder, see ``watched.cell_file``.
            training: What the weights were made with.
            reading: What the numbers were read with.

        Raises:
            CheckpointError: The folder cannot be written.
        """
        buffer = io.BytesIO()
        settings = np.array(json.dumps({"training": training, "reading": reading}, sort_keys=True))
        arrays: dict[str, Any] = {item.name: getattr(self, item.name) for item in fields(self)}
        np.savez(buffer, allow_pickle=False, **arrays, **{_SETTINGS: settings})
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, buffer.getvalue())
        except OSError as error:
            raise CheckpointError(
                f"{path.parent} cannot be written: {error.strerror}; free some space and start again, the training is "
                "kept."
            ) from None

    @staticmethod
    def load(path: Path, training: dict[str, Any], reading: dict[str, Any]) -> "Cell | None":
        """The finished cell in ``path``; None where there is none that was read in the same way.

        Raises:
            RecipeError: It was trained with other settings; names the fields.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                settings = json.loads(str(arrays[_SETTINGS]))
                found = Cell(**{item.name: arrays[item.name] for item in fields(Cell)})
                before = settings["training"], settings["reading"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None  # nothing there, or damaged: read again from the training's weights
        check_same(before[0], training, path)
        return found if before[1] == reading else None

"""Training: quantization-aware, from scratch or as fine-tuning. Needs torch, kornia and Lightning Fabric."""

import importlib
from typing import TYPE_CHECKING, Any

_WHERE = {
    "Batches": "batches",
    "Epoch": "epochs",
    "fine_tune": "tuning",
    "fit": "trainer",
    "start_network": "start",
    "train_new": "scratch",
}

__all__ = [*_WHERE]

if TYPE_CHECKING:
    from snnlab.training.batches import Batches
    from snnlab.training.epochs import Epoch
    from snnlab.training.scratch import train_new
    from snnlab.training.start import start_network
    from snnlab.training.trainer import fit
    from snnlab.training.tuning import fine_tune


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used."""
    if name in _WHERE:
        return getattr(importlib.import_module(f"{__name__}.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

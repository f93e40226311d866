"""Where networks run: the CPU with the compiled kernel, or CUDA with the same equations step by step in torch."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from snnlab.core.errors import SimulationError

DEVICES = ("cpu", "cuda")


def available_devices() -> tuple[str, ...]:
    """The devices that this machine has."""
    return DEVICES if torch.cuda.is_available() else ("cpu",)


def find_device(name: str, count: int = 1) -> torch.device:
    """The device of that name.

    Args:
        name: ``"cpu"`` or ``"cuda"``.
        count: Processes or GPUs that are to share the work of a training.

    Raises:
        SimulationError: No such name, or this machine has not that device, or fewer of them.
    """
    if name not in DEVICES:
        raise SimulationError(f"There is no device {name!r}; choose one of {', '.join(DEVICES)}.")
    if name not in available_devices():
        raise SimulationError("This machine has no CUDA device that torch can use; choose the device cpu.")
    if count < 1:
        raise SimulationError(f"devices is {count}; at least 1 is needed.")
    if name == "cuda" and count > 1 and count > torch.cuda.device_count():
        there = torch.cuda.device_count()
        raise SimulationError(f"devices is {count}, but this machine has {there} CUDA devices; ask for fewer.")
    return torch.device(name)


@contextmanager
def exact_arithmetic() -> Iterator[None]:
    """Whole float32 and the same algorithm every time, where a GPU would round to 10 bits or choose by speed."""
    matmul = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = matmul

"""Open foreign files in a process of limited memory and time; keep what they hold as safetensors.

``python -m snnlab.runs.intake SOURCE TARGET`` is that process: it reads SOURCE, writes TARGET, and prints one JSON
object. Nothing else opens what the app was given.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from snnlab.core.errors import CheckpointError
from snnlab.core.files import write_atomically
from snnlab.io.opening import INTAKE_KEY, file_sha256, read_file
from snnlab.runs.paths import upload_folder

EXTRA_MEMORY = 256 * 2**20
"""Bytes beyond twice the file that opening may take."""

TIME_LIMIT = 120  # seconds of wall clock


def open_limited(path: Path) -> Path:
    """Check a foreign file in a limited process.

    Args:
        path: Any file.

    Returns:
        A safetensors file with the same weights, kept by the content's hash.

    Raises:
        CheckpointError: Whatever is wrong with the file, in one sentence; also when reading it takes too much memory
            or time.
    """
    folder = upload_folder() / file_sha256(path)[:32]
    target = folder / f"{path.name}.safetensors"
    if target.exists():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "snnlab.runs.intake", str(path), str(target)],
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise CheckpointError(f"{path.name} took longer than {TIME_LIMIT} s to read; it is not opened.") from None
    except OSError as error:
        raise CheckpointError(f"{path.name} could not be kept: {error.strerror}; free some space.") from None
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):  # killed, or out of memory where Python could not say so
        raise CheckpointError(f"{path.name} needs more memory than its size allows; it is not opened.") from None
    if "error" in answer:
        raise CheckpointError(answer["error"])
    return target


def limit_memory(extra: int) -> None:
    """Allow ``extra`` bytes of address space beyond what this process holds; nothing where there is no such limit."""
    try:
        import resource

        held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (ImportError, OSError):
        return
    resource.setrlimit(resource.RLIMIT_AS, (held + extra, resource.getrlimit(resource.RLIMIT_AS)[1]))


def _main(source: Path, target: Path) -> None:
    import safetensors.torch

    try:
        limit_memory(2 * os.path.getsize(source) + EXTRA_MEMORY)
        opened = read_file(source)
        intake = {"name": opened.name, "sha256": opened.sha256, "notes": opened.notes, "ordered": opened.ordered}
        header = {**opened.header, INTAKE_KEY: json.dumps({**intake, "order": list(opened.tensors)})}
        tensors = {name: tensor.contiguous().clone() for name, tensor in opened.tensors.items()}
        write_atomically(target, safetensors.torch.save(tensors, header))
        answer = {"done": str(target)}
    except CheckpointError as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": f"{source.name} needs more memory than its size allows; it is not opened."}
    except OSError as error:
        answer = {"error": f"{source.name} could not be kept: {error.strerror}; free some space."}
    except RuntimeError as error:  # torch reports a refused allocation so
        reason = str(error).splitlines()[0][:120]
        answer = {"error": f"{source.name} cannot be read within its memory limit ({reason}); it is not opened."}
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))

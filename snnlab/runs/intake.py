"""Open foreign files in a process of limited memory and time; keep what they hold as safetensors.

``python -m snnlab.runs.intake SOURCE TARGET`` is that process: it reads SOURCE, writes TARGET, and prints one JSON
object. Nothing else opens what the app was given.
"""

import contextlib
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from snnlab.core.errors import CheckpointError
from snnlab.core.files import write_atomically
from snnlab.io.opening import INTAKE_KEY, file_sha256, read_file
from snnlab.runs.paths import kept_folder, note_use
from snnlab.runs.storage import make_room

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
    folder = kept_folder() / file_sha256(path)[:32]
    target = folder / f"{path.name}.safetensors"
    if target.exists():
        return note_use(target)
    make_room(path.stat().st_size, path.name)
    # Held open until the process has ended, and by nobody else: when this one is killed, that one ends too.
    watched, held = os.pipe()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "snnlab.runs.intake", str(path), str(target)],
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            stdin=watched,
        )
    except subprocess.TimeoutExpired:
        raise CheckpointError(f"{path.name} took longer than {TIME_LIMIT} s to read; it is not opened.") from None
    except OSError as error:
        raise CheckpointError(f"{path.name} could not be kept: {error.strerror}; free some space.") from None
    finally:
        os.close(watched)
        os.close(held)
        with contextlib.suppress(OSError):
            folder.rmdir()  # where nothing came of it
    try:
        answer = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):  # killed, or out of memory where Python could not say so
        raise CheckpointError(f"{path.name} needs more memory than its size allows; it is not opened.") from None
    if "error" in answer:
        raise CheckpointError(answer["error"])
    return note_use(target)


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

    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        limit_memory(2 * os.path.getsize(source) + EXTRA_MEMORY)
        opened = read_file(source)
        # The file's own name and hash, whatever its header says: another's would hide what was looked at before.
        intake = {"name": source.name, "sha256": file_sha256(source), "notes": opened.notes, "ordered": opened.ordered}
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
    except Exception as error:  # hostile bytes may reach anything; whatever it raises, the file is not opened
        answer = {"error": f"{source.name} is damaged ({type(error).__name__}); it is not opened."}
    print(json.dumps(answer), flush=True)


def _end_with_parent() -> None:
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), Path(sys.argv[2]))

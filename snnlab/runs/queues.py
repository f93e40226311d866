"""Who is next: jobs wait in their order, and workspaces take turns."""

from collections import OrderedDict, deque
from collections.abc import Iterator


class FairQueue:
    """Job ids by workspace. Not safe between threads; the pool's lock is held around it."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[str]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __iter__(self) -> Iterator[str]:
        """Waiting ids, workspace by workspace."""
        return iter([job_id for ids in self._waiting.values() for job_id in ids])

    def count(self, workspace: str) -> int:
        """How many of a workspace wait."""
        return len(self._waiting.get(workspace, ()))

    def push(self, workspace: str, job_id: str) -> None:
        """Add to the end of the workspace's line."""
        self._waiting.setdefault(workspace, deque()).append(job_id)

    def push_front(self, workspace: str, job_id: str) -> None:
        """Give back a job that was taken and could not be started; it is the next one."""
        self._waiting.setdefault(workspace, deque()).appendleft(job_id)
        self._waiting.move_to_end(workspace, last=False)

    def peek(self) -> tuple[str, str] | None:
        """Workspace and id of the next job; None when nobody waits."""
        for workspace, ids in self._waiting.items():
            return workspace, ids[0]
        return None

    def pop(self) -> str:
        """Take the next job; its workspace goes to the end of the round."""
        workspace, ids = next(iter(self._waiting.items()))
        job_id = ids.popleft()
        self._waiting.move_to_end(workspace)
        if not ids:
            del self._waiting[workspace]
        return job_id

    def remove(self, job_id: str) -> bool:
        """Take a job out, wherever it waits; False when it does not."""
        for workspace, ids in self._waiting.items():
            if job_id in ids:
                ids.remove(job_id)
                if not ids:
                    del self._waiting[workspace]
                return True
        return False

"""How long calls report progress and are cancelled."""

from collections.abc import Callable

ProgressCallback = Callable[[int, int, str], None]
"""``progress(done, total, what)``: called between units of work. It cancels the call by raising ``Cancelled``."""


def silent(done: int, total: int, what: str) -> None:
    """The default callback: reports nothing, never cancels."""

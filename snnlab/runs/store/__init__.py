"""The run store: its tables, how they came about, and what can be asked of them."""

from snnlab.runs.store.rows import RunRow
from snnlab.runs.store.runs import Store

__all__ = ["RunRow", "Store"]

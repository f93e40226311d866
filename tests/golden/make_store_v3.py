"""Make ``store_v3.db``, a run store of schema version 3, with the code that wrote that version.

Run it in a checkout of commit 7ee22b7, the last of that version: ``python make_store_v3.py store_v3.db``.
"""

import shutil
import sqlite3
import sys
from pathlib import Path

from snnlab.runs import Store

SECOND = Path(__file__).with_name("store_v2.db")
SHIPPED = "a3" * 16
"""Id of a run that is not in the store, as shipped ones are not."""


def main(path: str) -> None:
    """The store of version 2, brought to version 3, and marks of two of its runs and of a shipped one."""
    shutil.copy(SECOND, path)
    store = Store(path, overlay=Path("nowhere"))
    store.mark(f"{1:032x}", tags=["paper"], note="re\u0301sume\u0301")
    store.mark(f"{2:032x}", note="mine", workspace="a" * 32)
    store.close()
    with sqlite3.connect(path) as connection:  # one file, of small pages: it is kept in the repository
        connection.execute("INSERT INTO marks VALUES (?, ?, ?)", (SHIPPED, '["example"]', ""))
        connection.commit()
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA page_size = 512")
        connection.execute("VACUUM")


if __name__ == "__main__":
    main(sys.argv[1])

"""What takes room here: uploads, opened checkpoints and runs; how much, used when, and the way to remove it."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

import snnlab as sl
from pages._ui import cached, label, names, shell, show, state, workspace
from pages._ui.show import Column

KINDS = {"upload": "Uploads", "checkpoint": "Opened checkpoints"}
TRAINING = "Kept trainings"
SHOWN = 100
_SAID, _ASKED, _TURN = "storage.said", "storage.asked", "storage.turn"


@dataclass(frozen=True)
class _Line:
    """One thing that can be removed: a file that is kept, or a run."""

    key: str
    kind: str
    name: str
    size: int
    last_used: str
    remark: str = ""


def draw() -> None:
    """Numbers, lists and buttons; what cannot be read is one sentence here, and the page stands."""
    try:
        usage = sl.runs.storage.usage(cached.store())
        runs = [row for row in cached.store().list(cached.seen()) if not row.shipped]
    except ValueError as error:
        shell.refuse(error)
        return
    if said := st.session_state.pop(_SAID, None):
        st.success(said, icon=":material/check:")
    _numbers(usage)
    files = [_file(item) for item in reversed(usage.items)]
    _removable("files", "Files", files, "No file is kept: uploads and opened checkpoints are listed here.")
    trainings = [_file(item) for item in reversed(usage.trainings)]
    _removable("trainings", TRAINING, trainings, "No training is kept: those of experiments are listed here.")
    _removable("runs", "Your runs", [_run(row) for row in runs], "No run of yours is stored; the shipped ones stay.")


def size(number: int) -> str:
    """Bytes for people: 12.3 MB."""
    value, unit = float(number), "bytes"
    for unit in ("bytes", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:,.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"


def ago(when: str) -> str:
    """How long ago, roughly; ``when`` is UTC, ISO 8601."""
    try:
        moment = datetime.datetime.fromisoformat(when)
    except ValueError:
        return "–"
    minutes = (datetime.datetime.now(datetime.UTC) - moment).total_seconds() / 60
    if minutes < 2:
        return "just now"
    if minutes < 90:
        return f"{minutes:.0f} minutes ago"
    return f"{minutes / 60:.0f} hours ago" if minutes < 2880 else f"{minutes / 1440:.0f} days ago"


def _numbers(usage: "sl.runs.storage.Usage") -> None:
    share = min(usage.size / usage.quota, 1.0)
    st.progress(share, text=f"Files: {size(usage.size)} of {size(usage.quota)} ({100 * share:.0f} %)")
    room = min(usage.training_size / usage.training_quota, 1.0)
    told = f"{size(usage.training_size)} of {size(usage.training_quota)} ({100 * room:.0f} %)"
    st.progress(room, text=f"{TRAINING}: {told}")
    rows = [
        *(
            (title, sum(item.kind == kind for item in usage.items), sum(i.size for i in usage.items if i.kind == kind))
            for kind, title in KINDS.items()
        ),
        (TRAINING, len(usage.trainings), usage.training_size),
        ("Runs, of everybody", usage.runs, usage.run_bytes),
    ]
    show.table(
        rows,
        [
            Column("what", lambda row: row[0], strong=True),
            Column("number", lambda row: label.count(row[1]), numeric=True),
            Column("size", lambda row: size(row[2]), numeric=True),
        ],
        "What takes room",
        fit=True,
    )
    st.caption(
        f"{size(usage.free)} are free on the disk. Beyond their quota the files and trainings used longest ago go by "
        "themselves; `SNNLAB_QUOTA_GB` and `SNNLAB_TRAININGS_GB` set it. What a job uses stays, and "
        "what a run with a tag was made from. Runs stay until they are removed here or by `snnlab runs prune`, which "
        "spares those with a tag; pinning a baseline gives it one."
    )


def _file(item: "sl.runs.storage.StoredItem") -> _Line:
    return _Line(
        item.id,
        KINDS.get(item.kind, TRAINING),
        item.name,
        item.size,
        item.last_used,
        "in use" if item.in_use else "of a tagged run" if item.tagged else "",
    )


def _run(row: "sl.runs.RunRow") -> _Line:
    made = "command line" if row.workspace == cached.LOCAL else "this browser"
    return _Line(row.id, made, names.whole(row), row.size, row.last_used)


def _removable(place: str, title: str, lines: Sequence[_Line], nothing: str) -> None:
    if not lines:
        st.caption(nothing)
        return
    with st.expander(f"{title}: {len(lines)}, {size(sum(line.size for line in lines))}", icon=":material/folder_open:"):
        show.table(
            lines[:SHOWN],
            [
                Column("name", lambda line: label.name(line.name, 120)),
                Column("kind", lambda line: line.kind, optional=True, soft=True),
                Column("size", lambda line: size(line.size), numeric=True),
                Column("last used", lambda line: ago(line.last_used), numeric=True),
                Column("", lambda line: line.remark, soft=True),
            ],
            title,
        )
        by_key = {line.key: line for line in lines}
        turn = st.session_state.get(_TURN, 0)  # after a removal the widget starts anew
        chosen = st.multiselect(
            "Remove",
            list(by_key),
            key=f"storage-{place}-{turn}",
            format_func=lambda key: f"{label.name(by_key[key].name, 60)}, {size(by_key[key].size)}",
            placeholder="Choose what to remove",
        )
        _confirm(place, [by_key[key] for key in chosen])


def _confirm(place: str, chosen: list[_Line]) -> None:
    """Two clicks: the second says what goes."""
    asked = st.session_state.get(_ASKED) == (place, tuple(line.key for line in chosen))
    what = f"{len(chosen)} ({size(sum(line.size for line in chosen))})"
    if not chosen or not asked:
        if st.button(f"Remove {what}" if chosen else "Remove", key=f"storage-{place}-ask", disabled=not chosen):
            st.session_state[_ASKED] = (place, tuple(line.key for line in chosen))
            st.rerun()
        return
    lost = {
        "runs": "Links to them stop working.",
        "trainings": "Their fine-tuned checkpoints go, and an experiment with them trains anew; its stored run stays.",
    }.get(place, "They have to be given again to be opened again.")
    st.warning(f"{what} will be removed for good. {lost}", icon=":material/delete:")
    with st.container(horizontal=True, gap="small"):
        if st.button("Remove them", key=f"storage-{place}-remove", type="primary"):
            _remove(place, chosen)
        if st.button("Keep them", key=f"storage-{place}-keep"):
            st.session_state.pop(_ASKED)
            st.rerun()


def _remove(place: str, chosen: list[_Line]) -> None:
    st.session_state.pop(_ASKED)
    try:
        if place == "runs":
            for line in chosen:
                cached.store().delete(line.key, workspace=workspace.current())
            cached.forget_runs()
            state.forget_missing()
            freed = sum(line.size for line in chosen)
        else:
            keys = {line.key for line in chosen}
            usage = sl.runs.storage.usage(cached.store())
            found = [item for item in (*usage.items, *usage.trainings) if item.id in keys]
            freed = sl.runs.storage.remove(found, cached.store())
    except ValueError as error:
        shell.refuse(error)
        return
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1
    st.session_state[_SAID] = f"Removed {len(chosen)}, {size(freed)}."
    st.rerun()

"""Step 2: dataset, folder, normalisation and levels, with proposals, a detective, and a check of the ANN alone."""

import re
from typing import Any

import numpy as np
import streamlit as st
import yaml

import snnlab as sl
from pages._ui import jobs, label, places, progress, shell, show
from pages._ui.show import Column

AUTOMATIC = "find out on training images"
OWN_NUMBERS = "own numbers"
_IMAGES = {(3, 32, 32): "cifar10", (1, 28, 28): "mnist", (1, 8, 8): "digits"}
_USUAL_LEVELS = 8
_NAME = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LONGEST = 64 * 1024


class NotDeclared(ValueError):
    """What was typed is no architecture; the message is one sentence."""


def draw(
    key: str, card: dict[str, Any], choice: dict[str, Any], recipe: "sl.Recipe | None", found: dict[str, str]
) -> tuple[dict[str, Any], int | None]:
    """The fields; returns the data part of a recipe and the declared levels.

    Args:
        key: Prefix of widget keys, one per checkpoint.
        card: What is known of the checkpoint.
        choice: The checkpoint part of a recipe.
        recipe: Recipe of the run in view, when the form is about its checkpoint.
        found: Dataset and normalisation under which the network was found; they are proposed.
    """
    columns = st.columns(3, gap="medium")
    with columns[0]:
        data = _dataset(key, card, recipe, found)
    with columns[1]:
        normalize = _normalization(key, card, recipe, found)
    with columns[2]:
        levels = _levels(key, card, recipe)
    if normalize is not None:
        data["normalize"] = normalize
    values = {
        "checkpoint": {**choice, **({"levels": levels} if levels is not None else {})},
        "data": data,
        "converter": {"method": "percentile_norm"},
        "num_steps": 1,
    }
    ask, check = st.columns(2, gap="large")
    with ask:
        _detective(key, values)
    with check:
        _check(key, values)
    return data, levels


def _dataset(key: str, card: dict[str, Any], recipe: "sl.Recipe | None", found: dict[str, str]) -> dict[str, Any]:
    names = list(sl.data.DATASETS)
    guess = found.get("dataset") or (recipe.data.dataset if recipe else card["dataset"]) or _likely(card)
    name = st.selectbox(
        "Dataset",
        names,
        index=names.index(guess) if guess in names else 0,
        key=f"{key}-dataset",
        format_func=lambda n: sl.data.DATASETS[n].title,
        persist_state="session",
    )
    data: dict[str, Any] = {"dataset": name, "split": "dev"}
    if sl.data.DATASETS[name].needs_folder:
        before = (recipe.data.folder if recipe and recipe.data.dataset == name else None) or ""
        text = st.text_input(
            "Folder" if name != "npz" else "File (.npz with x and y)",
            before or places.known(name),
            key=f"{key}-folder",
            placeholder="the folder that holds the dataset",
            help="Under SNNLAB_DATA_ROOTS, or under the folder that the app was started in.",
            persist_state="session",
        )
        if text.strip():
            data["folder"] = text if text == before else _resolved(name, text)
    return data


def _resolved(dataset: str, text: str) -> str | None:
    try:
        folder = str(sl.runs.allowed_path(text))
        places.keep(dataset, folder)
        return folder
    except ValueError as error:
        shell.refuse(error)
        return None


def _likely(card: dict[str, Any]) -> str:
    proposed = card["proposals"].get("dataset")
    if proposed:
        return str(proposed[0])
    likely = _IMAGES.get(tuple(card["input_shape"]), "npz")
    return "cifar100" if likely == "cifar10" and card["num_classes"] == 100 else likely


def _normalization(key: str, card: dict[str, Any], recipe: "sl.Recipe | None", found: dict[str, str]) -> str | None:
    known = card["normalization"]
    presets = list(sl.data.PRESETS)
    options = [AUTOMATIC, *presets, OWN_NUMBERS] if card["foreign"] else [*presets, OWN_NUMBERS]
    now = found.get("normalize") or (recipe.data.normalize if recipe else None) or known
    index = options.index(now) if now in options else options.index(OWN_NUMBERS) if now else 0
    chosen = st.selectbox(
        "Normalisation",
        options,
        index=index,
        key=f"{key}-normalize",
        persist_state="session",
        help="How pixels became network input in training: (x − mean) / std, with x from 0 to 1.",
    )
    if chosen != OWN_NUMBERS:
        if known:
            st.caption(f"The file names {label.md(known)}.")
        elif found.get("normalize") == chosen:
            st.caption("The network was found with it.")
        return None if chosen == AUTOMATIC else chosen
    text = st.text_input(
        "Means / deviations",
        now if now and now not in presets else "",
        key=f"{key}-normalize-numbers",
        placeholder="0.49,0.48,0.45/0.25,0.24,0.26",
        persist_state="session",
    )
    if not text.strip():
        return None
    try:
        return sl.data.parse_normalization(text).name
    except ValueError as error:
        shell.refuse(error)
        return None


def _levels(key: str, card: dict[str, Any], recipe: "sl.Recipe | None") -> int | None:
    known = card["levels"] if "levels" not in card["unknown"] else None
    if card["activation"] != "qcfs" or known:
        said = f"{known}, from the file" if known else "none: the activation is not quantized"
        st.text_input("Quantization levels L", said, key=f"{key}-levels-known", disabled=True)
        return None
    proposed = card["proposals"].get("levels") or (_USUAL_LEVELS,)
    declared = recipe.checkpoint.levels if recipe else None
    levels = st.number_input(
        "Quantization levels L",
        1,
        256,
        declared or int(proposed[0]),
        key=f"{key}-levels",
        persist_state="session",
        help="The file does not tell L. A wrong L changes the ANN's accuracy: check it below.",
    )
    st.caption("Proposed: " + ", ".join(str(value) for value in proposed))
    return int(levels)


def _detective(key: str, values: dict[str, Any]) -> None:
    if st.button(
        "Which normalisation?", key=f"{key}-detective", icon=":material/search:", disabled=jobs.busy("normalization")
    ):
        _submit("normalization", values)
    progress.panel("normalization")
    found = jobs.result("normalization")
    if found is None or not _same(found[0]["recipe"], values, "checkpoint"):
        st.caption("Tries every known normalisation on 500 training images and ranks them.")
        return
    fields = dict(found[1])
    report = sl.analysis.Report.from_payload(fields, {"correct": np.array(fields.pop("correct"))})
    assert isinstance(report, sl.analysis.NormalizationReport), "the kind of job says so"
    rows = report.to_frame().to_dict("records")
    chosen = values["data"].get("normalize", "")
    show.table(
        rows,
        [
            Column("normalisation", lambda r: r["normalization"], strong=True),
            Column(
                "ANN accuracy",
                lambda r: label.percent(r["accuracy"]),
                numeric=True,
                bar=lambda r: r["accuracy"],
                bar_role="ann",
            ),
            Column("95 % interval", lambda r: label.span(r["low"], r["high"]), "Percent", numeric=True),
        ],
        "Normalisations, best first",
    )
    by_name = {row["normalization"]: row for row in rows}
    if chosen in by_name and by_name[chosen]["high"] < by_name[report.best]["low"]:
        st.warning(
            f"{label.md(chosen)} is clearly worse than {label.md(report.best)} on {report.images} training images: "
            "it is probably not what the network was trained with.",
            icon=":material/warning:",
        )
    else:
        st.caption(f"{report.images} training images of {label.md(report.dataset)}. Best: **{label.md(report.best)}**.")


def _check(key: str, values: dict[str, Any]) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        remembered = st.number_input(
            "Accuracy you remember, %",
            0.0,
            100.0,
            None,
            0.01,
            format="%.2f",
            key=f"{key}-remembered",
            persist_state="session",
            placeholder="91.73",
            width=190,
        )
        asked = st.button(
            "Check it on the test set",
            key=f"{key}-check",
            icon=":material/fact_check:",
            disabled=jobs.busy("evaluate_ann"),
            help="Runs the ANN alone on all test images, no SNN. Counted as a look at the test set.",
        )
    tested = {**values, "data": {**values["data"], "split": "test"}}
    if asked:
        _submit("evaluate_ann", tested)
    progress.panel("evaluate_ann")
    found = jobs.result("evaluate_ann")
    if found is None or not _same(found[0]["recipe"], tested, "checkpoint", "data"):
        st.caption("Runs the ANN alone, no SNN, on the whole test set; each look at it is counted.")
        return
    answer = found[1]
    span = label.span(answer["low"], answer["high"])
    looks = answer["looks"]
    found_now = f"ANN **{label.percent(answer['accuracy'])}** [{span}] on {answer['images']:,} test images"
    st.markdown(f"{found_now}; {_ordinal(looks)} look.")
    if remembered is not None:
        difference = answer["accuracy"] - remembered / 100
        same = abs(difference) <= 0.5 / answer["images"] + 0.00005
        verdict = "the same number" if same else f"{label.points(difference)} points from it"
        st.caption(f"You remember {remembered:.2f} %: {verdict}.")


def _ordinal(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _submit(kind: str, values: dict[str, Any]) -> None:
    try:
        recipe = sl.Recipe.parse(values)
    except ValueError as error:
        jobs.hide(kind)
        shell.refuse(error)
        return
    jobs.start(kind, {"recipe": recipe.to_dict()})
    st.rerun()


def architecture(text: str) -> Any:
    """What the user declared: a name, or layers as YAML; None for nothing. Never a path: a name has no dot or slash.

    Raises:
        ValueError: Neither; the message is the sentence to show.
    """
    text = text.strip()
    if not text or _NAME.fullmatch(text):
        return text or None
    try:
        if len(text) > _LONGEST or any(isinstance(t, yaml.AliasToken) for t in yaml.scan(text, Loader=yaml.SafeLoader)):
            raise NotDeclared("The declared architecture is too long or uses YAML aliases; write its layers out.")
        values = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f" (line {line + 1})"
        raise NotDeclared(f"The declared architecture is not valid YAML{where}.") from None
    if not isinstance(values, list | dict):
        raise NotDeclared("The declared architecture is neither a known name nor a list of layers.")
    return values


def _same(recipe: dict[str, Any], values: dict[str, Any], *parts: str) -> bool:
    """Whether a result still belongs to what the form says."""
    return all(recipe[part] == sl.Recipe.parse(values).to_dict()[part] for part in parts)

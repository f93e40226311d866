"""What is explained: one image of the run's data or a picture of one's own, for a class, by a method, at some T."""

from typing import Any

import streamlit as st

import snnlab as sl
from pages._ui import label, reports, selection, shell
from pages._ui.state import View

METHODS = {
    "ig": "Integrated Gradients",
    "saliency": "Saliency",
    "input_x_gradient": "Input × Gradient",
    "occlusion": "Occlusion",
    "gradcam": "Grad-CAM",
    "deeplift": "DeepLift (ANN alone)",
}
TARGETS = {"ann": "what the ANN says", "snn": "what the SNN says", "true": "true class"}
BASELINES = {"black": "black", "mean": "mean colour", "white": "white"}
EVERY = -1
MOST_STEPS = 5
_SUFFIXES = ["png", "jpg", "jpeg", "webp", "bmp"]


def draw(view: View, run: "sl.runs.Run", before: "sl.analysis.AttributionReport | None") -> dict[str, Any] | None:
    """The fields; the attribution part of a recipe, None while something is missing.

    Args:
        view: What is in view.
        run: The conversion.
        before: What the page shows: the fields start from it.
    """
    left, middle, right = st.columns([1.25, 1, 1], gap="medium")
    with left:
        own = st.segmented_control(
            "Image", ["of the data", "own picture"], default="of the data", required=True, key="explain-source"
        )
        image = _picture(run) if own == "own picture" else _image(view, run, before)
    with middle:
        names = [name for name in METHODS if name != "deeplift" or run.card["activation"] == "relu"]
        method = st.selectbox(
            "Method",
            names,
            format_func=METHODS.__getitem__,
            key="explain-method",
            help="DeepLift has a rule for ReLU alone; other activations are explained by the other methods.",
        )
        baseline = st.selectbox(
            "Image without evidence",
            list(BASELINES),
            format_func=BASELINES.__getitem__,
            key="explain-baseline",
            help="Integrated Gradients go from it to the image; occlusion and the curves put it in place of pixels.",
        )
    with right:
        classes = list(range(int(run.card["num_classes"])))
        known = [name for name in TARGETS if name != "true" or own != "own picture"]
        target = st.selectbox(
            "For the class",
            [*known, *classes],
            format_func=lambda each: TARGETS.get(each, f"class {each}"),
            key=f"explain-target-{own}",
        )
        least = sl.runs.least_steps(run.recipe)
        kept = [t for t in view.steps if t >= least]
        usual = [t for t in (1, 2, 4, 8) if t in kept] or kept[:1]
        steps = st.multiselect(
            "SNN at T",
            kept,
            default=[t for t in before.steps if t in kept] if before is not None and before.steps else usual,
            max_selections=MOST_STEPS,
            key=f"explain-steps-{run.id}",
        )
    if image is None or not steps:
        return None
    return {**image, "method": method, "target": target, "steps": sorted(steps), "baseline": baseline}


def _image(view: View, run: "sl.runs.Run", before: "sl.analysis.AttributionReport | None") -> dict[str, Any] | None:
    """An image by number, of all or of one true class; the one that is selected for every page first."""
    curve = reports.accuracy(run)
    says = curve.snn_predictions[view.target - 1]
    chosen = selection.current(run)
    classes = [EVERY, *sorted({int(each) for each in curve.labels})]
    of = chosen.index if chosen is not None and chosen.kind == selection.CLASS else EVERY
    follows = "" if chosen is None else chosen.to_text()
    wanted = st.selectbox(
        "True class",
        classes,
        index=classes.index(of) if of in classes else 0,
        format_func=lambda each: "all" if each == EVERY else f"class {each}",
        key=f"explain-class-{run.id}-{follows}",
    )
    places = [i for i, truth in enumerate(curve.labels) if wanted in (EVERY, int(truth))]
    first = chosen.image if chosen is not None and chosen.image is not None else None
    if first is None and before is not None:
        first = before.index
    image = st.selectbox(
        "Image, and what is said of it",
        places,
        index=places.index(first) if first in places else 0,
        format_func=lambda i: f"{i}: class {curve.labels[i]}, ANN {curve.ann_predictions[i]}, SNN {says[i]}",
        key=f"explain-image-{run.id}-{wanted}-{follows}",
        help=f"True class, the ANN's prediction, the SNN's at T = {view.target}",
    )
    return None if image is None else {"image": int(image)}


def _picture(run: "sl.runs.Run") -> dict[str, Any] | None:
    """A picture that is uploaded; what was done to it is said, or why it cannot be used."""
    given = st.file_uploader("Picture", type=_SUFFIXES, key="explain-upload", label_visibility="collapsed")
    if given is None:
        size = " × ".join(str(each) for each in run.card["input_shape"][1:])
        st.caption(f"PNG, JPEG, WebP or BMP; it is cut to its middle and resized to {size} pixels.")
        return None
    data = given.getvalue()
    try:
        read = sl.data.read_picture(data, tuple(run.card["input_shape"]))
        path = sl.runs.keep_picture(given.name, data)
    except ValueError as error:
        shell.refuse(error)
        return None
    for note in read.notes:
        st.caption(f":material/info: {label.md(note, 300)}")
    return {"picture": str(path), "sha256": read.sha256}

"""Help: what the nouns mean, the equations, how to read each page, the methods and their papers."""

from dataclasses import dataclass

import streamlit as st

import snnlab as sl
from pages._ui import label, own_method, shell, show, storage
from pages._ui.show import Column

if not shell.inside():
    shell.run_app_instead()


@dataclass(frozen=True)
class Term:
    """One word, what it stands for, and the role of its colour where it has one."""

    word: str
    meaning: str
    role: str = ""


TERMS = (
    Term("Checkpoint", "The weights of an ANN with what is known of them: architecture, dataset, source, licence."),
    Term("Site", "One activation of the ANN and the spiking neuron that replaces it."),
    Term("Threshold θ", "The potential at which a neuron fires, and what one spike is worth, in activation units."),
    Term("Time-steps T", "How often the image is shown to the spiking network. Few steps are fast and inexact."),
    Term("Gap", "Accuracy of the SNN minus that of its ANN, in percentage points: what the conversion costs."),
    Term("Potential v(t)", "What a neuron has collected and not yet fired away, after step t."),
    Term("Residual", "The potential that is left at the end. It tells whether a neuron fired too often or too rarely."),
    Term("Levels L", "The number of steps of a quantized activation such as QCFS, known from training."),
    Term("Run", "One recipe with its results. Its first digits stand in the address bar: the link restores the view."),
    Term(
        "Recipe", "Every choice behind a result: checkpoint, images, method, T. App, command line and Python share it."
    ),
    Term("dev", "Images that every page explores and tunes on. The test set stays closed, each look at it is counted."),
)

CLASSES = (
    Term("silent", "N = N* = 0: its charge pays for no spike, and none came. No error, however low v lies.", "silent"),
    Term("exact", "N = N*: what its charge pays for. v is the unspent part of one spike.", "exact"),
    Term("excess", "N > N*: it fired on early input that later input took back; v < 0.", "excess"),
    Term("missing", "N < N*: charge came late, faster than one spike a step can carry off; v ≥ θ.", "missing"),
    Term("saturated", "N = N* = t: it fired at every step and could do no more. Clipping, not timing.", "saturated"),
)

COLOURS = (
    Term("ANN", "The network that was converted; dashed in charts.", "ann"),
    Term("noisy ANN", "The same network with noise at its activations.", "noisy_ann"),
    Term("SNN", "The run in view.", "snn"),
    Term("compared", "The run that it is compared with.", "compared"),
)

PAGES = (
    Term("Checkpoint", "What the file holds, its accuracy, and the form for a network of one's own."),
    Term("Conversion", "What replaced each activation; thresholds and v(0) edited by site, and what that changes."),
    Term("Train", "Does training with this noise make the SNN better, beyond the same training without it?"),
    Term("Residuals", "Which neurons spent too much and which too little, layer by layer, down to one neuron over t."),
    Term("Noise", "Noise that stands for the conversion error in the ANN, layer by layer, and what it costs."),
    Term("Accuracy", "Accuracy against T from one simulation, and the T from which the SNN stays near its ANN."),
    Term("Error budget", "SNN minus ANN at every layer, split by cause; which layer is to blame; what could be tried."),
    Term("Flips", "The images on which ANN and SNN disagree, and the layer at which they part."),
    Term("Attribution", "Which parts of one image speak for its class, in the ANN and in the SNN at each T."),
    Term("Energy", "Operations of every layer, and up to which T the SNN costs less than its ANN."),
    Term("Runs", "Every run with its recipe and machine; two or more compared; tags, notes, export, offline report."),
    Term("Tournament", "Conversion methods against each other on the same images: accuracy, and what it costs."),
    Term("Final evaluation", "Opens the test set once for a whole experiment, and counts each look."),
)

KEYS = (
    Term("Tab, Shift Tab", "From control to control."),
    Term("↑ ↓, Page Up, Page Down", "In the list of sites: another site."),
    Term("← →", "In the list of sites and on the time slider: another time-step."),
    Term("Escape", "Closes menus and popovers."),
)


def terms(rows: tuple[Term, ...], caption: str) -> None:
    """A list of words and meanings."""
    swatch = (lambda t: t.role) if all(row.role for row in rows) else None
    show.table(
        rows, [Column("", lambda t: t.word, strong=True, swatch=swatch), Column("", lambda t: t.meaning)], caption
    )


def draw_methods() -> None:
    """Every registered method, with its paper."""
    st.header("Methods", anchor="methods")
    methods = sl.methods()
    show.table(
        methods,
        [
            Column("method", lambda m: m.display_name, strong=True),
            Column("what it does", lambda m: m.summary),
            Column("needs", lambda m: ", ".join(m.needs).replace("_", " ") or "nothing", optional=True),
            Column("paper", own_method.reference),
            Column("specified by", lambda m: m.evidence.replace("_", " "), "How sure it is", optional=True),
        ],
        "Conversion methods",
    )
    for method in methods:
        with st.expander(f"{method.display_name}: rule and parameters"):
            st.latex(method.equation)
            reference = sl.references().get(method.citation)
            if reference is not None:
                link = f" [arXiv:{reference.arxiv}](https://arxiv.org/abs/{reference.arxiv})" if reference.arxiv else ""
                st.markdown(f"{reference.authors}: *{reference.title}*. {reference.venue} {reference.year}.{link}")
            show.table(
                method.parameters,
                [
                    Column("parameter", lambda p: p.name, strong=True),
                    Column("default", lambda p: str(p.default), numeric=True),
                    Column("range", _range, numeric=True),
                    Column("meaning", lambda p: p.help),
                ],
                f"Parameters of {method.title}",
            )
    st.caption("† beside a method's name: the paper does not settle every detail, and ours is an interpretation.")
    draw_own_code()


def draw_own_code() -> None:
    """The files that whoever started the app has loaded, and how one loads a file."""
    st.header("Your own code", anchor="own-code")
    st.markdown(
        "A converter, a calibration or an activation of your own appears in every menu: write it as in "
        "`examples/own_method.py`, `own_calibration.py` or `own_activation.py`, then start `snnlab app --load "
        "my_method.py`. Its name and SHA-256 stand in every recipe made with it, and in every checkpoint that was "
        "trained with your activation."
    )
    files = sl.loaded_files()
    if files:
        show.table(
            files,
            [
                Column("file", lambda f: label.name(f.file, 60), strong=True),
                Column("brings", lambda f: ", ".join(f.methods) or "nothing"),
                Column("SHA-256", lambda f: f.sha256[:12] or "–"),
                Column("", lambda f: f.problem, soft=True),
            ],
            "Files loaded when the app was started",
        )


def _range(parameter: "sl.Parameter") -> str:
    if parameter.choices:
        return ", ".join(str(choice) for choice in parameter.choices)
    return f"{parameter.low:g} to {parameter.high:g}".replace("-", label.MINUS)


shell.page()
shell.title_bar("What do the words, numbers and colours mean?")
with st.container(key="help", gap="small"):
    st.markdown(
        "snnlab turns a trained ANN into a network of integrate-and-fire neurons and shows where accuracy is lost "
        "at few time-steps. At first a bundled example is in view; your own checkpoint goes in on the "
        "**Checkpoint** page. The CIFAR-10 networks in the menu show stored results; to compute new ones, name the "
        "folder of the data set in the sidebar."
    )
    terms(TERMS, "What the nouns mean")

    st.header("Charge balance", anchor="charge-balance")
    st.markdown(
        "A neuron is an account: input pays in, each spike pays out one threshold. Nothing is lost, so after $t$ steps "
        "with $N$ spikes"
    )
    st.latex(r"v(t) = v(0) + \sum_{s=1}^{t} I(s) - \theta N .")
    st.markdown("What the charge would have paid for, had it arrived evenly, is")
    st.latex(
        r"N^* = \mathrm{clip}\!\left(\left\lfloor \frac{v(0) + \sum_{s \le t} I(s)}{\theta} \right\rfloor, 0, t\right),"
        r"\qquad k = N - N^* ."
    )
    st.markdown("Each neuron and image belongs to one of five classes. Only **excess** and **missing** are errors:")
    terms(CLASSES, "The five classes")

    st.header("Quantized activation", anchor="qcfs")
    st.markdown(
        "QCFS trains the ANN with the staircase that an integrate-and-fire neuron produces: $L$ levels, learned "
        "threshold $\\lambda$, half a level of offset. With $\\theta = \\lambda$ and $v(0) = \\theta/2$ the "
        "conversion has no error at $T = L$ as long as the input arrives evenly."
    )
    st.latex(
        r"h(z) = \frac{\lambda}{L}\,"
        r"\mathrm{clip}\!\left(\left\lfloor \frac{zL}{\lambda} + \frac12 \right\rfloor, 0, L\right)"
    )

    st.header("The pages", anchor="pages")
    terms(PAGES, "What each page answers")
    terms(COLOURS, "Colours of curves")
    st.markdown(
        "The strip on top of every page names what is in view; each part leads to the page that sets it. Accuracies "
        "are percentages with a 95 % Wilson interval over images, differences are percentage points. Every page "
        "exports its figures (PDF, SVG, PNG at journal widths) and tables (CSV, LaTeX) with the recipe behind them."
    )
    draw_methods()

    st.header("Keyboard", anchor="keyboard")
    terms(KEYS, "Keys")

    st.header("What takes room here", anchor="storage")
    with st.container(key="storage", gap="small"):
        storage.draw()

    st.header("Privacy and safety", anchor="safety")
    st.markdown(
        "- The server listens on this machine only. Nothing is sent anywhere, and no statistics are gathered.\n"
        "- Checkpoints are opened as weights, in a process with little memory. A file that holds code is refused, and "
        "what it wanted to call is named.\n"
        "- Paths typed into the app lie under the folder that it was started in, or under `SNNLAB_DATA_ROOTS`.\n"
        "- Uploads are kept by their content's hash in the user's cache folder; runs in one file, `SNNLAB_STORE`.\n"
        "- Jobs and runs belong to the browser that made them, by a random token that it keeps; those of the command "
        "line belong to everybody here. A run opens for everybody who has its link, to be read only.\n"
        "- A link opens a stored view. It starts no computation, opens no test set and changes nothing."
    )

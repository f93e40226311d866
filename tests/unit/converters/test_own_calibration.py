"""A calibration of a user's file: a method by itself, a measure for converters, and what is refused."""

import numpy as np
import pytest
import torch

import snnlab as sl
from snnlab.core import loaded
from snnlab.core.errors import ConversionError, RecipeError
from snnlab.core.recipe import Recipe
from tests.own_code import CALIBRATION, own_code  # noqa: F401

pytestmark = pytest.mark.usefixtures("own_code")
VGG = "digits-vgg-relu"
CONVERTER = """

@sl.register
@dataclass(frozen=True)
class Half(sl.Converter):
    card: ClassVar[sl.MethodCard] = sl.MethodCard(
        name="half_mean", kind="converter", title="Half", summary="Half of it.", citation="", year=2026,
        evidence="official_code", needs=("calibration_data",), parameters=(), equation="x")

    @property
    def calibration(self):
        return MeanPlus(factor=1.0)

    def neuron_for(self, site):
        return sl.NeuronSpec(threshold=float(site.statistics.measured) / 2)
"""


def changed(folder, old, new):
    text = CALIBRATION.read_text()
    assert old in text
    path = folder / "mine.py"
    path.write_text(text.replace(old, new))
    return path


def activations(images):
    """Activations of every site, as the ANN gives them."""
    kept = {}
    ann = sl.example(VGG).build()
    for name, module in ann.named_modules():
        if isinstance(module, torch.nn.ReLU):
            module.register_forward_hook(lambda m, x, a, name=name: kept.__setitem__(name, a.detach().double()))
    ann(images.batch(0, len(images)))
    return kept


@pytest.fixture(scope="module")
def images():
    return sl.example(VGG).data("calibration", limit=100)


def test_the_example_is_short_and_a_method_beside_percentile_and_max(images):
    assert len(CALIBRATION.read_text().splitlines()) < 46
    loaded.load_file(CALIBRATION)
    assert "mean_plus" in [card.name for card in sl.methods()]
    snn = sl.convert(sl.example(VGG).build(), "mean_plus", data=images, factor=2.0)
    for name, a in activations(images).items():
        wanted = a.mean() + 2.0 * a.std(correction=0)
        assert float(snn.sites[name].threshold) == pytest.approx(float(wanted), rel=1e-5)
        assert float(snn.sites[name].initial_fraction) == 0.0


def test_it_is_measured_per_channel_where_the_method_wants_that(images, tmp_path):
    path = changed(
        tmp_path,
        "    factor: float = 3.0\n",
        "    factor: float = 3.0\n    initial_fraction: float = 0.5\n    wants_channels: ClassVar[bool] = True\n",
    )
    loaded.load_file(path)
    snn = sl.convert(sl.example(VGG).build(), "mean_plus", data=images)
    for name, a in activations(images).items():
        rows = a.transpose(0, 1).flatten(1)
        wanted = (rows.mean(1) + 3 * rows.std(1, correction=0)).numpy()
        wanted = np.where(wanted > 0, wanted, wanted.max())
        np.testing.assert_allclose(snn.sites[name].threshold.flatten().numpy(), wanted, rtol=1e-3, atol=1e-5)
        assert float(snn.sites[name].initial_fraction.flatten()[0]) == 0.5


def test_a_converter_of_the_same_file_measures_with_it(images, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(CALIBRATION.read_text() + CONVERTER)
    assert loaded.load_file(path).methods == ("mean_plus", "half_mean")
    ann = sl.example(VGG).build()
    half = sl.convert(ann, "half_mean", data=images)
    whole = sl.convert(ann, "mean_plus", data=images, factor=1.0)
    for name, neuron in half.sites.items():
        assert float(neuron.threshold) == pytest.approx(float(whole.sites[name].threshold) / 2)


def test_the_recipe_carries_its_parameters_and_its_file():
    found = loaded.load_file(CALIBRATION)
    made = Recipe.parse(
        {
            "checkpoint": {"source": VGG},
            "data": {"dataset": "digits", "limit": 20},
            "converter": {"method": "mean_plus", "parameters": {"factor": 2}},
            "num_steps": 2,
        }
    )
    assert made.converter.parameters == {"factor": 2.0}
    assert made.converter.code.sha256 == found.sha256
    assert made.own_files == ("own_calibration.py",)
    assert "--method mean_plus --load own_calibration.py" in sl.runs.as_cli(made)
    with pytest.raises(RecipeError, match="outside"):
        made.changed(converter={"parameters": {"factor": 99}})


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name="mean_plus"', 'name="max_norm"', "snnlab has a method 'max_norm' already"),
        ("sl.Calibration", "sl.Converter", r"not a calibration: derive it from sl\.Calibration, and write update and"),
        ("def finish", "def finishes", r"not a calibration: .* \(finish is missing\)"),
        ("def update", "def updates", r"\(update is missing\)"),
        ('needs=("calibration_data",)', "needs=()", r"give its card needs=\('calibration_data',\)"),
        (", low=0.0, high=20.0", "", "has no range"),
    ],
)
def test_a_card_that_does_not_fit_is_refused(tmp_path, old, new, told):
    with pytest.raises(RecipeError, match=told):
        loaded.load_file(changed(tmp_path, old, new))
    assert "mean_plus" not in [card.name for card in sl.methods()]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "return mean + self",
            "return torch.zeros(2) + mean + self",
            r"gives the shape \(2,\); here it must be \(1,\)",
        ),
        ("return mean +", "return mean / 0 +", "gives a value that is not finite"),
        ("mean = total / count", "mean = total / state[9]", "MeanPlus raised IndexError: tuple index out of range"),
        ("return mean +", "return -mean -", "mean_plus measured no threshold above 0 there; change its parameters"),
    ],
)
def test_what_goes_wrong_while_measuring_names_the_site(tmp_path, images, old, new, told):
    loaded.load_file(changed(tmp_path, old, new))
    with pytest.raises(ConversionError, match=told) as raised:
        sl.convert(sl.example(VGG).build(), "mean_plus", data=images)
    assert str(raised.value).startswith("stage1.act1: ")


def test_without_images_it_is_refused():
    loaded.load_file(CALIBRATION)
    with pytest.raises(ConversionError, match="mean_plus needs calibration images"):
        sl.convert(sl.example(VGG).build(), "mean_plus")

"""An activation of a user's file: trained with, recognised, kept in checkpoints, replaced by neurons, and refused."""

import copy

import pytest
import torch

import snnlab as sl
from snnlab.activations import ActivationSpec, GaussianNoise, describe, switch_noise, with_noise
from snnlab.core import loaded, registry
from snnlab.core.errors import CheckpointError, RecipeError
from snnlab.training.start import made_noisy, start_network
from tests.own_code import ACTIVATION, own_code  # noqa: F401

pytestmark = pytest.mark.usefixtures("own_code")
VGG = "digits-vgg-qcfs-L8"
TINY = {"epochs": 1, "images": 64, "batch_size": 32}
CLIP = """
import snnlab as sl, torch
@sl.register
class Clip(sl.Activation):
    card = sl.MethodCard(name="clip", kind="activation", title="Clip", summary="Clips.", citation="", year=2026,
        evidence="official_code", needs=(), parameters=(), equation="a")
    def __init__(self, threshold=8.0, levels=None):
        super().__init__(threshold, levels)
        self.gain = torch.nn.Parameter(torch.tensor(1.0))
    def forward(self, z):
        return torch.clamp(z * self.gain / self.threshold, 0, 1) * self.threshold
"""


def written(folder, text, name="mine.py"):
    path = folder / name
    path.write_text(text)
    return path


@pytest.fixture
def tuned():
    loaded.load_file(ACTIVATION)
    return sl.training.fine_tune(sl.example(VGG), activation="soft_stairs", **TINY)


def test_the_example_is_short_and_a_site_like_any_other():
    assert len(ACTIVATION.read_text().splitlines()) < 40
    loaded.load_file(ACTIVATION)
    assert [card.name for card in sl.methods("activation")] == ["soft_stairs"]
    assert "soft_stairs" not in [card.name for card in sl.methods()], "it is no conversion method"
    made = ActivationSpec("soft_stairs", 4, 1.0).make()
    assert describe(made) == ActivationSpec("soft_stairs", 4, 1.0)
    plan = sl.inspect(torch.nn.Sequential(torch.nn.Linear(2, 3), made, torch.nn.Linear(3, 2)))
    assert plan.sites == ("1",)
    assert plan.rows[2][2].note == "soft_stairs becomes an integrate-and-fire neuron"


def test_its_values_are_the_stairs_and_its_gradient_the_smooth_form():
    loaded.load_file(ACTIVATION)
    z = torch.linspace(-0.5, 1.5, 101, requires_grad=True)
    own, qcfs = ActivationSpec("soft_stairs", 4, 1.0).make(), ActivationSpec("qcfs", 4, 1.0).make()
    torch.testing.assert_close(own(z), qcfs(z), atol=1e-6, rtol=0)
    own(z).sum().backward()
    inside = (z > 0) & (z < 1)
    torch.testing.assert_close(z.grad[inside], (1 - torch.cos(8 * torch.pi * z) / 2)[inside].detach())
    assert not z.grad[(z < 0) | (z > 1)].any()


def test_noise_of_std_0_changes_nothing_and_other_noise_is_keyed(tmp_path):
    loaded.load_file(ACTIVATION)
    loaded.load_file(written(tmp_path, CLIP))
    z = torch.linspace(-1, 3, 64)
    for kind, levels in (("soft_stairs", 4), ("clip", None)):
        quiet = ActivationSpec(kind, levels, 2.0).make()
        noisy = with_noise(quiet, 0.0, seed=3)
        assert isinstance(noisy, GaussianNoise)
        assert torch.equal(noisy(z), quiet(z))
        noisy.std.fill_(0.1)
        noisy.reseed(3)
        first = noisy(z)
        assert 0.05 < float((first - quiet(z)).detach().std()) < 0.2
        again = with_noise(noisy, 0.1, seed=3)
        assert torch.equal(again(z), first)
        assert torch.equal(switch_noise(noisy, False)(z), quiet(z))
        assert describe(copy.deepcopy(noisy)) == describe(quiet)


def test_a_fine_tuned_checkpoint_knows_it_and_is_opened_converted_and_simulated(tuned, tmp_path):
    code = registry.source_of("soft_stairs", "activation")
    assert (tuned.card.activation, tuned.card.levels) == ("soft_stairs", 8)
    assert tuned.card.code == {"file": "own_activation.py", "sha256": code.sha256}
    assert not any(key.endswith(".std") for key in tuned.state_dict)
    saved = tuned.save(tmp_path / "tuned.safetensors")
    again = sl.load_checkpoint(tmp_path / "tuned.safetensors")
    assert again.card == saved.card
    images = again.data("dev", limit=60)
    x = images.batch(0, 60)
    assert torch.equal(again.build()(x), tuned.build()(x))
    snn = sl.convert(again.build(), "qcfs")
    assert [site.activation for site in snn.site_facts] == ["soft_stairs"] * 9
    assert all(site.levels == 8 for site in snn.site_facts)
    rec = sl.simulate(snn, images, num_steps=4)
    sl.save_snn(snn, tmp_path / "snn.safetensors", checkpoint=again)
    registry.unregister("soft_stairs", "activation")  # neurons have taken its place
    same = sl.simulate(sl.load_snn(tmp_path / "snn.safetensors"), images, num_steps=4)
    assert (rec.predictions == same.predictions).all()


def test_a_checkpoint_is_refused_where_the_file_is_not_loaded_or_another_version_is(tuned, tmp_path):
    path = tmp_path / "tuned.safetensors"
    tuned.save(path)
    registry.unregister("soft_stairs", "activation")
    with pytest.raises(CheckpointError, match=r"'soft_stairs' of own_activation\.py .*which is not loaded; add --load"):
        sl.load_checkpoint(path)
    loaded.load_file(written(tmp_path, ACTIVATION.read_text() + "# changed\n", "own_activation.py"))
    with pytest.raises(CheckpointError, match=r"own_activation\.py \(SHA-256 .*and the loaded one has .* that version"):
        sl.load_checkpoint(path)


def test_an_activation_of_a_notebook_is_named_where_it_is_not_known(tmp_path):
    loaded.load_file(ACTIVATION)
    cls = registry.method_class("soft_stairs", "activation")
    registry.unregister("soft_stairs", "activation")
    registry.register(cls)  # outside any file
    path = tmp_path / "tuned.safetensors"
    sl.training.fine_tune(sl.example(VGG), activation="soft_stairs", **TINY).save(path)
    assert sl.load_checkpoint(path).card.code is None
    registry.unregister("soft_stairs", "activation")
    with pytest.raises(CheckpointError, match="activation 'soft_stairs', which is not known here; known are relu"):
        sl.load_checkpoint(path)


def test_one_without_levels_and_with_a_parameter_of_its_own_is_trained(tmp_path):
    loaded.load_file(written(tmp_path, CLIP))
    tuned = sl.training.fine_tune(sl.example("digits-vgg-relu"), activation="clip", **TINY)
    assert (tuned.card.activation, tuned.card.levels) == ("clip", None)
    gains = [value for key, value in tuned.state_dict.items() if key.endswith(".gain")]
    assert len(gains) == 9
    assert any(float(gain) != 1.0 for gain in gains)
    path = tmp_path / "clip.safetensors"
    tuned.save(path)
    again = sl.load_checkpoint(path).build()
    x = tuned.data("dev", limit=20).batch(0, 20)
    torch.testing.assert_close(again(x), tuned.build()(x))
    assert all(site["threshold"] > 0 for site in tuned.sites)


def test_every_activation_of_the_network_is_exchanged():
    loaded.load_file(ACTIVATION)
    network = made_noisy(start_network(sl.example(VGG), "soft_stairs"))
    base = {name: module for name, module in sl.example(VGG).build().named_modules() if describe(module)}
    for name, module in base.items():
        now = network.get_submodule(name)
        assert type(now).__name__ == "NoisySoftStairs"
        assert torch.equal(now.threshold, module.threshold)
        assert now.levels == module.levels


def test_a_training_choice_names_the_file_and_refuses_another():
    from snnlab.core.recipe import TrainingChoice

    found = loaded.load_file(ACTIVATION)
    choice = TrainingChoice(activation="soft_stairs")
    assert choice.code.model_dump() == {"method": "soft_stairs", "file": "own_activation.py", "sha256": found.sha256}
    assert "code" not in TrainingChoice().settings(), "trainings kept by earlier versions are found again"
    registry.unregister("soft_stairs", "activation")
    again = TrainingChoice(**choice.model_dump())
    assert again == choice
    with pytest.raises(RecipeError, match=r"The activation 'soft_stairs' is of .* not loaded; add --load FILE"):
        again.check_code()
    for name, told in (
        ("soft_stairs", "not loaded"),
        ("qcf", "did you mean 'qcfs'"),
        ("relu", "not trained with relu"),
    ):
        with pytest.raises(ValueError, match=told):
            TrainingChoice(activation=name)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name="soft_stairs"', 'name="qcfs"', "snnlab has an activation 'qcfs' already"),
        ('kind="activation"', 'kind="relu"', "it is one of converter, calibration, activation"),
        ('kind="activation"', 'kind="converter"', "is not a converter: derive it from sl.Converter"),
        ("sl.Activation", "torch.nn.Module", "derive it from sl.Activation, and write forward"),
        ("def forward", "def forwards", r"is not an activation: .* \(forward is missing\)"),
        ('needs=("levels",)', 'needs=("calibration_data",)', "has threshold and levels alone"),
        ("parameters=()", 'parameters=(sl.Parameter("k", 1, "k", low=0, high=1),)', "has threshold and levels alone"),
        ('needs=("levels",)', "needs=()", "raised TypeError"),
        ("return self.threshold", "return -self.threshold", "gives values from -2 to 0; a neuron can only give 0"),
        ("return self.threshold", "return 1.5 * self.threshold", "gives values from 0 to 3"),
        ("self.threshold * (smooth", "self.threshold / 0 * (smooth", "does not give a finite number"),
        ("stairs = ", "self.noise = stairs = ", "SoftStairs.noise is where snnlab keeps the noise"),
        ("    def forward", "    std = 1.0\n\n    def forward", "SoftStairs.std is where snnlab keeps the noise"),
        (
            "    def forward",
            "    def __init__(self, threshold, levels):\n        super().__init__(1.0, levels)\n\n    def forward",
            r"SoftStairs\(2.0, 4\) has no threshold of 2.0",
        ),
    ],
)
def test_what_cannot_stand_at_a_site_is_refused_when_it_is_loaded(tmp_path, old, new, told):
    text = ACTIVATION.read_text()
    assert old in text
    path = written(tmp_path, text.replace(old, new))
    with pytest.raises(RecipeError, match=told) as raised:
        loaded.load_file(path)
    assert "\n" not in str(raised.value)
    assert sl.methods("activation") == ()


def test_a_name_is_taken_once_but_not_by_a_method(tmp_path):
    loaded.load_file(ACTIVATION)
    with pytest.raises(RecipeError, match=r"own_activation\.py brings an activation 'soft_stairs' already"):
        loaded.load_file(written(tmp_path, ACTIVATION.read_text() + "\n"))
    loaded.load_file(written(tmp_path, ACTIVATION.read_text().replace("soft_stairs", "max_norm"), "other.py"))
    assert [card.name for card in sl.methods("activation")] == ["max_norm", "soft_stairs"]
    assert registry.source_of("max_norm") is None

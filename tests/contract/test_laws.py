"""Laws that every registered converter obeys, and broken converters that must be caught breaking them."""

import copy
import itertools
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from snnlab.activations import LSQNoise, switch_noise, with_noise
from snnlab.calibration import fit_noise
from snnlab.converters.apply import convert
from snnlab.converters.base import Converter, half_or_zero
from snnlab.core import registry
from snnlab.core.errors import ConversionError
from snnlab.core.registry import MethodCard
from snnlab.core.sites import NeuronSpec
from snnlab.graph import prepare
from snnlab.io import example
from snnlab.neurons import IntegrateFire, MaskedIntegrateFire, OffsetIntegrateFire, SignedIntegrateFire
from snnlab.simulation import load_snn, save_snn, simulate, spiking_model
from snnlab.simulation.engine import site_shapes
from snnlab.simulation.read_out import mean_logits
from snnlab.training import start_network
from tests.conftest import Branched, MaxPooled, on_grid

STEPS = 9
METHODS = [card.name for card in registry.methods()]


@pytest.fixture
def network(request):
    """What a method converts: QCFS activations, or the quantizers that Noise Adaptor trains."""
    found = on_grid(Branched(), seed=4)
    parameters = request.node.callspec.params if hasattr(request.node, "callspec") else {}
    return low_bit(found) if parameters.get("method") == "noise_adaptor" else found


def low_bit(network):
    """A copy with 2-bit quantizers in place of QCFS, scales on the grid."""
    copied = copy.deepcopy(network)
    for name in ("act1", "act2", "act3"):
        scale = float(network.get_submodule(name).threshold.detach()) / 4
        copied.set_submodule(name, LSQNoise(scale, 2).requires_grad_(False))
    return copied.eval()


def conversion(network, images, method, **parameters):
    """Converted for STEPS, with everything that any method may ask for."""
    labels = torch.arange(len(images)) % 3
    return convert(
        network, method, data=images, validation=(images, labels), num_steps=STEPS, **quick(method), **parameters
    )


def quick(method):
    """A method that iterates does so a few times here; its laws hold after any number."""
    return {"iterations": 20} if takes(method, "iterations") else {}


def takes(method, parameter):
    """Whether a method has a parameter; a law that sets it says nothing of one that has not."""
    return parameter in {known.name for known in registry.card(method).parameters}


def started(neuron, current):
    """The neuron at the start of a sequence that repeats this input, its warm-up done."""
    neuron.reset()
    if neuron.warm_up_steps:
        neuron.warm_up(current.expand(neuron.warm_up_steps, *current.shape))
        return neuron.start
    return neuron.initial_membrane


# The laws. Each raises AssertionError when broken.


def law_input_survives(network, images, method):
    """1. The ANN is unchanged, bitwise."""
    before = copy.deepcopy(network.state_dict())
    kinds = [type(module) for module in network.modules()]
    snn = conversion(network, images, method)
    simulate(snn, images, num_steps=STEPS)
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert [type(module) for module in network.modules()] == kinds
    shared = {parameter.data_ptr() for parameter in network.parameters()}
    assert shared.isdisjoint(tensor.data_ptr() for tensor in snn.state_dict().values())


def law_charge_balance(network, images, method):
    """2. v(T) - v(0) = sum of input - threshold x spikes, within what float32 allows."""
    recording = simulate(conversion(network, images, method), images, num_steps=STEPS, snapshots=[1, STEPS])
    for site in recording.sites.values():
        assert site.statistics.identity[1] <= 1
        assert site.statistics.nan.sum() == 0


def law_constant_input(network, images, method):
    """3. At the first site the count is the closed form clip(floor((t (z + c) + v(0)) / threshold), 0, m t).

    Left out are neurons whose v(0) a method has put outside [0, threshold): they may fire before the input pays for it.
    Nothing goes out of masked neurons. Where the method neither corrects v(0), nor adds a current, nor masks, that is
    also the count that the charge pays for.
    """
    snn = conversion(network, images, method)
    recording = simulate(snn, images, num_steps=STEPS, snapshots=[STEPS])
    neuron = snn.sites["act1"]
    added = 0 if neuron.added_current is None else neuron.added_current.double()
    with torch.no_grad():
        z = dict(snn.graph.named_modules())["conv1"](images).double()
        start = started(neuron, z.float())
        worth = neuron.threshold if neuron.output_fraction is None else neuron.threshold * neuron.output_fraction
        fired = sum(neuron(z.float()) for _ in range(STEPS)) / worth
    charge = (STEPS * (z + added) + start.double()) / neuron.threshold.double()
    sure = (charge - charge.round()).abs() > 1e-4
    inside = ((start >= 0) & (start < neuron.threshold)).expand_as(sure)
    passes = getattr(neuron, "passes", None)
    counts = charge.floor().clamp(0, STEPS * neuron.most_spikes) * (1 if passes is None else passes)
    assert (sure & inside).float().mean() > 0.3
    assert torch.equal(fired.round().double()[sure & inside], counts[sure & inside])
    assert abs(recording.sites["act1"].statistics.spikes[0] - fired.sum().item()) <= (~sure).sum().item()
    if neuron.reference_fraction is None and passes is None:
        wrong = images.numel() // 2 * 4 - recording.sites["act1"].statistics.spike_errors[0, 6]
        assert wrong <= (0 if neuron.fires_at_equality else (~sure).sum())  # at the threshold itself one is due


def law_prefix(network, images, method):
    """4. Steps 1..t of a long run are a short run."""
    snn = conversion(network, images, method)
    long = simulate(snn, images, num_steps=STEPS)
    short = simulate(snn, images, num_steps=4)
    np.testing.assert_array_equal(long.predictions[:4], short.predictions)
    np.testing.assert_allclose(long.logits[:4], short.logits, rtol=1e-5, atol=1e-5)


def law_batch_independence(network, images, method):
    """5. An image's result does not depend on the images beside it."""
    snn = conversion(network, images, method)
    whole = simulate(snn, images, num_steps=STEPS)
    alone = [simulate(snn, images[i : i + 1], num_steps=STEPS) for i in range(len(images))]
    np.testing.assert_allclose(
        whole.logits, np.concatenate([run.logits for run in alone], axis=1), rtol=1e-4, atol=1e-4
    )


def law_no_state_left(network, images, method):
    """6. Nothing is left behind: a second run equals the first; hooks are none; the step path restarts by itself."""
    snn = conversion(network, images, method)
    first = simulate(snn, images, num_steps=STEPS)
    with torch.no_grad():
        one, two = snn(images, num_steps=STEPS), snn(images, num_steps=STEPS)
    second = simulate(snn, images, num_steps=STEPS)
    np.testing.assert_array_equal(first.logits, second.logits)
    assert torch.equal(one, two)
    assert not any(module._forward_hooks for module in [*snn.modules(), *network.modules()])


def law_paths_agree(network, images, method):
    """The step path and the fused path give the same mean logits."""
    snn = conversion(network, images, method)
    with torch.no_grad():
        stepped = snn.read_out(snn(images, num_steps=STEPS))
    np.testing.assert_allclose(simulate(snn, images, num_steps=STEPS).logits, stepped.numpy(), rtol=1e-4, atol=1e-4)


def law_declared_traits(network, images, method):
    """8. Thresholds are positive; neurons start at the card's v(0); parameters and T are told."""
    for fraction in (0.0, 0.25, 0.5) if takes(method, "initial_fraction") else (None,):
        parameters = {} if fraction is None else {"initial_fraction": fraction}
        snn = conversion(network, images, method, **parameters)
        assert snn.parameters_used == registry.card(method).check({**quick(method), **parameters})
        assert snn.converted_for == (STEPS if registry.card(method).depends_on_num_steps else None)
        shapes = site_shapes(snn, images)
        for name, neuron in snn.sites.items():
            assert (neuron.threshold > 0).all()
            if fraction is None:
                continue
            torch.testing.assert_close(neuron.initial_membrane, fraction * neuron.threshold)
            nothing = torch.zeros(1, *shapes[name])
            started(neuron, nothing)
            neuron(nothing)
            assert torch.allclose(neuron.mem, (fraction * neuron.threshold).expand_as(neuron.mem))


def law_num_steps(network, images, method):
    """9. Exactly the methods that say so give another network for another T, and ask for T."""
    depends = registry.card(method).depends_on_num_steps
    data = {"data": images, "validation": (images, torch.arange(len(images)) % 3), **quick(method)}
    one, two = (convert(network, method, num_steps=steps, **data) for steps in (2, STEPS))
    if depends:
        assert one.converted_for != two.converted_for
        with pytest.raises(ConversionError, match="pass num_steps=T"):
            convert(network, method, **data)
        return
    assert all(torch.equal(tensor, two.state_dict()[name]) for name, tensor in one.state_dict().items())
    without = convert(network, method, **data)
    assert all(torch.equal(tensor, without.state_dict()[name]) for name, tensor in one.state_dict().items())


def law_weights(network, images, method):
    """10. Weights that differ from the folded ANN's are listed, and only methods that say so have any."""
    snn, folded = conversion(network, images, method), prepare(network).graph.state_dict()
    kept = snn.graph.state_dict()
    other = {name for name, tensor in folded.items() if name in kept and not torch.equal(tensor, kept[name])}
    assert {name for name in other if not name.endswith("threshold")} == set(snn.changed_weights)
    assert registry.card(method).changes_weights or not snn.changed_weights


LAWS = [
    law_input_survives,
    law_charge_balance,
    law_constant_input,
    law_prefix,
    law_batch_independence,
    law_no_state_left,
    law_paths_agree,
    law_declared_traits,
    law_num_steps,
    law_weights,
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law(law, method, network, grid_images):
    law(network, grid_images, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    "law",
    [law_charge_balance, law_prefix, law_batch_independence, law_no_state_left, law_paths_agree, law_weights],
    ids=lambda law: law.__name__,
)
def test_law_behind_max_pools(law, method, grid_images):
    network = on_grid(MaxPooled(), seed=4)
    law(low_bit(network) if method == "noise_adaptor" else network, grid_images, method)


class Limit(nn.Module):
    """What a neuron's mean output tends to when its input is steady."""

    def __init__(self, neuron):
        super().__init__()
        self.high = neuron.most_spikes * neuron.threshold
        self.worth = 1 if neuron.output_fraction is None else neuron.output_fraction
        self.added = 0 if neuron.added_current is None else neuron.added_current

    def forward(self, z):
        return self.worth * torch.minimum(torch.relu(z + self.added), self.high)


NO_LIMIT = {
    "srp": "a neuron that is masked after the warm-up stays so, also where its input is positive in the long run"
}


@pytest.mark.parametrize("method", [method for method in METHODS if method not in NO_LIMIT])
def test_the_snn_approaches_the_clipped_ann(method, network, grid_images):
    """For large T the mean logits are those of the network with ReLU clipped at the thresholds."""
    parameters = {"initial_fraction": 0.5} if takes(method, "initial_fraction") else {}
    snn = conversion(network, grid_images, method, **parameters)
    clipped = copy.deepcopy(snn.graph)
    for name, neuron in snn.sites.items():
        clipped.set_submodule(name, Limit(neuron))
    with torch.no_grad():
        limit = clipped(grid_images).numpy()
    recording = simulate(snn, grid_images, num_steps=2048)
    early, late = (np.abs(recording.logits[t - 1] - limit).max() for t in (4, 2048))
    assert late < 0.02 * np.abs(limit).max()
    assert late < early


@pytest.mark.parametrize("method", METHODS)
def test_saving_and_loading_reproduces_the_recording(method, tmp_path):
    """7. The saved network is the network."""
    checkpoint = example("digits-vgg-qcfs-L8")
    images = checkpoint.data("dev", limit=10)
    parameters = {"initial_fraction": 0.25} if takes(method, "initial_fraction") else {}
    fit, ann = checkpoint.data("calibration", limit=32), checkpoint.build()
    if method == "noise_adaptor":
        ann = start_network(checkpoint, "lsq_noise", levels=3, calibration=fit).eval()
    snn = convert(
        ann, method, data=fit, num_steps=5, validation=checkpoint.data("validation", limit=16), **quick(method),
        **parameters
    )  # fmt: skip
    save_snn(snn, tmp_path / "snn.safetensors", checkpoint=checkpoint)
    again = load_snn(tmp_path / "snn.safetensors")
    one, two = (simulate(model, images, num_steps=5, snapshots=[5]) for model in (snn, again))
    np.testing.assert_array_equal(one.logits, two.logits)
    for told in ("converted_for", "findings", "read_out_delay", "warm_up_steps", "changed_weights"):
        assert getattr(again, told) == getattr(snn, told)
    for name, site in one.sites.items():
        assert type(again.sites[name]) is type(snn.sites[name])
        np.testing.assert_array_equal(site.statistics.histogram, two.sites[name].statistics.histogram)


@pytest.mark.parametrize("method", METHODS)
def test_the_card_names_the_least_steps(method, network, grid_images):
    card = registry.card(method)
    for parameters in ({}, {card.looks_at: 7} if card.looks_at else {}):
        snn = conversion(network, grid_images, method, **parameters)
        assert card.least_steps(quick(method) | parameters) == snn.least_steps


def test_every_method_is_documented_and_cited():
    from snnlab.core.references import REFERENCES

    for card in registry.methods():
        cls = registry.method_class(card.name)
        assert card.citation in REFERENCES
        assert f"[{card.citation}]" in cls.__doc__
        assert set(card.check({})) == set(cls.create().parameters)


def test_methods_differ_where_their_formulas_do(network, grid_images):
    """Two methods never give identical networks on one where their formulas differ."""
    networks = {}
    # nq is qcfs on other weights, and noise_adaptor on other activations
    different = [method for method in METHODS if method not in ("nq", "noise_adaptor")]
    for method in different:
        parameters = {"percentile": 90.0} if takes(method, "percentile") else {}
        if method == "ecl":  # it may choose the negative threshold of fast_snn
            parameters = {"negative_fraction": -0.5}
        snn = conversion(network, grid_images, method, **parameters)
        networks[method] = simulate(snn, grid_images, num_steps=STEPS).logits
    for one, two in itertools.combinations(different, 2):
        assert not np.array_equal(networks[one], networks[two]), f"{one} and {two} give the same numbers"


def test_nq_is_qcfs_on_the_same_weights(network, grid_images):
    """What NQ changes is the training; also where the network still carries its noise."""
    noisy = copy.deepcopy(network)
    for name in ("act1", "act2", "act3"):
        noisy.set_submodule(name, with_noise(noisy.get_submodule(name), 0.5))
    one = simulate(conversion(network, grid_images, "qcfs"), grid_images, num_steps=STEPS)
    for ann in (network, switch_noise(noisy, True)):
        two = simulate(conversion(ann, grid_images, "nq"), grid_images, num_steps=STEPS)
        np.testing.assert_array_equal(one.logits, two.logits)


def test_noise_adaptor_is_qcfs_on_its_own_activations(network, grid_images):
    """The neuron is the same, v(0) and all; it refuses the activations of others, which qcfs does not."""
    ann = low_bit(network)
    one, two = (
        simulate(conversion(ann, grid_images, name), grid_images, num_steps=STEPS) for name in ("noise_adaptor", "qcfs")
    )
    np.testing.assert_array_equal(one.logits, two.logits)
    with pytest.raises(ConversionError, match=r"act1 is a qcfs, and noise_adaptor needs lsq_noise .* or use qcfs\."):
        conversion(network, grid_images, "noise_adaptor")


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
def test_a_neuron_at_t_equal_p_is_the_quantizer_of_b_bits(bits):
    """Constant input: 20,000 values away from the edges, and all edges of a dyadic grid."""
    steps, layer = 2**bits - 1, LSQNoise(0.25, bits).eval()
    values = torch.rand(20_000, generator=torch.Generator().manual_seed(bits)) * (0.25 * steps + 1) - 0.5
    edges = (torch.arange(-4, 2 * steps + 8) / 2) * 0.25
    for z in (values[((values / 0.25 + 0.5).frac().abs() - 0.5).abs() < 0.4999], edges):
        ann = nn.Sequential(nn.Flatten(), nn.Linear(1, 1, bias=False), layer, nn.Linear(1, 1, bias=False))
        for position in (1, 3):
            nn.init.ones_(ann[position].weight)
        with torch.no_grad():
            expected = ann(z.reshape(-1, 1, 1, 1)).numpy()
        snn = convert(ann, "noise_adaptor")
        rates = simulate(snn, z.reshape(-1, 1, 1, 1), num_steps=steps).logits[-1]
        np.testing.assert_allclose(rates, expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(("method", "levels"), [("nq", 4), ("qcfs", 4), ("noise_adaptor", 3)])
def test_no_gap_at_the_first_site_where_t_is_l(method, levels, network, grid_images):
    """Constant input: at T = L the neuron is the quantizer, exactly on the grid."""
    snn = conversion(network, grid_images, method)
    profile = fit_noise(snn, network, grid_images, num_steps=levels)
    assert profile.std[0] == 0
    assert (profile.std[1:] > 0).all()
    law_input_survives(network, grid_images, method)


# Broken on purpose: the laws above must catch each.


def test_weights_changed_in_secret_are_caught(network, grid_images, monkeypatch):
    from snnlab.converters import apply

    genuine = apply.assemble

    def careless(*arguments, **named):
        snn = genuine(*arguments, **named)
        with torch.no_grad():
            snn.graph.get_parameter("conv2.weight").mul_(1.5)
        return snn

    monkeypatch.setattr(apply, "assemble", careless)
    with pytest.raises(AssertionError):
        law_weights(network, grid_images, "qcfs")


def _card(name):
    return MethodCard(
        name=name, kind="converter", title=name, summary="Broken.", citation="Bu2022", year=2000,
        evidence="interpretation", needs=(), parameters=(half_or_zero(0.5),), equation="",
    )  # fmt: skip


@dataclass(frozen=True)
class ForgetsInitialMembrane(Converter):
    card: ClassVar[MethodCard] = _card("broken_v0")
    initial_fraction: float = 0.5

    def neuron_for(self, site):
        return NeuronSpec(threshold=site.threshold)


@dataclass(frozen=True)
class HidesItsNumSteps(Converter):
    card: ClassVar[MethodCard] = _card("broken_steps")
    initial_fraction: float = 0.5

    def neuron_for(self, site):
        return NeuronSpec(threshold=site.threshold, initial_fraction=self.initial_fraction)

    def calibrate(self, context):
        neurons = super().calibrate(context)
        return {name: replace(spec, added_fraction=1 / (2 * context.num_steps)) for name, spec in neurons.items()}


class ForgetfulSigned(SignedIntegrateFire):
    """Keeps its count over a reset."""

    def reset(self):
        self.mem = None


class LateNeuron(IntegrateFire):
    """Emits every spike one step after it is due."""

    def reset(self):
        super().reset()
        self.held = None

    def forward(self, current):
        out = super().forward(current)
        late = torch.zeros_like(out) if self.held is None else self.held
        self.held = out
        return late


class LeakingNeuron(IntegrateFire):
    """Keeps its potential over a reset."""

    def reset(self):
        pass


class MutatingNeuron(IntegrateFire):
    """Writes into its input."""

    def forward(self, current):
        return super().forward(current.mul_(0.5))


@pytest.mark.parametrize(
    ("neuron", "law"),
    [
        (LateNeuron, law_paths_agree),
        (LeakingNeuron, law_no_state_left),
        (MutatingNeuron, law_paths_agree),
    ],
    ids=["fires late", "leaks state", "writes into its input"],
)
def test_a_broken_neuron_is_caught(neuron, law, network, grid_images, monkeypatch):
    monkeypatch.setattr(spiking_model, "IntegrateFire", neuron)
    with pytest.raises(AssertionError):
        law(network, grid_images, "qcfs")


class UnmaskedNeuron(MaskedIntegrateFire):
    """Forgets its mask in a loop of one's own."""

    def worth(self, fired):
        return IntegrateFire.worth(self, fired)


class UnmovedNeuron(OffsetIntegrateFire):
    """Finds its start and does not start there."""

    def _start(self, current):
        return IntegrateFire._start(self, current)


@pytest.mark.parametrize(
    ("method", "model", "neuron"),
    [("srp", "masked_integrate_fire", UnmaskedNeuron), ("cos", "offset_integrate_fire", UnmovedNeuron)],
    ids=["without its mask", "not where it should start"],
)
def test_a_warm_up_that_is_forgotten_is_caught(method, model, neuron, network, grid_images, monkeypatch):
    monkeypatch.setitem(spiking_model._WARM_UPS, model, neuron)
    with pytest.raises(AssertionError):
        law_paths_agree(network, grid_images, method)


def test_a_read_out_without_its_delay_is_caught(network, grid_images, monkeypatch):
    monkeypatch.setattr(spiking_model, "mean_logits", lambda logits, delay: mean_logits(logits, None))
    whole = simulate(conversion(network, grid_images, "ltb"), grid_images, num_steps=STEPS).logits
    monkeypatch.undo()
    windowed = simulate(conversion(network, grid_images, "ltb"), grid_images, num_steps=STEPS).logits
    np.testing.assert_array_equal(whole[:4], windowed[:4])
    assert not np.allclose(whole[4:], windowed[4:])


def test_a_count_that_survives_a_reset_is_caught(grid_images, monkeypatch):
    network = on_grid(Branched(), seed=5)  # one where a neuron that fired at the end is below 0 at the start
    monkeypatch.setattr(spiking_model, "SignedIntegrateFire", ForgetfulSigned)
    with pytest.raises(AssertionError):
        law_no_state_left(network, grid_images, "ecl")


def test_a_hidden_dependence_on_the_steps_is_caught(network, grid_images):
    registry.register(HidesItsNumSteps)
    try:
        with pytest.raises(AssertionError):
            law_num_steps(network, grid_images, "broken_steps")
    finally:
        registry.unregister("broken_steps")


def test_a_forgotten_initial_membrane_is_caught(network, grid_images):
    registry.register(ForgetsInitialMembrane)
    try:
        with pytest.raises(AssertionError):
            law_declared_traits(network, grid_images, "broken_v0")
    finally:
        registry.unregister("broken_v0")


def test_a_converter_that_changes_the_ann_is_caught(network, grid_images, monkeypatch):
    from snnlab.converters import apply

    genuine = apply.prepare

    def careless(ann):
        with torch.no_grad():
            next(ann.parameters()).mul_(0.5)
        return genuine(ann)

    monkeypatch.setattr(apply, "prepare", careless)
    with pytest.raises(AssertionError):
        law_input_survives(network, grid_images, "qcfs")

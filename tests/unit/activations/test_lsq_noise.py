"""The quantizer of Noise Adaptor: forward, gradients and the mean over its noise, each from the formula."""

import copy
import math

import pytest
import torch

import snnlab as sl
from snnlab.activations import QCFS, ActivationSpec, LSQNoise, describe, is_activation, switch_noise, with_noise
from snnlab.activations.keyed import KeyedNoise, uniforms_like
from snnlab.core.errors import CheckpointError, ConversionError
from snnlab.io import Checkpoint
from snnlab.models import build
from snnlab.training.devices import Share
from tests.reference.literal import lsq_backward_literally, lsq_forward_literally

MODES = ("pre_round", "additive", "none")


@pytest.fixture
def z():
    return torch.randn(6, 3, 4, 4, generator=torch.Generator().manual_seed(0)) * 1.5


def noise_of(module, z):
    """The epsilon of the module's next pass."""
    twin = copy.deepcopy(module)
    uniforms = twin.draw(z, uniforms_like)
    return twin._epsilon(z, uniforms, twin.draw(z, uniforms_like) if twin.noise_prob < 1 else None)


@pytest.mark.parametrize("bits", [1, 2, 3, 4])
@pytest.mark.parametrize("mode", MODES)
def test_forward_and_gradients_are_the_formulas(z, mode, bits):
    module = LSQNoise(0.4, bits, noise_mode=mode, noise_amp=0.7, noise_prob=0.6, seed=3).double().train()
    z = z.double().requires_grad_()
    epsilon = noise_of(module, z) if mode != "none" else torch.zeros_like(z)
    upstream = torch.randn(z.shape, generator=torch.Generator().manual_seed(1)).double()
    out = module(z)
    out.backward(upstream)

    s, p = float(module.scale.detach()), 2**bits - 1
    flat = [values.flatten().tolist() for values in (z.detach(), epsilon, upstream)]
    rounds = mode != "additive"
    expected = [lsq_forward_literally(v, s, p, e, rounds) for v, e in zip(*flat[:2], strict=True)]
    by_z, by_s = zip(*(lsq_backward_literally(v, s, p, e, rounds) for v, e in zip(*flat[:2], strict=True)), strict=True)
    torch.testing.assert_close(out.detach().flatten(), torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-12)
    assert z.grad.flatten().tolist() == [g * d for g, d in zip(flat[2], by_z, strict=True)]
    total = math.fsum(g * d for g, d in zip(flat[2], by_s, strict=True)) / math.sqrt(len(z) * p)
    assert module.scale.grad.item() == pytest.approx(total, rel=1e-10)


def test_gradient_of_s_at_the_ends_and_inside():
    """0 below, p above, round(u) - u between; METHODS has them as cases."""
    for value, expected in ((-0.3, 0.0), (0.0, 0.0), (0.2, -0.4), (0.3, 0.4), (1.5, 3.0), (7.0, 3.0)):
        module = LSQNoise(0.5, 2, noise_mode="none").double()
        module(torch.tensor([value]).double()).sum().backward()
        assert module.scale.grad.item() * math.sqrt(3) == pytest.approx(expected, abs=1e-7), value


def test_the_gradient_scale_is_an_option(z):
    by_batch, by_numel = (LSQNoise(0.5, 2, noise_mode="none", gradient_scale=name) for name in ("batch", "numel"))
    for module in (by_batch, by_numel):
        module(z).sum().backward()
    assert by_batch.scale.grad.item() == pytest.approx(by_numel.scale.grad.item() * math.sqrt(z[0].numel()), rel=1e-5)


@pytest.mark.parametrize("bits", [1, 2, 3])
def test_the_mean_over_the_noise_is_the_input_where_the_formula_says_so(bits):
    """Every epsilon of an even grid of 1,000 in (-1/2, 1/2) counts once, so the mean is an integral, not a sample."""
    s, p, n = 0.5, 2**bits - 1, 1000
    epsilon = [(i + 0.5) / n - 0.5 for i in range(n)]
    v = torch.linspace(0, s * p, 41, dtype=torch.float64)

    def mean(rounds):
        return torch.tensor(
            [math.fsum(lsq_forward_literally(x, s, p, e, rounds) for e in epsilon) / n for x in v.tolist()],
            dtype=torch.float64,
        )

    torch.testing.assert_close(mean(True), v, rtol=0, atol=s / n)
    within = (v >= s / 2) & (v <= s * p - s / 2)
    torch.testing.assert_close(mean(False)[within], v[within], rtol=0, atol=1e-12)
    assert mean(False)[0].item() == pytest.approx(s / 8, rel=1e-5)  # the bias at both ends
    assert mean(False)[-1].item() == pytest.approx(s * p - s / 8, rel=1e-5)
    below = [lsq_forward_literally(-0.1 * s, s, p, e, True) for e in epsilon]
    assert set(below) <= {0.0}
    assert any(lsq_forward_literally(-0.1 * s, s, p, e, False) > 0 for e in epsilon)


@pytest.mark.parametrize("mode", MODES[:2])
def test_the_module_draws_that_noise(mode):
    """200,000 draws at one value: the mean is off by less than five standard errors, and it would not be 1/16 s off."""
    module = LSQNoise(0.5, 2, noise_mode=mode).train()
    for value in (0.4, 0.75, 1.1):
        drawn = module(torch.full((200_000,), value))
        assert abs(drawn.mean().item() - value) < 5 * 0.25 / math.sqrt(len(drawn))
    epsilon = noise_of(module, torch.zeros(100_000))
    assert -0.5 <= epsilon.min() < -0.499
    assert 0.499 < epsilon.max() <= 0.5
    assert module.noise_std == pytest.approx(epsilon.std().item() * 0.5, rel=0.01)
    spared = LSQNoise(0.5, 2, noise_mode=mode, noise_prob=0.25, noise_amp=2.0).train()
    some = noise_of(spared, torch.zeros(100_000))
    assert (some != 0).float().mean().item() == pytest.approx(0.25, abs=0.01)
    assert some.abs().max().item() == pytest.approx(2.0, abs=0.01)
    assert spared.noise_std == pytest.approx(some.std().item() * 0.5, rel=0.02)


@pytest.mark.parametrize("mode", MODES)
def test_evaluation_rounds_and_nothing_else(z, mode):
    module = LSQNoise(0.4, 2, noise_mode=mode).eval()
    rounded = 0.4 * (z / 0.4 + 0.5).floor().clamp(0, 3)

    torch.testing.assert_close(module(z), rounded)
    torch.testing.assert_close(module(z), QCFS(1.2, 3)(z))  # the quantizer of QCFS with p levels
    noisy = switch_noise(copy.deepcopy(module), True)(z)
    assert torch.equal(noisy, module(z)) == (mode == "none")
    assert torch.equal(switch_noise(copy.deepcopy(module).train(), False)(z), module(z))


def test_own_generator_keyed_by_seed(z):
    before = torch.get_rng_state()
    one, two, other = (LSQNoise(0.4, 2, seed=seed).train() for seed in (1, 1, 2))
    first, second = one(z), one(z)

    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(two(z), first)
    assert not torch.equal(first, second)
    assert not torch.equal(other(z), first)
    one.reseed(1)
    assert torch.equal(one(z), first)
    assert isinstance(one, KeyedNoise)


@pytest.mark.parametrize("gradient_scale", ["batch", "numel"])
def test_two_processes_draw_and_scale_as_one(z, gradient_scale):
    """Each takes its images of the noise of the whole batch, and scales the gradient of s by the whole batch."""
    options = {"noise_prob": 0.5, "gradient_scale": gradient_scale, "seed": 4}
    whole, grad = LSQNoise(0.4, 2, **options).train(), 0.0
    one = whole(z)
    one.sum().backward()
    for rank in (0, 1):
        half = LSQNoise(0.4, 2, **options).train()
        half.part = Share(rank, 2, len(z))
        out = half(half.part.of(z))
        out.sum().backward()
        assert torch.equal(out, half.part.of(one))
        grad += half.scale.grad.item()
    assert grad == pytest.approx(whole.scale.grad.item(), rel=1e-5)


def test_noise_keeps_the_memory_format(z):
    module = LSQNoise(0.4, 2).train()
    last = torch.rand(4, 8, 5, 5).contiguous(memory_format=torch.channels_last)
    assert module(last).is_contiguous(memory_format=torch.channels_last)


def test_the_scale_stays_positive_in_training(z):
    module = LSQNoise(0.4, 2).train()
    with torch.no_grad():
        module.scale.fill_(-3.0)
    assert torch.isfinite(module(z)).all()
    assert module.scale.item() == pytest.approx(1e-4)


def test_specification_and_copies():
    spec = ActivationSpec("lsq_noise", 7, 1.75, noise_mode="additive", noise_amp=0.25, noise_prob=0.5)
    module = spec.make()

    assert (module.bits, module.levels, module.scale.item()) == (3, 7, 0.25)
    assert is_activation(module)
    assert describe(module) == spec == describe(copy.deepcopy(module))
    module.scale.data.fill_(0.123456789)
    assert describe(module).make().scale.item() == module.scale.item()  # bitwise
    noisy = with_noise(module, 0.3).eval()
    x = torch.rand(3, 4)
    assert torch.equal(noisy(x), module.eval()(x))
    assert describe(noisy).threshold == describe(module).threshold
    noisy.noise = True
    assert not torch.equal(noisy(x), module(x))


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ({"bits": 0}, "bits is 0; give a whole number from 1 to 8"),
        ({"bits": 9}, "bits is 9"),
        ({"bits": 2.0}, "bits is 2.0"),
        ({"noise_prob": 1.1}, "noise_prob is 1.1; give a number from 0 to 1"),
        ({"noise_prob": float("nan")}, "noise_prob is nan"),
        ({"noise_amp": -0.1}, "noise_amp is -0.1; give a finite number"),
        ({"noise_amp": float("inf")}, "noise_amp is inf"),
        ({"noise_mode": "post_round"}, "noise_mode is 'post_round'; give one of pre_round, additive, none"),
        ({"gradient_scale": "sum"}, "gradient_scale is 'sum'; give one of batch, numel"),
    ],
)
def test_bad_settings_are_named(bad, said):
    with pytest.raises(ConversionError, match=said):
        LSQNoise(0.5, **bad)


@pytest.mark.parametrize("levels", [None, 0, 4, 511])
def test_levels_that_no_bits_give_are_refused(levels):
    with pytest.raises(ConversionError, match=r"2\^b - 1 levels"):
        ActivationSpec("lsq_noise", levels).make()


@pytest.fixture
def checkpoint():
    base = sl.example("digits-vgg-qcfs-L8").card
    spec = ActivationSpec("lsq_noise", 3, 4.0, noise_mode="additive", noise_prob=0.25, gradient_scale="numel")
    network = build(base.architecture, spec, seed=1)
    with torch.no_grad():
        for index, site in enumerate(module for module in network.modules() if isinstance(module, LSQNoise)):
            site.scale.fill_(0.1 * (index + 1))
    facts = {"name": "low-bit", "dataset": "digits", "normalization": base.normalization}
    return Checkpoint.from_network(network, base.architecture, spec, **facts)


def test_a_checkpoint_keeps_the_quantizer_and_says_how_it_was_trained(checkpoint, tmp_path):
    saved = checkpoint.save(tmp_path / "low-bit.safetensors")
    again = sl.load_checkpoint(tmp_path / "low-bit.safetensors")

    assert again.card == saved.card
    assert (again.card.activation, again.card.levels) == ("lsq_noise", 3)
    assert again.card.quantizer == {
        "noise_mode": "additive", "noise_amp": 0.5, "noise_prob": 0.25, "gradient_scale": "numel"
    }  # fmt: skip
    assert again.card.sites[1]["threshold"] == pytest.approx(3 * 0.2)
    assert type(again.card).from_dict(again.card.to_dict()) == again.card
    images = again.data("dev", limit=4).batch(0, 4)
    one, two = checkpoint.build(), again.build()
    assert torch.equal(one(images), two(images))
    module = next(module for module in two.modules() if isinstance(module, LSQNoise))
    assert (module.bits, module.noise_mode, module.noise_prob, module.gradient_scale) == (2, "additive", 0.25, "numel")


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("levels", 4, r"levels of lsq_noise are not 2\^b - 1"),
        ("levels", None, r"levels of lsq_noise are not 2\^b - 1"),
        ("quantizer", {}, "quantizer does not hold noise_mode"),
        ("quantizer", ["noise_mode"], "quantizer does not hold"),
        ("activation", "qcfs", "quantizer belongs to lsq_noise alone"),
    ],
)
def test_a_damaged_header_is_refused(checkpoint, tmp_path, field, value, said):
    from snnlab.io import native

    card = {"activation": "lsq_noise", "levels": 3, "quantizer": checkpoint.card.quantizer, field: value}
    native.write_native(tmp_path / "bad.safetensors", checkpoint.state_dict, card)
    with pytest.raises(CheckpointError, match=said):
        sl.load_checkpoint(tmp_path / "bad.safetensors")


def test_a_scale_that_is_not_positive_is_refused(checkpoint):
    state = dict(checkpoint.state_dict)
    network = checkpoint.build()
    state["stage1.act2.scale"] = torch.tensor(-0.1)
    network.load_state_dict(state)
    with pytest.raises(CheckpointError, match=r"threshold of stage1\.act2 is -0\.3; it must be positive"):
        Checkpoint.from_network(network, checkpoint.card.architecture, ActivationSpec("lsq_noise", 3, 4.0))

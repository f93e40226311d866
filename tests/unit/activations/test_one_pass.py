"""Activations in one pass over memory against the same formula in torch, which acts on every other kind of tensor."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from snnlab.activations import QCFS, ClippedReLU, LSQNoise
from snnlab.activations.fused import with_given_noise
from snnlab.activations.keyed import uniforms_like


def _input(layout: torch.memory_format, seed: int = 0) -> Tensor:
    z = torch.randn(3, 5, 4, 6, generator=torch.Generator().manual_seed(seed)) * 2
    z.view(-1)[:6] = torch.tensor(
        [0.0, 1.5, -0.0, 0.1875, float("inf"), float("-inf")]
    )  # both ends, and a tie of floor
    return z.contiguous(memory_format=layout)


LAYOUTS = [torch.contiguous_format, torch.channels_last]
MADE = [lambda: QCFS(1.5, 4), lambda: ClippedReLU(1.5)]
BOTH = pytest.mark.parametrize("make", MADE, ids=["qcfs", "clipped_relu"])


def _plain(z: Tensor, threshold: Tensor, levels: int) -> Tensor:
    clipped = torch.clamp(z / threshold, 0.0, 1.0)
    return torch.floor(clipped * levels + 0.5) / levels * threshold


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_values_are_those_of_torch_bit_for_bit(layout: torch.memory_format) -> None:
    z = _input(layout)
    z[0, 1, 0, 1] = float("nan")
    for levels in (1, 4, 7):
        module = QCFS(1.5, levels)
        a = module(z)
        assert a.stride() == z.stride()
        assert torch.equal(a.nan_to_num(nan=-1.0), _plain(z, module.threshold, levels).nan_to_num(nan=-1.0))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_clipped_values_are_those_of_torch_bit_for_bit(layout: torch.memory_format) -> None:
    z = _input(layout)
    z[0, 1, 0, 1] = float("nan")
    for threshold in (1.5, -0.5):  # a learned one may go astray
        module = ClippedReLU(threshold)
        a, plain = module(z), torch.minimum(torch.relu(z), module.threshold)
        assert a.stride() == z.stride()
        assert torch.equal(a.nan_to_num(nan=-1.0), plain.nan_to_num(nan=-1.0))
        assert torch.equal(module.double()(z.double()).float().nan_to_num(nan=-1.0), plain.nan_to_num(nan=-1.0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_clipping_passes_gradients_at_both_ends_and_the_threshold_takes_those_above(dtype: torch.dtype) -> None:
    z = torch.tensor([-1.0, 0.0, 1.0, 1.5, 2.0], dtype=dtype, requires_grad=True)
    module = ClippedReLU(1.5).to(dtype)
    module(z).backward(torch.tensor([1.0, 2.0, 4.0, 8.0, 16.0], dtype=dtype))
    assert z.grad is not None
    assert module.threshold.grad is not None
    assert z.grad.tolist() == [0.0, 2.0, 4.0, 8.0, 0.0]
    assert module.threshold.grad.item() == 16.0


@BOTH
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("turned", [False, True])
def test_gradients_are_those_of_torch_whatever_the_layouts(
    make: Callable[[], Any], layout: torch.memory_format, turned: bool
) -> None:
    z = _input(layout).nan_to_num(posinf=9.0, neginf=-9.0).requires_grad_()
    grad = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    grad = grad.contiguous(memory_format=LAYOUTS[1 - LAYOUTS.index(layout)] if turned else layout)
    module = make()
    module(z).backward(grad)
    exact = make().double()
    wide = z.detach().double().requires_grad_()
    exact(wide).backward(grad.double())
    assert z.grad is not None
    assert wide.grad is not None
    assert torch.equal(z.grad, wide.grad.float())
    assert module.threshold.grad is not None
    assert exact.threshold.grad is not None
    torch.testing.assert_close(module.threshold.grad.double(), exact.threshold.grad, rtol=1e-6, atol=1e-6)


@BOTH
def test_what_needs_no_gradient_gets_none(make: Callable[[], Any]) -> None:
    z = _input(torch.contiguous_format).requires_grad_()
    fixed = make().requires_grad_(False)
    fixed(z).sum().backward()
    assert z.grad is not None
    assert fixed.threshold.grad is None
    learned = make()
    learned(z.detach()).sum().backward()
    assert learned.threshold.grad is not None


@BOTH
def test_other_numbers_and_parts_of_tensors_take_torch(make: Callable[[], Any]) -> None:
    z = _input(torch.contiguous_format)
    part = z[:, ::2]  # neither layout
    assert torch.equal(make()(part), make()(part.contiguous()))
    assert make()(z.double()).dtype == torch.float64
    assert make()(torch.empty(0, 3)).shape == (0, 3)


@torch.inference_mode()
def test_what_is_not_a_number_stays_so_under_given_noise() -> None:
    z = _input(torch.contiguous_format)
    z[0, 1, 0, 1] = float("nan")
    found = with_given_noise(QCFS(1.5, 4), z, torch.zeros_like(z), 0.5)
    assert found.isnan().nonzero().tolist() == [[0, 1, 0, 1]]


NOISE = [
    {"noise_mode": "none"},
    {"noise_mode": "pre_round"},
    {"noise_mode": "pre_round", "noise_prob": 0.4, "noise_amp": 0.9},
    {"noise_mode": "additive", "noise_prob": 0.7},
]
NOISY = pytest.mark.parametrize("options", NOISE, ids=lambda options: "-".join(map(str, options.values())))


def _lsq_plain(module: LSQNoise, z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values, and the gradients of their sum by z and by s from torch's own derivatives, rounding straight-through.

    Of a module that has drawn nothing yet, for the numbers that it is going to draw.
    """
    twin = copy.deepcopy(module).double()
    epsilon, drawn = torch.zeros_like(z), copy.deepcopy(module)
    if module.noise_mode != "none":
        epsilon = (2 * drawn.draw(z, uniforms_like) - 1) * module.noise_amp
        if module.noise_prob < 1:
            epsilon = epsilon * (drawn.draw(z, uniforms_like) < module.noise_prob)
    wide, scale = z.detach().double().requires_grad_(), twin.scale.detach().clone().requires_grad_()
    level = torch.clamp(wide / scale + epsilon.double(), 0, module.levels)
    if module.noise_mode != "additive":
        level = level + (torch.floor(level + 0.5) - level).detach()
    a = scale * level
    weights = torch.randn(z.shape, generator=torch.Generator().manual_seed(1)).double()
    (a * weights).sum().backward()
    assert wide.grad is not None
    assert scale.grad is not None
    return a.detach(), wide.grad, scale.grad


@NOISY
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("turned", [False, True])
def test_the_learned_scale_has_the_values_and_gradients_of_autograd(
    options: dict[str, Any], layout: torch.memory_format, turned: bool
) -> None:
    z = (torch.randn(4, 5, 4, 6, generator=torch.Generator().manual_seed(2)) * 1.5).contiguous(memory_format=layout)
    z = z.requires_grad_()
    module = LSQNoise(0.43, 2, seed=5, **options).train()
    plain, by_z, by_scale = _lsq_plain(module, z)
    weights = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    a = module(z)
    a.backward(weights.contiguous(memory_format=LAYOUTS[1 - LAYOUTS.index(layout)] if turned else layout))
    assert a.stride() == z.stride()
    torch.testing.assert_close(a.double(), plain, rtol=1e-6, atol=1e-6)
    assert z.grad is not None
    assert torch.equal(z.grad.double(), by_z.float().double())
    assert module.scale.grad is not None
    factor = 1 / math.sqrt(len(z) * module.levels)
    torch.testing.assert_close(module.scale.grad.double(), by_scale * factor, rtol=1e-5, atol=1e-6)


@NOISY
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_learned_scale_has_the_values_of_torch_bit_for_bit(
    options: dict[str, Any], layout: torch.memory_format, monkeypatch: pytest.MonkeyPatch
) -> None:
    z = _input(layout)
    z[0, 1, 0, 1] = float("nan")
    z.requires_grad_()
    made = [LSQNoise(0.43, 2, seed=5, **options).train() for _ in range(2)]
    fused = made[0](z)
    fused.nansum().backward()
    assert z.grad is not None
    by_z, z.grad = z.grad.clone(), None
    monkeypatch.setattr("snnlab.activations.lsq_noise.in_order", lambda values: None)
    plain = made[1](z)
    plain.nansum().backward()
    assert torch.equal(fused.nan_to_num(nan=-1.0), plain.nan_to_num(nan=-1.0))
    assert fused.isnan().nonzero().tolist() == [[0, 1, 0, 1]]
    assert torch.equal(by_z, z.grad)
    assert z.grad[0, 0, 0, 4:].tolist() == [0.0, 0.0]  # infinite


def test_a_learned_scale_that_needs_no_gradient_gets_none() -> None:
    z = _input(torch.contiguous_format).requires_grad_()
    fixed = LSQNoise(0.5, 2).requires_grad_(False)
    fixed(z).sum().backward()
    assert z.grad is not None
    assert fixed.scale.grad is None
    assert LSQNoise(0.5, 2)(torch.empty(0, 3)).shape == (0, 3)
    infinite = LSQNoise(0.5, 2, noise_mode="none")
    infinite(torch.tensor([float("inf"), float("-inf")])).sum().backward()
    assert infinite.scale.grad is not None
    assert infinite.scale.grad.item() == pytest.approx(3 / math.sqrt(2 * 3))  # p above, 0 below

"""Activations in one pass over memory against the same formula in torch, which acts on every other kind of tensor."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from snnlab.activations import QCFS, ClippedReLU


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

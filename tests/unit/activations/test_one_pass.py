"""QCFS in one pass over memory against the same formula in torch, which acts on every other kind of tensor."""

import pytest
import torch
from torch import Tensor

from snnlab.activations import QCFS


def _input(layout: torch.memory_format, seed: int = 0) -> Tensor:
    z = torch.randn(3, 5, 4, 6, generator=torch.Generator().manual_seed(seed)) * 2
    z.view(-1)[:6] = torch.tensor(
        [0.0, 1.5, -0.0, 0.1875, float("inf"), float("-inf")]
    )  # both ends, and a tie of floor
    return z.contiguous(memory_format=layout)


LAYOUTS = [torch.contiguous_format, torch.channels_last]


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
@pytest.mark.parametrize("turned", [False, True])
def test_gradients_are_those_of_torch_whatever_the_layouts(layout: torch.memory_format, turned: bool) -> None:
    z = _input(layout).nan_to_num(posinf=9.0, neginf=-9.0).requires_grad_()
    grad = torch.randn(z.shape, generator=torch.Generator().manual_seed(1))
    grad = grad.contiguous(memory_format=LAYOUTS[1 - LAYOUTS.index(layout)] if turned else layout)
    module = QCFS(1.5, 4)
    module(z).backward(grad)
    exact = QCFS(1.5, 4).double()
    wide = z.detach().double().requires_grad_()
    exact(wide).backward(grad.double())
    assert z.grad is not None
    assert wide.grad is not None
    assert torch.equal(z.grad, wide.grad.float())
    assert module.threshold.grad is not None
    assert exact.threshold.grad is not None
    torch.testing.assert_close(module.threshold.grad.double(), exact.threshold.grad, rtol=1e-6, atol=1e-6)


def test_what_needs_no_gradient_gets_none() -> None:
    z = _input(torch.contiguous_format).requires_grad_()
    fixed = QCFS(1.5, 4).requires_grad_(False)
    fixed(z).sum().backward()
    assert z.grad is not None
    assert fixed.threshold.grad is None
    learned = QCFS(1.5, 4)
    learned(z.detach()).sum().backward()
    assert learned.threshold.grad is not None


def test_other_numbers_and_parts_of_tensors_take_torch() -> None:
    z = _input(torch.contiguous_format)
    part = z[:, ::2]  # neither layout
    assert torch.equal(QCFS(1.5, 4)(part), QCFS(1.5, 4)(part.contiguous()))
    assert QCFS(1.5, 4)(z.double()).dtype == torch.float64
    assert QCFS(1.5, 4)(torch.empty(0, 3)).shape == (0, 3)

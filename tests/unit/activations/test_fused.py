"""An activation with given noise in one pass over memory: the same numbers as the module and the sum."""

import pytest
import torch
from torch import nn

from snnlab.activations import QCFS, ClippedReLU
from snnlab.activations.fused import with_given_noise

ORDERS = {
    "contiguous": lambda z: z,
    "channels last": lambda z: z.contiguous(memory_format=torch.channels_last),
    "neither": lambda z: z.transpose(1, 2).contiguous().transpose(1, 2),
}


def values(seed):
    generator = torch.Generator().manual_seed(seed)
    z = torch.randn(3, 5, 4, 6, generator=generator)
    z[0, 0, 0] = torch.tensor([0.0, -0.0, 1.3, 0.65, -7.0, 9.0])  # ends, and half a level
    return z


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("levels", [1, 4, 7])
@torch.inference_mode()
def test_without_std_it_is_the_activation_bitwise(order, levels):
    z, noise = ORDERS[order](values(1)), ORDERS[order](values(2))
    activation = QCFS(threshold=1.3, levels=levels)
    assert torch.equal(with_given_noise(activation, z, noise, 0.0), activation(z))


@pytest.mark.parametrize("activation", [QCFS(1.3, 4), ClippedReLU(1.3), nn.ReLU(), nn.Identity()], ids=str)
@pytest.mark.parametrize("order", ORDERS)
@torch.inference_mode()
def test_the_noise_is_added_after_the_activation(activation, order):
    z, noise = ORDERS[order](values(3)), ORDERS[order](values(4))
    before = z.clone()
    found = with_given_noise(activation, z, noise, 0.25)
    torch.testing.assert_close(found, activation(z) + 0.25 * noise, rtol=1e-6, atol=1e-6)
    assert torch.equal(z, before)


@torch.inference_mode()
def test_noise_in_another_memory_order_meets_the_same_elements():
    z, noise = values(5), values(6).contiguous(memory_format=torch.channels_last)
    activation = QCFS(1.3, 4)
    torch.testing.assert_close(with_given_noise(activation, z, noise, 0.5), activation(z) + 0.5 * noise)


@torch.inference_mode()
def test_double_precision_stays_double():
    z, noise = values(7).double(), values(8).double()
    activation = QCFS(1.3, 4).double()
    assert torch.equal(with_given_noise(activation, z, noise, 0.5), torch.add(activation(z), noise, alpha=0.5))

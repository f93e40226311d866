"""Noise that is keyed: drawn from a generator of its own, equal for equal keys, whatever ran before."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    _Activation = nn.Module
else:
    _Activation = object

_MIX = 0x9E3779B97F4A7C15  # 2^64 over the golden ratio

Draw = Callable[[Tensor, torch.Generator], Tensor]
"""Numbers shaped as a tensor, from a generator."""


class Part(Protocol):
    """One process's part of a batch that several processes share."""

    images: int

    def of(self, batch: Tensor) -> Tensor:
        """Its images of a whole batch."""


class KeyedNoise(_Activation):
    """Mixin of an activation with noise.

    Noise follows the mode of the module, on in training and off in evaluation, unless ``noise`` says otherwise. It
    comes from a generator of its own: the global random state is left alone.
    """

    noise: bool | None
    seed: int
    drawn: int
    part: Part | None

    def _start_keyed(self, seed: int) -> None:
        self.noise = None
        self.part = None
        self.reseed(seed)

    def reseed(self, *key: int) -> None:
        """Start the noise anew; equal keys, such as (seed, epoch, batch, site), give equal noise."""
        self.seed = mixed_seed(*key)
        self.drawn = 0

    @property
    def noise_is_on(self) -> bool:
        """Whether the next pass has noise."""
        return self.training if self.noise is None else self.noise

    def images_of(self, values: Tensor) -> int:
        """Images of the whole batch, of which ``values`` (n, ...) are this process's."""
        return len(values) if self.part is None else self.part.images

    def draw(self, like: Tensor, numbers: Draw) -> Tensor:
        """New numbers shaped as ``like``; of a shared batch all processes draw the same and take their own part."""
        generator = torch.Generator(device=like.device).manual_seed(mixed_seed(self.seed, self.drawn))
        self.drawn += 1
        if self.part is None:
            return numbers(like, generator)
        whole = like.new_empty((self.part.images, *like.shape[1:]))
        if like.ndim == 4 and like.is_contiguous(memory_format=torch.channels_last):
            whole = whole.contiguous(memory_format=torch.channels_last)
        return self.part.of(numbers(whole, generator))


def switch_noise(network: nn.Module, on: bool | None) -> nn.Module:
    """Switch the noise of every activation on or off; None lets it follow training and evaluation mode.

    Returns:
        The network itself.
    """
    for module in network.modules():
        if isinstance(module, KeyedNoise):
            module.noise = on
    return network


def normals_like(values: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal numbers shaped as ``values``, and in its memory order where that is channels-last."""
    return _laid_out(_flat(values).normal_(generator=generator), values)


def uniforms_like(values: Tensor, generator: torch.Generator) -> Tensor:
    """Uniform numbers from 0 to below 1, laid out as ``normals_like`` does."""
    return _laid_out(_flat(values).uniform_(generator=generator), values)


def _flat(values: Tensor) -> Tensor:
    # Drawn into a flat buffer: filling channels-last memory element by element is six times slower.
    return torch.empty(values.numel(), dtype=values.dtype, device=values.device)


def _laid_out(flat: Tensor, values: Tensor) -> Tensor:
    if values.ndim == 4 and values.is_contiguous(memory_format=torch.channels_last):
        images, channels, height, width = values.shape
        return flat.view(images, height, width, channels).permute(0, 3, 1, 2)
    return flat.view(values.shape)


def mixed_seed(*key: int) -> int:
    """One seed from several numbers; keys that differ in any of them give seeds without relation (splitmix64)."""
    state = 0
    for part in key:
        state = (state + int(part) + _MIX) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & 0xFFFFFFFFFFFFFFFF
        state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    # torch's generator on a CPU uses the lower 32 bits of a seed.
    return state & 0x7FFFFFFFFFFFFFFF

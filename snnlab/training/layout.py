"""How images lie in memory while a network trains."""

import torch
from torch import nn

_LEAST_CHANNELS = 16  # of one block of the kernel with AVX-512; 8 with AVX2


def training_layout(network: nn.Module) -> torch.memory_format:
    """Channels last, as convolutions on a CPU are fastest so; contiguous where that would write outside of memory.

    oneDNN 3.12 keeps too little room for the weights' gradient of a 1 x 1 convolution with a stride, channels last and
    fewer input channels than one of its blocks, and the process dies later, anywhere, of a corrupted heap:
    https://github.com/uxlfoundation/oneDNN/issues/6035. Projected shortcuts of narrow ResNets are such convolutions.
    The rule is the same on every machine, so that rounding is too.

    Example:
        >>> training_layout(nn.Conv2d(4, 8, 1, stride=2)), training_layout(nn.Conv2d(4, 8, 3, stride=2))
        (torch.contiguous_format, torch.channels_last)
    """
    endangered = any(
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels // module.groups < _LEAST_CHANNELS
        for module in network.modules()
    )
    return torch.contiguous_format if endangered else torch.channels_last

"""CIFAR-form ResNets of basic blocks in three forms, with zero-padded (A) or projected (B) shortcuts."""

from collections import OrderedDict
from collections.abc import Callable

from torch import Tensor, nn

from snnlab.activations import ActivationSpec


class PadShortcut(nn.Module):
    """Option-A shortcut: every ``stride``-th pixel, new channels zero on both sides. No parameters; linear.

    Source: [He2016], option A of section 4.2.

    Example:
        >>> import torch
        >>> PadShortcut(1, 3, stride=2)(torch.ones(1, 1, 2, 2)).flatten().tolist()
        [0.0, 1.0, 0.0]
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.stride = in_channels, out_channels, stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, ceil(H / stride), ceil(W / stride))."""
        new = self.out_channels - self.in_channels
        return nn.functional.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, new // 2, new - new // 2))

    def extra_repr(self) -> str:
        """Shown by ``print``."""
        return f"{self.in_channels}, {self.out_channels}, stride={self.stride}"


class BasicBlock(nn.Module):
    """Two 3 x 3 convolutions with batch-norm beside a shortcut; the second activation follows the addition."""

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int, shortcut: str, activation: ActivationSpec
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(out_channels)
        self.act1 = activation.make()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.shortcut = _shortcut(in_channels, out_channels, stride, shortcut)
        self.act2 = activation.make()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride)."""
        residual = self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x)))))
        output: Tensor = self.act2(residual + (x if self.shortcut is None else self.shortcut(x)))
        return output


class PreActBlock(nn.Module):
    """Batch-norm and activation before each of two convolutions; the shortcut starts after the first activation.

    No activation follows the addition, so the sum of branch and shortcut meets no neuron before the next block's.

    Source: [Meng2022DSR], the code of TTRBR's group; [He2016b] takes the shortcut before the first activation where
    the shape stays.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int, shortcut: str, activation: ActivationSpec
    ) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(in_channels)
        self.act1 = activation.make()
        self.shortcut = _shortcut(in_channels, out_channels, stride, shortcut, norm=False)
        self.conv1 = nn.Conv2d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(out_channels)
        self.act2 = activation.make()
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride), before any activation."""
        x = self.act1(self.bn1(x))
        residual: Tensor = self.conv2(self.act2(self.bn2(self.conv1(x))))
        return residual + (x if self.shortcut is None else self.shortcut(x))


class DualNeuronBlock(BasicBlock):
    """As ``BasicBlock``, with an activation on the branch and one on the shortcut, and none after the addition.

    The shortcut then adds whole spikes to the sum, where after the addition their unevenness would meet a threshold.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, stride: int, shortcut: str, activation: ActivationSpec
    ) -> None:
        super().__init__(in_channels, out_channels, stride=stride, shortcut=shortcut, activation=activation)
        self.act_skip = activation.make()

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) -> (N, out_channels, H / stride, W / stride)."""
        residual: Tensor = self.act2(self.bn2(self.conv2(self.act1(self.bn1(self.conv1(x))))))
        return residual + self.act_skip(x if self.shortcut is None else self.shortcut(x))


_BLOCKS: dict[str, Callable[..., nn.Module]] = {
    "post_act": BasicBlock,
    "pre_act": PreActBlock,
    "dual_neuron": DualNeuronBlock,
}


class ResNet(nn.Module):
    """ResNet with a 3 x 3 stem and no stem pool; from the second stage on, each halves the image.

    Sites are ``stem.act``, ``layer1.0.act1``, ``layer1.0.act2``, ... . With ``dual_neuron`` blocks each has
    ``layer1.0.act_skip`` beside them; with ``pre_act`` blocks the stem is a convolution alone, whose batch-norm and
    activation are those of the first block, and ``head.act`` follows the last.

    Args:
        widths: Channels of each stage.
        blocks: Basic blocks of each stage.
        block: Where a block has its activations: ``"post_act"`` has one after the addition, ``"pre_act"`` before each
            convolution and none after the addition, ``"dual_neuron"`` one on each branch before the addition.
        shortcut: Where the shape changes: ``"A"`` pads with zeros, ``"B"`` projects (1 x 1 convolution, and batch-norm
            except in ``pre_act`` blocks, where the next block begins with it).
        num_classes: Outputs.
        in_channels: Channels of the image.
        input_size: Height and width of the image, pixels; the weights do not depend on it.
        stem_stride: Stride of the first convolution.
        activation: The activation of every site.

    Source: [He2016], section 4.2; widths 64 to 512 as in [Bu2022]. The forms of the block are those that [Meng2022]
    is read to restructure into; its text was not read.
    """

    def __init__(
        self,
        *,
        widths: list[int],
        blocks: list[int],
        block: str,
        shortcut: str,
        num_classes: int,
        in_channels: int,
        input_size: int,
        stem_stride: int,
        activation: ActivationSpec,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        early = block == "pre_act"
        stem = nn.Conv2d(in_channels, widths[0], 3, stride=stem_stride, padding=1, bias=False)
        self.stem = nn.Sequential(OrderedDict[str, nn.Module](conv=stem))
        if not early:
            for name, module in _norm_and_activation(widths[0], activation).named_children():
                self.stem.add_module(name, module)
        channels, self.layers = widths[0], [f"layer{stage}" for stage in range(1, len(widths) + 1)]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            sequence = nn.Sequential()
            for index in range(count):
                stride = 2 if stage > 0 and index == 0 else 1
                make = _BLOCKS[block]
                sequence.append(make(channels, width, stride=stride, shortcut=shortcut, activation=activation))
                channels = width
            self.add_module(self.layers[stage], sequence)
        self.head = _norm_and_activation(channels, activation) if early else None
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        x = self.stem(images)
        for name in self.layers:
            x = getattr(self, name)(x)
        if self.head is not None:
            x = self.head(x)
        logits: Tensor = self.fc(self.flatten(self.pool(x)))
        return logits


def _norm_and_activation(channels: int, activation: ActivationSpec) -> nn.Sequential:
    return nn.Sequential(OrderedDict[str, nn.Module](bn=nn.BatchNorm2d(channels), act=activation.make()))


def _shortcut(in_channels: int, out_channels: int, stride: int, option: str, *, norm: bool = True) -> nn.Module | None:
    if stride == 1 and in_channels == out_channels:
        return None
    if option == "A":
        return PadShortcut(in_channels, out_channels, stride)
    convolution = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
    projected = nn.Sequential(OrderedDict[str, nn.Module](conv=convolution))
    if norm:
        projected.add_module("bn", nn.BatchNorm2d(out_channels))
    return projected

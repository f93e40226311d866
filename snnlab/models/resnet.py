"""CIFAR-form ResNets of basic blocks, with zero-padded (A) or projected (B) shortcuts."""

from collections import OrderedDict

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


class ResNet(nn.Module):
    """ResNet with a 3 x 3 stem and no stem pool; from the second stage on, each halves the image.

    Sites are ``stem.act``, ``layer1.0.act1``, ``layer1.0.act2``, ... .

    Args:
        widths: Channels of each stage.
        blocks: Basic blocks of each stage.
        shortcut: Where the shape changes: ``"A"`` pads with zeros, ``"B"`` projects (1 x 1 convolution, batch-norm).
        num_classes: Outputs.
        in_channels: Channels of the image.
        input_size: Height and width of the image, pixels; the weights do not depend on it.
        stem_stride: Stride of the first convolution.
        activation: The activation of every site.

    Source: [He2016], section 4.2; widths 64 to 512 as in [Bu2022].
    """

    def __init__(
        self,
        *,
        widths: list[int],
        blocks: list[int],
        shortcut: str,
        num_classes: int,
        in_channels: int,
        input_size: int,
        stem_stride: int,
        activation: ActivationSpec,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        stem = nn.Conv2d(in_channels, widths[0], 3, stride=stem_stride, padding=1, bias=False)
        self.stem = nn.Sequential(
            OrderedDict[str, nn.Module](conv=stem, bn=nn.BatchNorm2d(widths[0]), act=activation.make())
        )
        channels, self.layers = widths[0], [f"layer{stage}" for stage in range(1, len(widths) + 1)]
        for stage, (width, count) in enumerate(zip(widths, blocks, strict=True)):
            sequence = nn.Sequential()
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                sequence.append(BasicBlock(channels, width, stride=stride, shortcut=shortcut, activation=activation))
                channels = width
            self.add_module(self.layers[stage], sequence)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.flatten = nn.Flatten()
        self.fc = nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        x = self.stem(images)
        for name in self.layers:
            x = getattr(self, name)(x)
        logits: Tensor = self.fc(self.flatten(self.pool(x)))
        return logits


def _shortcut(in_channels: int, out_channels: int, stride: int, option: str) -> nn.Module | None:
    if stride == 1 and in_channels == out_channels:
        return None
    if option == "A":
        return PadShortcut(in_channels, out_channels, stride)
    convolution = nn.Conv2d(in_channels, out_channels, 1, stride=stride, bias=False)
    return nn.Sequential(OrderedDict[str, nn.Module](conv=convolution, bn=nn.BatchNorm2d(out_channels)))

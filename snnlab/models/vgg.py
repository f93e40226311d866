"""VGG networks: stages of 3 x 3 convolutions, each closed by a pool, and a classifier."""

from collections import OrderedDict
from typing import Any

from torch import Tensor, nn

from snnlab.activations import ActivationSpec


class VGG(nn.Module):
    """Convolutional stages and a classifier, one activation module per site.

    Sites are ``stage1.act1``, ``stage1.act2``, ... and ``classifier.act1``, ... .

    Args:
        plan: Channels of each 3 x 3 convolution; ``"A"`` is a 2 x 2 average pool, ``"M"`` a maximum pool.
        classifier: Widths of the hidden linear layers.
        num_classes: Outputs.
        in_channels: Channels of the image.
        input_size: Height and width of the image, pixels.
        conv_bias: Convolutions have a bias.
        batch_norm: Batch-norm after each convolution.
        activation: The activation of every site.

    Source: [Simonyan2015]; average pooling as in [Bu2022].
    """

    def __init__(
        self,
        *,
        plan: list[int | str],
        classifier: list[int],
        num_classes: int,
        in_channels: int,
        input_size: int,
        conv_bias: bool,
        batch_norm: bool,
        activation: ActivationSpec,
    ) -> None:
        super().__init__()
        self.stages: list[str] = []
        channels, size, stage, index = in_channels, input_size, OrderedDict[str, Any](), 1
        for position, entry in enumerate(plan):
            if isinstance(entry, int):
                stage[f"conv{index}"] = nn.Conv2d(channels, entry, 3, padding=1, bias=conv_bias)
                if batch_norm:
                    stage[f"bn{index}"] = nn.BatchNorm2d(entry)
                stage[f"act{index}"] = activation.make()
                channels, index = entry, index + 1
            else:
                stage["pool"] = nn.AvgPool2d(2) if entry == "A" else nn.MaxPool2d(2)
                size //= 2
            if not isinstance(entry, int) or position == len(plan) - 1:
                self.stages.append(f"stage{len(self.stages) + 1}")
                self.add_module(self.stages[-1], nn.Sequential(stage))
                stage, index = OrderedDict(), 1
        self.flatten = nn.Flatten()
        head, features = OrderedDict[str, Any](), channels * size**2
        for number, width in enumerate(classifier, start=1):
            head[f"fc{number}"] = nn.Linear(features, width)
            head[f"act{number}"] = activation.make()
            features = width
        head[f"fc{len(classifier) + 1}"] = nn.Linear(features, num_classes)
        self.classifier = nn.Sequential(head)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, C, H, W)."""
        for name in self.stages:
            images = getattr(self, name)(images)
        logits: Tensor = self.classifier(self.flatten(images))
        return logits

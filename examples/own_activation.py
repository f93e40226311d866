"""An activation of one's own, for ``--load``: QCFS whose rounding is soft in training, so that its slope is not 1."""

from typing import ClassVar

import torch

import snnlab as sl


@sl.register
class SoftStairs(sl.Activation):
    """The stairs of QCFS; in training their gradient is that of the clipped ReLU plus a sine that has L periods."""

    card: ClassVar[sl.MethodCard] = sl.MethodCard(
        name="soft_stairs",
        kind="activation",
        title="Soft stairs",
        summary="QCFS with a gradient that is largest where the stairs rise.",
        citation="",
        year=2026,
        evidence="official_code",
        needs=("levels",),
        parameters=(),
        equation=r"a = \lambda \lfloor L x + \tfrac12 \rfloor / L,\quad x = \mathrm{clip}(z / \lambda, 0, 1)",
    )

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Stairs forward, their smooth form backward."""
        x = torch.clamp(z / self.threshold, 0.0, 1.0)
        smooth = x - torch.sin(2 * torch.pi * self.levels * x) / (4 * torch.pi * self.levels)
        stairs = torch.floor(x * self.levels + 0.5) / self.levels
        return self.threshold * (smooth + (stairs - smooth).detach())

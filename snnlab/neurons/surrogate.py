"""The default surrogate gradient, at module level so that neurons can be pickled."""

import torch
from torch import Tensor


class _ArcTangent(torch.autograd.Function):
    """Heaviside step at >= 0; derivative 1 / (1 + (pi x)^2)."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return (x >= 0).to(x.dtype)

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, *grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors  # type: ignore[attr-defined]
        return grad[0] / (1 + (torch.pi * x) ** 2)


def atan(x: Tensor) -> Tensor:
    """Step of ``x`` (potential minus threshold, any shape) with the arctan surrogate derivative."""
    return _ArcTangent.apply(x)

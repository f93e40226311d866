"""Which parts of an image speak for a class: the same method on the ANN and on its SNN, and checks of the maps."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from snnlab.activations import is_activation
from snnlab.analysis.explained import Explained, Meter
from snnlab.analysis.reports.attribution import FROM_BASELINE, METHOD_NAMES, AttributionReport
from snnlab.analysis.restored import logits_with
from snnlab.core.errors import DataError, RecipeError, ShapeError
from snnlab.core.progress import ProgressCallback, silent
from snnlab.models.network import site_shapes
from snnlab.simulation.engine import simulate
from snnlab.simulation.images import as_images, check_finite
from snnlab.simulation.spiking_model import SpikingModel

DEFAULT_STEPS = (1, 2, 4, 8)

CURVE_POINTS = 20
"""Shares of pixels at which deletion and insertion are measured, beside none."""

ROUGH_POINTS = 10
"""Points on the path of Integrated Gradients under shuffled weights, whose map is only compared."""

_MEMORY = 256 * 2**20  # bytes of what a gradient keeps of one batch
_KEPT_PER_ACTIVATION = 16  # bytes that a pass keeps for its gradient; measured on ResNet-20: about four float32
_MOST_AT_ONCE = 32


def attribute(
    ann: nn.Module,
    snn: SpikingModel,
    image: Tensor,
    *,
    method: str = "ig",
    target: int | str = "ann",
    steps: Sequence[int] | None = None,
    baseline: Tensor | float = 0.0,
    integration_steps: int = 50,
    seed: int = 0,
    label: int | None = None,
    classes: Sequence[str] = (),
    picture: np.ndarray | None = None,
    baseline_name: str = "",
    image_name: str = "image",
    split: str = "",
    index: int | None = None,
    progress: ProgressCallback = silent,
) -> AttributionReport:
    r"""Explain one image by the ANN and by its SNN at each T: same method, target and baseline.

    f is the logit of the target; of the SNN its mean over T steps, and its derivative is the surrogate's, so that its
    maps are an interpretation. With :math:`x` the image, :math:`x'` the baseline and :math:`\delta = x - x'`:

    .. math::
        \text{ig} = \delta \int_0^1 \nabla f(x' + \alpha\delta)\,d\alpha, \quad
        \text{saliency} = |\nabla f(x)|, \quad \text{input\_x\_gradient} = \delta\,\nabla f(x)

    ``occlusion`` is what f loses when a window becomes the baseline's; ``gradcam`` is
    :math:`\mathrm{ReLU}(\sum_c \alpha_c \bar A_c)` at the last site with an extent, :math:`\bar A` the mean over steps
    of what it emits and :math:`\alpha_c` the gradient summed over steps and averaged over places; ``deeplift`` has a
    rule for ReLU and none for spikes: the ANN alone is explained. Whatever the method, f is also told for the SNN where
    one site emits the ANN's activation, site by site: which of them brings the ANN's answer back?

    Networks and image are left alone, and nothing is shared between calls: several threads may explain the same ones.

    Args:
        ann: The source network.
        snn: What it was converted to.
        image: Normalised, (C, H, W).
        method: ``ig``, ``saliency``, ``input_x_gradient``, ``occlusion``, ``gradcam`` or ``deeplift``.
        target: Class; or ``ann``, ``snn`` (at the largest T), ``true``.
        steps: T at which the SNN is explained; None for 1, 2, 4 and 8, or from the least T that its method takes.
        baseline: The image without evidence, normalised, (C, H, W) or one number.
        integration_steps: Points on the path of ``ig``.
        seed: Of the shuffled weights.
        label: True class, where it is known.
        classes: Class names; numbers without.
        picture: Pixels 0 to 1 to show, (C, H, W); the image stretched to that range without.
        baseline_name: What the baseline is called.
        image_name: What the image is called.
        split: Its split.
        index: Its index in the split.
        progress: Called with images x steps done; cancels by raising ``Cancelled``.

    Raises:
        RecipeError: No such method, class or T, or a target that is not known.
        DataError: NaN in the image, or a method that does not fit the network.
        ShapeError: The image or the baseline does not fit.

    Source: [Sundararajan2017], [Simonyan2014], [Shrikumar2017], [Zeiler2014], [Selvaraju2017]; checks [Adebayo2018],
        [Petsiuk2018]; methods as captum computes them, Grad-CAM as captum does on one step.
    """
    x, x0 = _checked_image(image, baseline)
    if method not in METHOD_NAMES:
        raise RecipeError(f"There is no attribution method {method!r}; choose one of {', '.join(METHOD_NAMES)}.")
    steps = _checked_steps({max(step, snn.least_steps) for step in DEFAULT_STEPS} if steps is None else steps)
    names = tuple(site.name for site in snn.site_facts if not site.is_output)
    notes: list[str] = []
    if method == "deeplift":
        steps = ()
        notes.append("DeepLift has no rule for a neuron that spikes, so the ANN alone is explained.")
    meter = Meter(progress)
    networks = [Explained(ann, names, None, meter), *(Explained(snn, names, step, meter) for step in steps)]
    extents = _extents(networks[0], x)
    if method == "deeplift":
        _check_deeplift(networks[0], x)
    if method == "gradcam" and not _with_extent(extents):
        raise DataError("Grad-CAM needs a site with height and width, and this network has none; choose ig.")
    window, stride = _window(x)
    each = {"ig": integration_steps, "occlusion": 1 + _places(x, window, stride), "deeplift": 2}.get(method, 1)
    rough = min(integration_steps, ROUGH_POINTS)
    twice = sum(network.passes for network in networks[:2])  # once more with shuffled weights
    meter.total = (each + 3 + 2 * (CURVE_POINTS + 1)) * sum(network.passes for network in networks)
    meter.total += twice * (rough if method == "ig" else each)
    meter.total += (1 + len(names)) * max(steps, default=0)
    outputs = torch.stack([_logits(network, torch.cat([x, x0])) for network in networks])  # (networks, 2, classes)
    predicted = outputs[:, 0].argmax(1)
    chosen, told = _target(target, predicted, label, outputs.shape[2])
    names_of = tuple(classes) or tuple(map(str, range(outputs.shape[2])))

    def explain(network: Explained, points: int) -> np.ndarray:
        batch = _batch(network, extents)
        if method == "gradcam":
            return _grad_cam(network, x, chosen, _with_extent(extents)[-1])
        found = _by_captum(network, x, x0, chosen, method, points, (window, stride), batch)
        return np.asarray(found[0].sum(0).numpy(), np.float32)

    maps = np.stack([explain(network, integration_steps) for network in networks])
    varied = (x != x0)[0].any(0).numpy() if method in FROM_BASELINE else np.ones(maps.shape[1:], bool)
    if not varied.any():
        notes.append("The image is the baseline itself, so nothing in it speaks for or against the class.")
    shuffled = np.full(len(networks), np.nan)
    for place, network in enumerate(networks[:2]):  # the SNN at the smallest T alone, as the others cost more
        shuffled[place] = spearman(maps[place][varied], explain(network.shuffled(seed), rough)[varied])
    fractions, deletion, insertion = _curves(networks, snn, x, x0, chosen, maps)
    evidence, correlation, active = _by_site(networks, x, chosen)
    notes += _said_of_sites(names, steps, active)
    restored, restored_predicted = None, None
    if steps:
        restored, restored_predicted = _restored(networks[0], snn, x, steps, chosen)
    return AttributionReport(
        method=method,
        target=chosen,
        target_from=told,
        label=label,
        classes=names_of,
        image_name=image_name,
        split=split,
        index=index,
        picture=_shown(x) if picture is None else np.asarray(picture, np.float32),
        baseline=baseline_name or ("given" if isinstance(baseline, Tensor) else f"{baseline:g}"),
        integration_steps=integration_steps,
        steps=tuple(steps),
        maps=maps,
        varied=varied,
        predicted=predicted.numpy().astype(np.int16),
        outputs=outputs[:, :, chosen].numpy().astype(np.float64),
        rank_correlation=np.array([spearman(maps[0][varied], each[varied]) for each in maps]),
        shuffled=shuffled,
        seed=seed,
        fractions=fractions,
        deletion=deletion,
        insertion=insertion,
        sites=names,
        site_evidence=evidence,
        site_correlation=correlation,
        site_active=active,
        notes=tuple(notes),
        restored=restored,
        restored_predicted=restored_predicted,
    )


def spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Spearman's rank correlation, ties sharing their mean rank; NaN where one side is constant.

    Example:
        >>> round(spearman(np.array([1.0, 2.0, 3.0]), np.array([1.0, 3.0, 9.0])), 6)
        1.0
    """
    from scipy.stats import rankdata

    first, second = (np.asarray(values, np.float64).ravel() for values in (a, b))
    if len(first) < 2 or np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    first, second = (ranks - ranks.mean() for ranks in map(rankdata, (first, second)))
    return float((first @ second) / np.sqrt((first @ first) * (second @ second)))


def _checked_image(image: Tensor, baseline: Tensor | float) -> tuple[Tensor, Tensor]:
    if image.ndim != 3:
        raise ShapeError(f"An image to explain has shape (C, H, W); found {tuple(image.shape)}.")
    x = image.detach().clone().float()[None]
    check_finite(x, 0)
    x0 = torch.as_tensor(baseline, dtype=torch.float32)
    if x0.ndim and x0.shape != image.shape:
        raise ShapeError(f"The baseline has shape {tuple(x0.shape)}, the image {tuple(image.shape)}; they must agree.")
    return x, x0.detach().clone().expand_as(image)[None].contiguous()


def _checked_steps(steps: Iterable[int]) -> tuple[int, ...]:
    found = tuple(sorted(set(steps)))
    if not found or found[0] < 1:
        raise RecipeError(f"The SNN is explained at time-steps of at least 1; found {list(found)}.")
    return found


def _check_deeplift(ann: Explained, x: Tensor) -> None:
    """Refuse DeepLift where its rule does not hold.

    Raises:
        DataError: An activation that is not ReLU, or a module that is used twice.
    """
    for name, module in ann.network.named_modules():
        if is_activation(module) and not isinstance(module, nn.ReLU):
            raise DataError(
                f"DeepLift has a rule for ReLU and none for {type(module).__name__}, which stands at {name}; choose ig."
            )
    with ann.tapped() as emitted:  # not by tracing, which changes torch for all threads while it runs
        _logits(ann, x)
    again = next((name for name, outputs in emitted.items() if len(outputs) > 1), None)
    if again is not None:
        raise DataError(f"DeepLift needs an activation of its own at each place, and {again} is used twice; choose ig.")


def _extents(ann: Explained, x: Tensor) -> dict[str, tuple[int, ...]]:
    try:
        return site_shapes(ann.network, tuple(x.shape[1:]))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise DataError(f"An image of shape {tuple(x.shape[1:])} does not fit this network: {reason}.") from None


def _with_extent(extents: dict[str, tuple[int, ...]]) -> list[str]:
    return [name for name, shape in extents.items() if len(shape) == 3 and shape[1] * shape[2] > 1]


def _batch(network: Explained, extents: dict[str, tuple[int, ...]]) -> int:
    """Images at once whose gradients fit the memory."""
    each = sum(math.prod(shape) for shape in extents.values()) * network.passes * _KEPT_PER_ACTIVATION
    return max(1, min(_MOST_AT_ONCE, _MEMORY // max(each, 1)))


def _window(x: Tensor) -> tuple[int, int]:
    """Side of the square that occlusion hides, an eighth of the image and at least 2 pixels, and its stride, half."""
    side = min(x.shape[2], x.shape[3])
    window = min(max(2, side // 8), side)
    return window, max(1, window // 2)


def _places(x: Tensor, window: int, stride: int) -> int:
    return math.prod(1 + math.ceil((size - window) / stride) for size in x.shape[2:])


def _logits(network: Explained, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images).detach()


def _target(target: int | str, predicted: Tensor, label: int | None, num_classes: int) -> tuple[int, str]:
    if target == "ann":
        return int(predicted[0]), "ann"
    if target == "snn":
        return int(predicted[-1]), "snn"
    if target == "true":
        if label is None:
            raise RecipeError("A picture of one's own has no true class; choose a class, ann or snn as the target.")
        return label, "true"
    if not isinstance(target, int) or not 0 <= target < num_classes:
        raise RecipeError(
            f"There is no class {target!r}; the network tells {num_classes} apart, 0 to {num_classes - 1}, or choose "
            "ann, snn or true."
        )
    return target, "given"


def _by_captum(
    network: Explained,
    x: Tensor,
    x0: Tensor,
    target: int,
    method: str,
    integration_steps: int,
    window: tuple[int, int],
    batch: int,
) -> Tensor:
    """Attribution of every input number, (1, C, H, W)."""
    from captum.attr import DeepLift, IntegratedGradients, Occlusion, Saliency

    x = x.clone()  # captum switches the gradient of what it is given
    if method == "ig":
        return (
            IntegratedGradients(network)
            .attribute(x, x0, target=target, n_steps=integration_steps, internal_batch_size=batch)
            .detach()
        )
    if method == "deeplift":
        return DeepLift(network).attribute(x, x0, target=target).detach()
    if method == "occlusion":
        side, stride = window
        with torch.no_grad():
            return Occlusion(network).attribute(
                x,
                (x.shape[1], side, side),
                strides=(x.shape[1], stride, stride),
                baselines=x0,
                target=target,
                perturbations_per_eval=batch,
            )
    x.requires_grad_()
    found = Saliency(network).attribute(x, target=target, abs=method == "saliency").detach()
    return found if method == "saliency" else found * (x.detach() - x0)


def _grad_cam(network: Explained, x: Tensor, target: int, site: str) -> np.ndarray:
    gradients, emitted = _gradients(network, x, target, [site])
    weights = gradients[0].sum(0).mean((2, 3), keepdim=True)  # (1, C, 1, 1)
    found = F.relu((weights * emitted[0].mean(0)).sum(1, keepdim=True))
    upright = F.interpolate(found, size=x.shape[2:], mode="bilinear", align_corners=False)
    return np.asarray(upright[0, 0].numpy(), np.float32)


def _gradients(network: Explained, x: Tensor, target: int, sites: Sequence[str]) -> tuple[list[Tensor], list[Tensor]]:
    """Gradient of the logit, and what was emitted, at each site: (steps, 1, ...) each; 0 where nothing reaches it."""
    with torch.enable_grad(), network.tapped() as taps:
        logit = network(x.clone().requires_grad_())[0, target]
        kept = [taps[site] for site in sites]
        flat = [tensor for steps in kept for tensor in steps]
        found = iter(torch.autograd.grad(logit, flat, allow_unused=True))
    gradients = [
        torch.stack([torch.zeros_like(tensor) if (one := next(found)) is None else one for tensor in steps])
        for steps in kept
    ]
    return gradients, [torch.stack(steps).detach() for steps in kept]


def _by_site(networks: Sequence[Explained], x: Tensor, target: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Evidence, rank correlation with the ANN's, and share of active neurons of every site, (networks, sites)."""
    sites = tuple(networks[0].sites)
    evidence, correlation, active = (np.zeros((len(networks), len(sites))) for _ in range(3))
    first: list[np.ndarray] = []
    for row, network in enumerate(networks):
        gradients, emitted = _gradients(network, x, target, sites)
        for column, (gradient, values) in enumerate(zip(gradients, emitted, strict=True)):
            product = (gradient * values).sum(0).double().flatten().numpy()
            if row == 0:
                first.append(product)
            evidence[row, column] = product.sum()
            correlation[row, column] = spearman(first[column], product)
            active[row, column] = float((values != 0).any(0).double().mean())
    return evidence, correlation, active


def _said_of_sites(names: Sequence[str], steps: Sequence[int], active: np.ndarray) -> list[str]:
    """Sites that are silent, and so have no evidence to compare."""
    told = []
    for row, network in enumerate(("the ANN", *(f"the SNN up to T = {step}" for step in steps))):
        silent_sites = [name for name, share in zip(names, active[row], strict=True) if share == 0]
        if silent_sites:
            told.append(f"All of {', '.join(silent_sites[:3])} is 0 in {network}: no evidence passes there.")
    return told


def _restored(
    ann: Explained, snn: SpikingModel, x: Tensor, steps: Sequence[int], target: int
) -> tuple[np.ndarray, np.ndarray]:
    """Logit of the target and predicted class with no site restored, and with each alone, (steps, 1 + sites) each."""
    with ann.tapped() as emitted:
        _logits(ann, x)
    values = {name: once for name, (once,) in emitted.items()}
    last = max(steps)
    logits = logits_with(
        snn,
        as_images(x),
        lambda start, stop: values,
        [(), *((name,) for name in values)],
        num_steps=last,
        snapshots=steps,
        progress=lambda done, total, _: ann.meter.add(last if done < total else 0),
    )
    by_step = logits[:, :, 0].swapaxes(0, 1)  # (steps, 1 + sites, classes)
    return by_step[..., target].astype(np.float64), by_step.argmax(-1).astype(np.int16)


def _curves(
    networks: Sequence[Explained], snn: SpikingModel, x: Tensor, x0: Tensor, target: int, maps: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Shares of pixels (points,), and the probability of the class under deletion and insertion, (networks, points)."""
    pixels = maps.shape[1] * maps.shape[2]
    counts = np.unique(np.linspace(0, pixels, min(CURVE_POINTS, pixels) + 1).round().astype(int))
    found = np.zeros((2, len(networks), len(counts)))
    for row, network in enumerate(networks):
        order = np.argsort(-maps[row].ravel(), kind="stable")
        rank = np.empty(pixels, int)
        rank[order] = np.arange(pixels)
        first = torch.from_numpy(rank[None] < counts[:, None]).view(-1, 1, *x.shape[2:])  # (points, 1, H, W)
        batch = torch.cat([torch.where(first, x0, x), torch.where(first, x, x0)])
        if network.num_steps is None:
            logits = torch.cat([_logits(network, part) for part in batch.split(_MOST_AT_ONCE)])
        else:  # the engine, which is much quicker where no gradient is asked for
            recording = simulate(snn, batch, num_steps=network.num_steps, snapshots=[network.num_steps])
            assert recording.logits is not None, "a few images fit any memory"
            logits = torch.from_numpy(recording.logits[-1])
            network.meter.add(len(batch) * network.num_steps)
        chance = logits.double().softmax(1)[:, target].numpy()
        found[0, row], found[1, row] = chance[: len(counts)], chance[len(counts) :]
    return counts / pixels, found[0], found[1]


def _shown(x: Tensor) -> np.ndarray:
    low, high = float(x.min()), float(x.max())
    return ((x[0] - low) / ((high - low) or 1.0)).numpy()

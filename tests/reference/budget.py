"""The error budget one number at a time, from the formulas, in float64."""

import copy
import math

import torch

from snnlab.activations import is_activation
from tests.reference.literal import simulate_literally


def budget_literally(ann, images, step, fraction=0.5):
    """Site -> list of one dict an element (images first, then as the activation lies): every term, k, class, input
    variance. Plain neurons at the learned thresholds with v(0) = fraction x threshold.
    """
    network = copy.deepcopy(ann).double().eval()
    kept, modules = {}, {}
    for name, module in network.named_modules():
        if is_activation(module):
            modules[name] = module
            module.register_forward_hook(lambda _, args, output, name=name: kept.__setitem__(name, (args[0], output)))
    with torch.no_grad():
        network(images.double())
    ann_seen = dict(kept)
    _, neurons = simulate_literally(ann, images, step, fraction)
    found = {}
    for name, neuron in neurons.items():
        z_ann, a = ann_seen[name]
        spikes, inputs = sum(neuron.spikes), torch.stack(neuron.inputs)
        with torch.no_grad():
            wanted = modules[name](sum(neuron.inputs) / step)
        columns = (spikes, neuron.membranes[-1], inputs.flatten(1).T, z_ann, a, wanted)
        rows = zip(*(values.flatten().tolist() if values.ndim != 2 or values is not columns[2] else values.tolist()
                     for values in columns), strict=True)  # fmt: skip
        found[name] = [_element(*row, neuron.threshold, neuron.initial, step) for row in rows]
    return found


def _element(n, v, inputs, z_ann, a, wanted, theta, initial, step):
    charge = sum(inputs)
    z = charge / step
    ideal = min(max(math.floor((charge + initial) / theta), 0), step)
    clipped, positive = min(max(z, 0.0), theta), max(z, 0.0)
    own = theta * min(max(math.floor((step * z_ann + initial) / theta), 0), step) / step - a
    k = n - ideal
    kinds = {n == 0: "silent", n == step: "saturated"}
    return {
        "uneven": theta * k / step,
        "quantization": theta * ideal / step - clipped,
        "clipping": clipped - positive,
        "activation": positive - wanted,
        "propagated": wanted - a,
        "resolution": theta * ideal / step - wanted,
        "own": own,
        "inherited": theta * n / step - a - own,
        "total": theta * n / step - a,
        "total_direct": theta * n / step - a,
        "ann": a,
        "input_variance": sum((each - z) ** 2 for each in inputs) / step / theta**2,
        "k": int(k),
        "class": "excess" if k > 0 else "missing" if k < 0 else kinds.get(True, "exact"),
        "left": (initial + charge - theta * ideal - v) / step,
    }

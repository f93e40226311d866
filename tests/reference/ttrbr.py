"""Threshold tuning written out slowly: every site with the whole spiking network run anew, in float64."""

import copy

import numpy as np
import torch

from snnlab.activations import is_activation
from tests.reference.rivals import LiteralNeuron, _Probe


def tune_literally(ann, images, num_steps, fraction=0.5):
    """Site -> (threshold, candidates, errors, the five terms' means and mean magnitudes)."""
    network = copy.deepcopy(ann).double().eval()
    names = [name for name, module in network.named_modules() if is_activation(module)]
    inputs, outputs = {}, {}
    for name in names:

        def keep(_, args, output, name=name):
            inputs[name], outputs[name] = args[0].detach(), output.detach()

        network.get_submodule(name).register_forward_hook(keep)
    with torch.no_grad():
        network(images.double())
    before, after = dict(inputs), dict(outputs)  # calling an activation again would overwrite them
    decided, found = {}, {}
    for name in names:
        snn = copy.deepcopy(ann).double().eval()
        for earlier, threshold in decided.items():
            snn.set_submodule(earlier, LiteralNeuron(threshold, 0.0, fraction * threshold))
        probe = _Probe()
        snn.set_submodule(name, probe)
        with torch.no_grad():
            for _ in range(num_steps):
                snn(images.double())
        a = after[name]
        candidates = [np.percentile(a.numpy(), p) for p in range(90, 101)]
        candidates += [k / 10 * np.percentile(a.numpy(), 99.9) for k in range(6, 15)]
        candidates = sorted({float(np.float32(c)) for c in candidates if c > 0})
        errors = []
        for theta in candidates:
            neuron = LiteralNeuron(theta, 0.0, fraction * theta)
            phi = sum(neuron(current) for current in probe.inputs) / num_steps
            errors.append(((phi - a) ** 2).mean().item())
        theta = candidates[int(np.argmin(errors))]
        decided[name] = theta
        neuron = LiteralNeuron(theta, 0.0, fraction * theta)
        phi = sum(neuron(current) for current in probe.inputs) / num_steps
        z = sum(probe.inputs) / num_steps
        constant = LiteralNeuron(theta, 0.0, fraction * theta)
        q = sum(constant(z) for _ in range(num_steps)) / num_steps
        h = network.get_submodule(name)
        with torch.no_grad():
            terms = {
                "deviation": phi - q,
                "quantization": q - torch.clip(z, 0, theta),
                "clipping": torch.clip(z, 0, theta) - torch.relu(z),
                "activation": torch.relu(z) - h(z),
                "propagated": h(z) - h(before[name]),
                "total": phi - a,
            }
        variance = torch.stack(probe.inputs).var(0, correction=0).mean().item()
        found[name] = (theta, candidates, errors, terms, variance)
    return found

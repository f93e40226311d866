"""Flips image by image, step by step and site by site, as their definitions read."""

import math

import torch


def distances(snn, ann, image, steps):
    """Site -> the distance after each of ``steps``, for one image (1, C, H, W), from step-by-step runs and hooks."""
    seen, emitted = {}, {}
    hooks = [
        dict(ann.named_modules())[name].register_forward_hook(lambda m, i, o, name=name: seen.update({name: o}))
        for name in snn.sites
    ]
    hooks += [
        neuron.register_forward_hook(lambda m, i, o, name=name: emitted.setdefault(name, []).append(o))
        for name, neuron in snn.sites.items()
    ]
    with torch.no_grad():
        ann(image)
        snn.reset()
        for _ in range(max(steps)):
            snn.step(image)
    for hook in hooks:
        hook.remove()
    found = {}
    for name in snn.sites:
        activation = seen[name].flatten().double().tolist()
        rows = []
        for t in steps:
            mean = [
                sum(values) / t
                for values in zip(*(e.flatten().double().tolist() for e in emitted[name][:t]), strict=False)
            ]
            apart = sum((b - a) ** 2 for a, b in zip(activation, mean, strict=True))
            size = sum(a * a for a in activation) + sum(b * b for b in mean)
            rows.append(math.sqrt(apart / size) if size else 0.0)
        found[name] = rows
    return found


def agrees_from(ann_class, snn_classes):
    """First step from which on the SNN's class is the ANN's; 0 if it never is."""
    for t in range(1, len(snn_classes) + 1):
        if all(other == ann_class for other in snn_classes[t - 1 :]):
            return t
    return 0


def quantile(values, share):
    """Linear interpolation between order statistics."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def first_site(own, others):
    """Index of the first site from which on the distance exceeds the 95 % quantile of the others; -1 for none.

    Args:
        own: Distance at each site.
        others: Distances of the images that do not flip, one list a site.
    """
    for site in range(len(own)):
        if all(own[k] > quantile(others[k], 0.95) for k in range(site, len(own))):
            return site
    return -1

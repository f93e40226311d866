"""A declared architecture beside a file of unknown names: the n-th module with weights is the n-th declared layer.

Nothing is matched by order alone: every module must have the same parameters, of the same shapes, as its layer.
"""

import re

from snnlab.io.key_maps.table import KeyTable, Shapes, split, threshold_name

SOURCE = "declared"


def tables(expected: Shapes, shapes: Shapes, *, ordered: bool) -> list[KeyTable]:
    """The native names themselves, then the correspondence of layers where every shape agrees.

    Args:
        expected: Native key -> shape of the declared network, in its order.
        shapes: Foreign key -> shape, in the file's order.
        ordered: The file keeps the order of the modules (safetensors files do not).
    """
    threshold = threshold_name(shapes) or "threshold"
    native, foreign = _modules(expected, "threshold"), _modules(shapes, threshold)
    identity = KeyTable({module: module for module in native})
    if len(native) != len(foreign) or list(native.values()) != list(foreign.values()):
        return [identity]
    numbered = all(re.fullmatch(r"(.*\.)?\d+", module) for module in foreign)
    signatures = [str(parameters) for parameters in foreign.values()]
    if not ordered and not numbered and len(set(signatures)) < len(signatures):
        return [identity]
    return [identity, KeyTable(dict(zip(foreign, native, strict=True)), threshold)]


def _modules(shapes: Shapes, threshold: str) -> dict[str, dict[str, tuple[int, ...]]]:
    modules: dict[str, dict[str, tuple[int, ...]]] = {}
    for key, shape in shapes.items():
        module, parameter = split(key)
        if parameter == threshold:
            modules.setdefault(module, {})["threshold"] = () if shape == (1,) else shape
        elif parameter != "num_batches_tracked":
            modules.setdefault(module, {})[parameter] = shape
    return modules

"""Fold batch-norm into the convolution or linear layer before it."""

from torch import fx, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def fold_batch_norm(graph_module: fx.GraphModule) -> dict[str, str]:
    """Fold in place every batch-norm that directly follows a layer used once, and only by it.

    The folded layer computes the same function in evaluation mode up to rounding. A batch-norm that cannot be folded
    stays, and is applied at every time-step.

    Args:
        graph_module: Graph in evaluation mode whose modules belong to it alone.

    Returns:
        Layer name -> name of the batch-norm folded into it.
    """
    modules = dict(graph_module.named_modules())
    uses: dict[str, int] = {}
    for node in graph_module.graph.nodes:
        if node.op == "call_module":
            uses[node.target] = uses.get(node.target, 0) + 1
    folded: dict[str, str] = {}
    for node in list(graph_module.graph.nodes):
        if node.op != "call_module" or not isinstance(modules[node.target], _NORMS):
            continue
        norm, before = modules[node.target], node.args[0]
        if norm.running_mean is None or before.op != "call_module" or len(before.users) > 1:
            continue
        layer, once = modules[before.target], uses[before.target] == 1 and uses[node.target] == 1
        if once and isinstance(layer, nn.Linear):
            graph_module.set_submodule(before.target, fuse_linear_bn_eval(layer, norm))
        elif once and isinstance(layer, nn.Conv1d | nn.Conv2d | nn.Conv3d):
            graph_module.set_submodule(before.target, fuse_conv_bn_eval(layer, norm))
        else:
            continue
        node.replace_all_uses_with(before)
        graph_module.graph.erase_node(node)
        folded[before.target] = node.target
    graph_module.delete_all_unused_submodules()
    graph_module.recompile()
    return folded

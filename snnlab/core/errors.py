"""The errors a user can meet. Each message is one sentence: what was found, where, and what to do."""


class SnnlabError(ValueError):
    """Base of every error that a user's input can cause."""


class CheckpointError(SnnlabError):
    """A checkpoint file cannot be read, recognised or built."""


class DataError(SnnlabError):
    """A dataset is missing, incomplete, or does not fit the network."""


class ShapeError(SnnlabError):
    """Tensor shapes do not fit each other."""


class ConversionError(SnnlabError):
    """A network cannot be converted; the message names the node and the fix."""


class RecipeError(SnnlabError):
    """A recipe, parameter or method name is not valid."""


class SimulationError(SnnlabError):
    """A simulation met an impossible request, or one of its identities did not hold."""


class StoreError(SnnlabError):
    """The run store cannot be opened, read or written."""


class Cancelled(Exception):
    """Raised inside a long call when its ``progress`` callback asks it to stop."""

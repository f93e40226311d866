"""Whether an error says that memory was short: Python and torch say it in their own ways. No torch."""

SENTENCE = (
    "There is not enough memory for this; use a smaller T or fewer images, close other programs, or take a machine "
    "with more memory."
)

_TOLD = ("not enough memory", "can't allocate memory", "out of memory")


def is_short_of_memory(error: BaseException) -> bool:
    """Whether Python, torch on a CPU, or CUDA could not allocate.

    Example:
        >>> is_short_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 99 bytes"))
        True
        >>> is_short_of_memory(RuntimeError("shapes do not fit"))
        False
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error).lower() for words in _TOLD)

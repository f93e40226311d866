"""Which image belongs to which split: stratified, exact sizes, the same on every machine and library version.

No random generator is used, because their streams change between library versions. Image i of a file gets the
SHA-256 of ``"<dataset>/<file>/<seed>/<i>"``: its first eight bytes (big-endian) rank the image for the draw within its
class, the next eight for the order in which a split is stored.
"""

import hashlib
from collections.abc import Mapping

import numpy as np

from snnlab.core.errors import DataError

SEED = 0


def hash_keys(dataset: str, pool: str, count: int, *, seed: int = SEED) -> np.ndarray:
    """Return (draw, order) keys of ``count`` images, (2, count) uint64."""
    stem = f"{dataset}/{pool}/{seed}/"
    digests = b"".join(hashlib.sha256(f"{stem}{index}".encode()).digest()[:16] for index in range(count))
    return np.ascontiguousarray(np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(count, 2).T)


def allocate(counts: np.ndarray, size: int) -> np.ndarray:
    """Share ``size`` places over classes in proportion to ``counts``, by largest remainder; at least one each.

    Args:
        counts: Images available of each class, (K,), each at least one.
        size: Places, K..sum(counts).

    Returns:
        Places of each class, (K,), summing to ``size``.
    """
    assert len(counts) <= size <= counts.sum()
    exact = counts * size / counts.sum()
    places = np.maximum(np.floor(exact).astype(np.int64), 1)
    while (missing := size - places.sum()) != 0:
        step = 1 if missing > 0 else -1
        allowed = places < counts if missing > 0 else places > 1
        gap = np.where(allowed, step * (exact - places), -np.inf)
        places[np.argmax(gap)] += step  # ties go to the lower class
    return places


def draw_stratified(
    labels: np.ndarray, candidates: np.ndarray, size: int, draw: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Take ``size`` of the candidates, each class in proportion.

    Args:
        labels: Classes of all images of the file, (N,).
        candidates: Positions to choose from, (M,).
        size: How many to take.
        draw: Draw keys of all images, (N,); the lowest of each class are taken.

    Returns:
        ``(taken, left)``: positions, ascending by draw key.
    """
    ranked = candidates[np.argsort(draw[candidates], kind="stable")]
    _, class_of, counts = np.unique(labels[ranked], return_inverse=True, return_counts=True)
    taken = np.zeros(len(ranked), dtype=bool)
    for index, places in enumerate(allocate(counts, size)):
        taken[np.flatnonzero(class_of == index)[:places]] = True
    return ranked[taken], ranked[~taken]


def carve(labels: np.ndarray, sizes: Mapping[str, int], keys: np.ndarray, what: str) -> dict[str, np.ndarray]:
    """Divide one file into named splits; what is left over is ``train``.

    Args:
        labels: Classes of all images of the file, (N,).
        sizes: Images of each split, drawn in this order; ``test`` is kept in file order, the others shuffled.
        keys: From ``hash_keys``, (2, N).
        what: How an error names the file.

    Returns:
        Positions of each split, and of ``train``.

    Raises:
        DataError: A split would not hold one image of every class.
    """
    draw, order = keys
    _check_room(labels, sizes, what)
    splits: dict[str, np.ndarray] = {}
    left = np.arange(len(labels))
    for name, size in sizes.items():
        taken, left = draw_stratified(labels, left, size, draw)
        splits[name] = np.sort(taken) if name == "test" else shuffled(taken, order)
    return {**splits, "train": shuffled(left, order)}


def shuffled(positions: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Put positions in the order of their order keys."""
    return positions[np.argsort(order[positions], kind="stable")]


def _check_room(labels: np.ndarray, sizes: Mapping[str, int], what: str) -> None:
    classes, counts = np.unique(labels, return_counts=True)
    smallest = min(sizes, key=lambda name: sizes[name])
    if sizes[smallest] < len(classes):
        raise DataError(
            f"{what} holds {len(labels):,} images of {len(classes)} classes, so its {smallest} split of "
            f"{sizes[smallest]:,} cannot hold one of each class; give more images."
        )
    needed = len(sizes) + 1
    if counts.min() < needed:
        rarest = classes[np.argmin(counts)]
        raise DataError(
            f"{what} holds {counts.min()} images of class {rarest}; every class needs at least {needed}, one for "
            f"each of {', '.join([*sizes, 'train'])}."
        )

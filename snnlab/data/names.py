"""What is known about the datasets without opening a file. Imports neither torch nor numpy."""

import difflib
from dataclasses import dataclass

from snnlab.core.errors import DataError

SPLITS = ("train", "calibration", "validation", "dev", "test")

# fmt: off
CIFAR10_CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)
CIFAR100_CLASSES = (
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle", "bowl", "boy",
    "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle", "chair", "chimpanzee", "clock",
    "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish",
    "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn_mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain", "mouse", "mushroom", "oak_tree", "orange",
    "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree", "plain", "plate", "poppy", "porcupine",
    "possum", "rabbit", "raccoon", "ray", "road", "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk",
    "skyscraper", "snail", "snake", "spider", "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank",
    "telephone", "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow_tree", "wolf", "woman", "worm",
)
# fmt: on


@dataclass(frozen=True)
class DatasetInfo:
    """What a menu or a default needs to know about a dataset.

    Args:
        name: As typed on the command line.
        title: As the app writes it.
        normalization: Preset used when neither user nor checkpoint names one.
        needs_folder: Whether its files must be named by the user or fetched.
        fingerprint: ``Dataset.fingerprint`` of the official files; None where there are none.
    """

    name: str
    title: str
    normalization: str
    needs_folder: bool = True
    fingerprint: str | None = None


DATASETS: dict[str, DatasetInfo] = {
    info.name: info
    for info in (
        DatasetInfo(
            "digits",
            "Handwritten digits, 8 x 8",
            "unit",
            False,
            "e5220bd4ba3a2ebe461a56331886bba04aaa802ded34ff91e17b71745041a9d2",
        ),
        DatasetInfo(
            "mnist",
            "MNIST family (IDX files)",
            "mnist",
            True,
            "df2118405c01d8012de637a912593cef2a6750a1f8c9d55fcada215919b59117",
        ),
        DatasetInfo(
            "cifar10", "CIFAR-10", "cifar10", True, "49a27407a1c08b03ff79f9c06f5261a4045302e295032042bf1d9f80b34c94b5"
        ),
        DatasetInfo(
            "cifar100",
            "CIFAR-100",
            "cifar100",
            True,
            "5b7c648cb760e6ed2473453dd11d84f80be72f8b25c2be71ad8a81bee306823b",
        ),
        DatasetInfo("npz", "Own images (.npz)", "unit"),
    )
}


def dataset_info(name: str) -> DatasetInfo:
    """The entry of one dataset.

    Raises:
        DataError: No such dataset; the nearest name is proposed.
    """
    if name not in DATASETS:
        near = difflib.get_close_matches(str(name).lower(), DATASETS, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(DATASETS)}."
        raise DataError(f"There is no dataset {str(name)[:80]!r}; {hint}")
    return DATASETS[name]

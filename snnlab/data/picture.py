"""A picture of one's own, cut and resized to what a network takes. Imports without torch."""

import hashlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from snnlab.core.errors import DataError

MOST_BYTES = 20 * 2**20
MOST_PIXELS = 50_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture in the shape that a network takes.

    Args:
        pixels: 0 (black) to 1, (C, H, W), float32.
        sha256: Hash of the file.
        notes: What was done to it, one sentence each.
    """

    pixels: np.ndarray
    sha256: str
    notes: tuple[str, ...]


def read_picture(source: str | Path | bytes, shape: tuple[int, int, int]) -> Picture:
    """Read a picture and fit it to a network: cut to its middle, resized, laid on white where it is transparent.

    Args:
        source: File, or its content.
        shape: (C, H, W) that the network takes; C is 1 or 3.

    Raises:
        DataError: Not readable, no PNG, JPEG, WebP or BMP, too large, or a network of another number of channels.
    """
    data = source if isinstance(source, bytes) else _content(Path(source))
    channels, height, width = shape
    if channels not in (1, 3):
        raise DataError(f"The network takes images of {channels} channels; a picture gives 1 or 3.")
    if len(data) > MOST_BYTES:
        raise DataError(f"The picture has {len(data):,} bytes; give one of at most {MOST_BYTES // 2**20} MB.")
    image = _opened(data)
    notes: list[str] = []
    if getattr(image, "n_frames", 1) > 1:
        notes.append("Of an animation only the first picture is used.")
    flat = _laid_on_white(ImageOps.exif_transpose(image), notes)
    if channels == 1 and flat.mode != "L":
        notes.append("Its colours became grey values, as the network takes one channel.")
    fitted = _fitted(flat.convert("L" if channels == 1 else "RGB"), width, height, notes)
    pixels = np.asarray(fitted, np.float32).reshape(height, width, channels).transpose(2, 0, 1) / 255
    return Picture(np.ascontiguousarray(pixels), hashlib.sha256(data).hexdigest(), tuple(notes))


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise DataError(f"{path} has {path.stat().st_size:,} bytes; give one of at most {MOST_BYTES // 2**20} MB.")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"The picture {str(path)[:200]!r} cannot be read; name a file that exists.") from None


def _opened(data: bytes) -> Image.Image:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(data), formats=FORMATS)
            if image.width * image.height > MOST_PIXELS:  # before anything is unpacked
                raise Image.DecompressionBombError
            image.load()
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise DataError(f"The picture has more than {MOST_PIXELS:,} pixels; make it smaller.") from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError):  # damaged PNG files raise the last one
        raise DataError("The picture cannot be read; give a PNG, JPEG, WebP or BMP file that is whole.") from None
    return image


def _laid_on_white(image: Image.Image, notes: list[str]) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image if image.mode in ("L", "RGB") else _eight_bits(image)
    clear = image.convert("RGBA")
    if clear.getchannel("A").getextrema() == (255, 255):
        return clear.convert("RGB")
    notes.append("Its transparent parts were laid on white.")
    return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey values of 16 bits would be clipped at 255 by Pillow, not scaled."""
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image, np.float64)
        return Image.fromarray((values / (257 if values.max() > 255 else 1)).clip(0, 255).astype(np.uint8))
    return image.convert("RGB")


def _fitted(image: Image.Image, width: int, height: int, notes: list[str]) -> Image.Image:
    """Cut to the network's proportions around its middle, then resized."""
    before = image.size
    if before == (width, height):
        return image
    scale = min(before[0] / width, before[1] / height)
    cut = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (before[0] - cut[0]) // 2, (before[1] - cut[1]) // 2
    where = f"cut to its middle {cut[0]} × {cut[1]} and " if cut != before else ""
    notes.append(
        f"It has {before[0]} × {before[1]} pixels and was {where}resized to {width} × {height}, as the network takes."
    )
    box = (left, top, left + cut[0], top + cut[1])
    return image.crop(box).resize((width, height), Image.Resampling.LANCZOS)

"""Small images as HTML: pixels from a report become a PNG in the page itself."""

import base64
import struct
import zlib
from typing import Any

_GREY, _COLOUR = 0, 2  # colour types of PNG


def data_uri(pixels: Any) -> str:
    """A picture (height, width, 1 or 3), uint8, for ``src``; other numbers of channels are shown by their first."""
    height, width, channels = pixels.shape
    if channels != 3:
        pixels, channels = pixels[:, :, :1], 1
    rows = b"".join(b"\0" + pixels[line].tobytes() for line in range(height))  # each line says: no filter
    kind = _COLOUR if channels == 3 else _GREY
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(name, data) for name, data in ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    )
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

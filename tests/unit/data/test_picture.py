"""Pictures of one's own: what is done to them is said, and what cannot be read is refused."""

import io

import numpy as np
import pytest
from PIL import Image

from snnlab.core.errors import DataError
from snnlab.data import read_picture


def png(image, kind="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def test_a_picture_of_the_right_size_is_taken_as_it_is(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    path = tmp_path / "own.png"
    path.write_bytes(png(Image.fromarray(pixels)))

    picture = read_picture(path, (3, 4, 4))

    assert picture.notes == ()
    assert np.array_equal(np.rint(255 * picture.pixels).astype(np.uint8), pixels.transpose(2, 0, 1))
    assert read_picture(path.read_bytes(), (3, 4, 4)).sha256 == picture.sha256


def test_another_size_is_cut_to_its_middle_and_resized():
    wide = np.zeros((40, 100, 3), np.uint8)
    wide[:, 30:70] = 255  # what stays
    picture = read_picture(png(Image.fromarray(wide)), (3, 8, 8))
    assert picture.pixels.shape == (3, 8, 8)
    assert picture.pixels.min() == 1.0
    assert picture.notes == ("It has 100 × 40 pixels and was cut to its middle 40 × 40 and resized to 8 × 8, as the "
                             "network takes.",)  # fmt: skip


def test_transparency_is_laid_on_white():
    clear = Image.new("RGBA", (8, 8), (255, 0, 0, 0))
    picture = read_picture(png(clear), (3, 8, 8))
    assert (picture.pixels == 1).all()
    assert picture.notes == ("Its transparent parts were laid on white.",)
    opaque = read_picture(png(Image.new("RGBA", (8, 8), (255, 0, 0, 255))), (3, 8, 8))
    assert opaque.notes == ()
    assert opaque.pixels[:, 0, 0].tolist() == [1, 0, 0]


def test_colours_become_grey_for_one_channel():
    picture = read_picture(png(Image.new("RGB", (8, 8), (255, 255, 255))), (1, 8, 8))
    assert picture.pixels.shape == (1, 8, 8)
    assert "grey values" in picture.notes[0]


def test_sixteen_bits_keep_their_shades():
    deep = Image.fromarray(np.full((8, 8), 32896, np.uint16))
    assert read_picture(png(deep), (1, 8, 8)).pixels.mean() == pytest.approx(128 / 255)


@pytest.mark.parametrize(
    ("data", "shape", "sentence"),
    [
        (b"no picture", (3, 8, 8), "cannot be read; give a PNG"),
        (b"", (3, 8, 8), "cannot be read"),
        (png(Image.new("RGB", (9, 9)))[:40], (3, 8, 8), "cannot be read"),
        (png(Image.new("L", (9, 9)), "TIFF"), (3, 8, 8), "cannot be read; give a PNG"),
        (png(Image.new("1", (8001, 8001))), (3, 8, 8), "more than 50,000,000 pixels; make it smaller"),
        (png(Image.new("RGB", (8, 8))), (4, 8, 8), "4 channels"),
        (b"x" * (20 * 2**20 + 1), (3, 8, 8), "at most 20 MB"),
    ],
)
def test_what_cannot_be_used_is_refused(data, shape, sentence):
    with pytest.raises(DataError, match=sentence):
        read_picture(data, shape)


def test_a_file_that_is_not_there():
    with pytest.raises(DataError, match="name a file that exists"):
        read_picture("/nowhere/own.png", (3, 8, 8))

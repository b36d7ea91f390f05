"""Image files to arrays, and arrays to what networks take."""

import io
import sys

import numpy as np
import pytest
from PIL import Image

from cnnfast.data import center_square, imagenet_preprocess, load_image
from cnnfast.data.images import IMAGENET_MEAN, IMAGENET_STD


def pixels(height, width, channels=3):
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


def saved(folder, image, name="image.png", **options):
    Image.fromarray(image.squeeze(-1) if image.shape[-1] == 1 else image).save(
        folder / name, **options
    )
    return folder / name


# ---------------------------------------------------------------------------- files


def test_colours_and_grey(tmp_path):
    image = pixels(5, 7)
    np.testing.assert_array_equal(load_image(saved(tmp_path, image)), image)
    grey = pixels(5, 7, 1)
    path = saved(tmp_path, grey)
    np.testing.assert_array_equal(load_image(path, 1), grey)
    np.testing.assert_array_equal(load_image(path), np.repeat(grey, 3, axis=2))


@pytest.mark.parametrize("mode", ["1", "P", "LA", "RGBA", "CMYK"])
def test_other_modes(mode, tmp_path):
    image = Image.fromarray(np.full((3, 4, 3), 255, np.uint8)).convert(mode)
    image.save(tmp_path / "image.tiff")
    np.testing.assert_array_equal(load_image(tmp_path / "image.tiff"), np.full((3, 4, 3), 255))


def test_a_camera_held_upright(tmp_path):
    image = pixels(5, 7)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn it clockwise
    path = saved(tmp_path, image, exif=exif)
    np.testing.assert_array_equal(load_image(path), np.rot90(image, -1))


def test_bad_files(tmp_path):
    path = tmp_path / "image.png"
    with pytest.raises(FileNotFoundError):
        load_image(path)
    whole = saved(tmp_path, pixels(50, 70)).read_bytes()
    for content, words in (
        (b"", "cannot identify image file$"),
        (b"text", "cannot identify image file$"),
        (whole[: len(whole) // 2], "truncated"),
        (whole[:20], r"image\.png: ."),
        (whole[:60] + b"\0" * 40 + whole[100:], r"image\.png: ."),
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"load_image: .*image\.png: ") as caught:
            load_image(path)
        assert caught.match(words)


def test_sixteen_bits_are_refused(tmp_path):
    Image.fromarray(np.full((3, 4), 40_000, np.uint16)).save(tmp_path / "image.png")
    with pytest.raises(ValueError, match="mode I;16, must have 8 bits a channel"):
        load_image(tmp_path / "image.png")


@pytest.mark.parametrize("most", [30, 10], ids=["a warning in Pillow", "an error in Pillow"])
def test_decompression_bombs_are_refused(tmp_path, monkeypatch, most):
    path = saved(tmp_path, pixels(5, 7))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", most)
    with pytest.raises(ValueError, match=r"image\.png: Image size \(35 pixels\) exceeds limit"):
        load_image(path)


def test_a_bomb_of_few_bytes(tmp_path):
    content = io.BytesIO()
    Image.new("1", (30_000, 30_000)).save(content, "PNG")
    (tmp_path / "bomb.png").write_bytes(content.getvalue())
    with pytest.raises(ValueError, match="decompression bomb"):
        load_image(tmp_path / "bomb.png")


def test_wrong_channels(tmp_path):
    with pytest.raises(ValueError, match="channels must be 3 or 1, got 4"):
        load_image(tmp_path / "image.png", 4)


# ---------------------------------------------------------------------------- preprocessing


def test_a_square_that_fits_is_left_alone():
    image = pixels(8, 8)
    np.testing.assert_array_equal(center_square(image, 8, 8), image)
    np.testing.assert_array_equal(center_square(image, 4, 8), image[2:6, 2:6])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("shape", [(12, 8), (8, 12)])
def test_the_middle_is_taken(shape, channels):
    image = pixels(*shape, channels)
    tall = image if shape[0] > shape[1] else image.transpose(1, 0, 2)
    square = center_square(image, 8, 8)
    np.testing.assert_array_equal(
        square if tall is image else square.transpose(1, 0, 2), tall[2:10]
    )


def test_scaling_down_averages():
    image = np.zeros((64, 64, 1), np.uint8)
    image[:, ::2] = 200
    assert np.abs(center_square(image, 8, 8).astype(int) - 100).max() <= 10


def test_imagenet_normalisation():
    image = np.tile(np.array([10, 100, 200], np.uint8), (300, 280, 1))
    y = imagenet_preprocess(image)
    assert (y.shape, y.dtype, y.flags.c_contiguous) == ((3, 224, 224), np.float32, True)
    expected = (np.array([10, 100, 200]) / 255 - IMAGENET_MEAN) / IMAGENET_STD
    np.testing.assert_allclose(y, np.broadcast_to(expected[:, None, None], y.shape), atol=1e-5)
    assert imagenet_preprocess(image, 96).shape == (3, 96, 96)


@pytest.mark.parametrize(
    ("image", "size", "error", "words"),
    [
        (np.zeros((4, 4, 3)), 4, TypeError, "uint8, got float64"),
        ([[1]], 4, TypeError, "uint8, got list"),
        (np.zeros((4, 4), np.uint8), 4, ValueError, r"got \(4, 4\)"),
        (np.zeros((4, 4, 2), np.uint8), 4, ValueError, r"got \(4, 4, 2\)"),
        (np.zeros((0, 4, 3), np.uint8), 4, ValueError, r"got \(0, 4, 3\)"),
        (np.zeros((4, 4, 3), np.uint8), 0, ValueError, "size must be from 1"),
        (np.zeros((4, 4, 1), np.uint8), 4, ValueError, r"must be \(H, W, 3\), got \(4, 4, 1\)"),
        (np.zeros((1, 10_000, 3), np.uint8), 224, ValueError, "256 x 2560000 .* more than"),
    ],
)
def test_wrong_images(image, size, error, words):
    with pytest.raises(error, match=words):
        imagenet_preprocess(image, size)


def test_without_pillow(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(ImportError, match=r"load_image needs .* pip install 'cnnfast\[image\]'"):
        load_image(tmp_path / "image.png")
    with pytest.raises(ImportError, match="center_square needs"):
        imagenet_preprocess(pixels(4, 4))

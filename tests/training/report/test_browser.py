"""The report in a real browser: laid out, its pictures decoded, nothing refused."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import subprocess
from itertools import pairwise

import matplotlib.image
import numpy as np
import pytest

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
WIDTH, HEIGHT = 1280, 8000

pytestmark = pytest.mark.skipif(not BROWSER, reason="needs chromium")

# What the page's own policy forbids; added to a copy of the page.
PROBE = """<script>
addEventListener("load", () => {
  const box = (element) => {
    const {left, top, width, height} = element.getBoundingClientRect();
    return {left, top, width, height};
  };
  const images = [...document.images].map(
    (image) => ({...box(image), natural: [image.naturalWidth, image.naturalHeight]}));
  const sections = [...document.querySelectorAll("section")].map(box);
  const found = {
    images, sections,
    bottom: document.querySelector("main").getBoundingClientRect().bottom,
    wide: document.documentElement.scrollWidth,
    fetched: performance.getEntriesByType("resource").map((entry) => entry.name.slice(0, 50)),
    alerts: document.querySelectorAll("main script, header script").length,
  };
  document.documentElement.dataset.found = JSON.stringify(found);
});
</script></head>"""


class Rendered:
    """What the browser made of a page."""

    def __init__(self, page, folder, width=WIDTH):
        copy = folder / "copy.html"
        text = page.replace("default-src 'none'", "default-src 'none'; script-src 'unsafe-inline'")
        copy.write_text(text.replace("</head>", PROBE, 1))
        picture = folder / "picture.png"
        command = [
            *(BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-sync", "--hide-scrollbars"),
            *("--enable-logging=stderr", "--force-device-scale-factor=1", "--dump-dom"),
            *(f"--user-data-dir={folder / 'profile'}", f"--screenshot={picture}"),
            *(f"--window-size={width},{HEIGHT}", copy.as_uri()),
        ]
        run = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        (found,) = re.findall(r'data-found="([^"]*)"', run.stdout)
        self.found = json.loads(found.replace("&quot;", '"').replace("&amp;", "&"))
        self.complaints = [line for line in run.stderr.splitlines() if "CONSOLE" in line]
        self.pixels = matplotlib.image.imread(picture)[..., :3]

    def region(self, box):
        """The pixels within a box."""
        top, left = round(box["top"]), round(box["left"])
        return self.pixels[top : top + round(box["height"]), left : left + round(box["width"])]


@pytest.fixture(scope="module")
def rendered(report, tmp_path_factory):
    return Rendered(report.read_text(), tmp_path_factory.mktemp("browser"))


def test_nothing_is_refused_or_fetched(rendered):
    assert rendered.complaints == []
    assert [name for name in rendered.found["fetched"] if not name.startswith("data:")] == []
    assert rendered.found["alerts"] == 0


def test_pictures_appear_as_they_are(rendered, report):
    sources = re.findall(r'src="data:image/png;base64,([^"]*)"', report.read_text())
    assert len(rendered.found["images"]) == len(sources) == 11
    for box, source in zip(rendered.found["images"], sources, strict=True):
        original = matplotlib.image.imread(io.BytesIO(base64.b64decode(source)))[..., :3]
        assert box["natural"] == [original.shape[1], original.shape[0]]
        assert box["width"] / box["height"] == pytest.approx(
            original.shape[1] / original.shape[0], rel=0.02
        )
        shown = rendered.region(box)
        # In each of 4x4 fields the colour is that of the picture.
        for there, here in zip(fields(original), fields(shown), strict=True):
            np.testing.assert_allclose(here, there, atol=0.04)


def fields(pixels):
    return [
        part.mean(axis=(0, 1))
        for rows in np.array_split(pixels, 4)
        for part in np.array_split(rows, 4, axis=1)
    ]


def test_the_page_is_laid_out(rendered):
    images, sections = rendered.found["images"], rendered.found["sections"]
    assert len(sections) == 8
    for above, below in pairwise(sections):
        assert above["top"] + above["height"] < below["top"]
    assert sum(box["height"] for box in images) < rendered.found["bottom"] < HEIGHT
    assert rendered.found["wide"] == WIDTH
    for box in images:
        assert box["left"] > 0
        assert box["left"] + box["width"] < WIDTH
        assert box["height"] > 100
    # Text beside the pictures: the configuration has none.
    assert rendered.region(sections[-1]).std() > 0.05


def test_a_narrow_window_and_a_picture_from_elsewhere(report, tmp_path):
    """The page fits; and what asks for another file is refused, with a complaint that is seen."""
    page = report.read_text().replace("<details>", "<details open>")
    page = page.replace("<main>", '<main><img src="file:///missing.png" alt="">', 1)
    narrow = Rendered(page, tmp_path, width=600)
    assert narrow.found["wide"] == 600
    assert all(box["left"] + box["width"] < 600 for box in narrow.found["images"])
    assert "violates" in "".join(narrow.complaints)

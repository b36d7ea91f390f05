"""What is written into a report."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import html5lib
import matplotlib.image
import numpy as np
import pytest

from cnnfast import data, models, nn
from cnnfast.analysis import summary
from cnnfast.training.report import write_report
from cnnfast.training.report.observed import observe
from tests.helpers import run_python
from tests.training.report.conftest import HISTORY, HOSTILE


def parsed(path: Path) -> ElementTree.Element:
    """Parse as browsers do, but let no mistake pass."""
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(path.read_text(encoding="utf-8"))


def headings(path):
    return [heading.text for heading in parsed(path).iter("h2")]


def digits(count, batch_size=64):
    _, _, images, labels = data.digits()
    return data.DataLoader(images[:count], labels[:count], batch_size)


# ---------------------------------------------------------------------------- the page


def test_it_has_all_parts(report):
    assert headings(report) == [
        *("Curves", "Filters", "Activations", "Saliency", "Confusion", "Worst mistakes"),
        *("Ledger", "Configuration"),
    ]
    tree = parsed(report)
    alts = [image.get("alt") for image in tree.iter("img")]
    maps = [
        f"What {name} makes of an image" for name in ("relu1", "pool1", "relu2", "pool2", "fc3")
    ]
    assert alts[:2] == ["Loss and accuracy over the epochs", "The filters of conv1"]
    assert alts[2:7] == maps
    assert len(alts) == 11
    links = [link.get("href") for link in tree.iter("a")]
    sections = [f"#{section.get('id')}" for section in tree.iter("section")]
    assert links == sections
    (table,) = tree.iter("pre")
    assert table.text == str(summary(models.lenet5(), (1, 28, 28)))


def test_it_needs_nothing_else(report):
    tree, text = parsed(report), report.read_text()
    for element in tree.iter():
        assert element.tag not in ("script", "link", "iframe", "object", "embed", "form", "base")
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            if name in ("src", "href", "srcset", "action", "data", "poster"):
                assert value.startswith(("data:image/png;base64,", "#part"))
    (style,) = tree.iter("style")
    assert not re.search(r"url\(|@import|expression", style.text)
    assert "http://" not in text
    assert "https://" not in text


def test_text_is_text(report):
    tree = parsed(report)
    cells = {
        row.find("th").text: row.find("td").text for table in tree.iter("tbody") for row in table
    }
    assert cells[HOSTILE] == HOSTILE
    assert cells["optimizer.lr"] == "0.05"
    assert cells["optimizer.schedule.gamma"] == "0.1"
    assert cells["augmentation"] == "None"
    assert "instruction set" in cells
    assert [tree.find(".//title").text, tree.find(".//h1").text] == [
        f"Training of lenet5 {HOSTILE}"
    ] * 2


def test_pictures_are_there(report):
    for image in parsed(report).iter("img"):
        png = base64.b64decode(image.get("src").partition(",")[2], validate=True)
        shown = matplotlib.image.imread(io.BytesIO(png))[..., :3]
        width, height = int(image.get("width")), int(image.get("height"))
        assert shown.shape[1] / shown.shape[0] == pytest.approx(width / height, rel=0.02)
        assert shown.shape[1] > 1.4 * width  # sharp on dense screens
        assert shown.std() > 0.05


def test_figures_in_large(report):
    tree = parsed(report)
    facts = dict(
        zip(
            (term.text for term in tree.iter("dt")),
            (value.text for value in tree.iter("dd")),
            strict=True,
        )
    )
    model = models.lenet5(rng=np.random.default_rng(0))
    _, _, images, labels = data.digits()
    right = sum(int(s.argmax()) == y for s, y in zip(model(images[:200]), labels, strict=False))
    assert facts["validation accuracy"] == f"{right / 2:.2f}%"
    assert facts["validation images"] == "200"
    assert facts["epochs"] == "2"
    assert facts["parameters"] == "61.7 k"


def test_a_network_of_another_kind_before_its_first_epoch(tmp_path):
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.BatchNorm1d(10))
    before = model.state_dict()
    write_report(tmp_path / "page.html", model, {"train_loss": []}, digits(20), {})
    assert headings(tmp_path / "page.html") == [
        *("Activations", "Saliency", "Confusion", "Worst mistakes", "Ledger", "Configuration")
    ]
    assert parsed(tmp_path / "page.html").find(".//title").text == "Training"
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert all(parameter.grad is None for parameter in model.parameters())


def test_without_mistakes(tmp_path):
    images = np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3)
    write_report(tmp_path / "a.html", nn.Flatten(), HISTORY, [(images, np.arange(3))], {})
    facts = [value.text for value in parsed(tmp_path / "a.html").iter("dd")]
    assert facts[0] == "100.00%"


# ---------------------------------------------------------------------------- what is seen


def test_batches_are_seen_as_one():
    model = models.lenet5(rng=np.random.default_rng(1))
    whole = observe(model, digits(300, batch_size=300))
    parts = observe(model, digits(300, batch_size=7))
    for one, other in zip(whole, parts, strict=True):
        for a, b in zip(one, other, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_examples_are_of_different_classes_and_mistakes_are_the_worst():
    model = models.lenet5(rng=np.random.default_rng(1))
    _, _, images, labels = data.digits()
    seen = observe(model, digits(300, batch_size=50))
    first = list(dict.fromkeys(labels[:300].tolist()))
    chosen = sorted(labels[:300].tolist().index(label) for label in first)[:8]
    assert seen.examples.labels.tolist() == labels[chosen].tolist()
    np.testing.assert_array_equal(seen.examples.images, images[chosen])

    scores = model(images[:300]).astype(float)
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(300), labels[:300]]
    wrong = [i for i in range(300) if scores[i].argmax() != labels[i]]
    worst = sorted(wrong, key=lambda i: -losses[i])[:24]
    np.testing.assert_array_equal(seen.mistakes.images, images[worst])


# ---------------------------------------------------------------------------- bad input


def test_no_images(tmp_path):
    path = tmp_path / "report.html"
    path.write_text("of the last run")
    for batches in ([], [(np.zeros((0, 1, 28, 28), np.float32), np.zeros(0, int))]):
        with pytest.raises(ValueError, match="write_report: there are no validation images"):
            write_report(path, models.lenet5(), HISTORY, batches, {})
    assert path.read_text() == "of the last run"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_is_not_there_costs_no_time(tmp_path):
    model = nn.Module()  # it cannot even be called
    with pytest.raises(FileNotFoundError):
        write_report(tmp_path / "no" / "report.html", model, {}, digits(10), {})


def test_scores_of_no_classes(tmp_path):
    with pytest.raises(ValueError, match="scores must have 2 dimensions"):
        write_report(tmp_path / "r.html", nn.ReLU(), {}, digits(10), {})


def test_names_that_are_too_few(tmp_path):
    with pytest.raises(ValueError, match="write_report: 10 classes need as many names, got 1"):
        write_report(tmp_path / "r.html", models.lenet5(), {}, digits(10), {}, ["zero"])


def test_without_matplotlib():
    script = "import sys; sys.modules['matplotlib'] = None; import cnnfast.training.report"
    assert "python -m pip install 'cnnfast[plot]'" in run_python(script).stderr.splitlines()[-1]

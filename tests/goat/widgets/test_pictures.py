"""Images in a notebook, beside each other."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
from PIL import Image

from goat.readers import write_pt
from goat.widgets.pictures import side_by_side


def shown(html: str) -> list[np.ndarray]:
    found = re.findall(r"data:image/png;base64,([^']+)'", html)
    return [np.asarray(Image.open(io.BytesIO(base64.b64decode(one)))) for one in found]


def test_files_and_arrays_stand_side_by_side_with_their_titles(tmp_path: Path) -> None:
    # Given a colour image in a file, and a grey one that only exists in memory
    colour = np.zeros((3, 4, 5), np.float32)
    colour[0] = 2.0  # beyond the range: as bright as can be
    write_pt(tmp_path / "a.pt", colour)
    grey = np.full((1, 4, 5), 0.5, np.float32)
    # When they are shown
    html = side_by_side(tmp_path / "a.pt", grey, titles=["damaged <b>", "restored"], zoom=3)._repr_html_()
    # Then as they are, enlarged, and each with its title, also for those who do not see them
    first, second = shown(html)
    assert first.shape == second.shape == (12, 15, 3)
    assert (first == (255, 0, 0)).all()
    assert (second == 128).all()
    assert html.count("damaged &lt;b&gt;") == 2
    assert "<figcaption>restored</figcaption>" in html


def test_a_file_without_a_title_is_named(tmp_path: Path) -> None:
    (tmp_path / "inputs").mkdir()
    write_pt(tmp_path / "inputs" / "a.pt", np.zeros((1, 2, 2), np.uint8))
    assert repr(side_by_side(tmp_path / "inputs" / "a.pt")) == "<Pictures: inputs/a.pt>"

"""The photographs that ship inside the wheels of scikit-image and scikit-learn, by name.

NOTICE. The images come from the installed packages scikit-image (``skimage/data``) and scikit-learn
(``sklearn/datasets/images``) and are not redistributed by us: they are read on the organiser's own
machine, without any download. Their authors and licences are listed in those packages and their
documentation; ``china`` is by danielbuechele and ``flower`` by vultilion (Flickr, CC BY 2.0).

The packages themselves are not imported: only their folders are looked up, which takes no time.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageOps

from goat.errors import Invalid

_FOLDERS = {"skimage": "data", "sklearn": "datasets/images"}


def find(file: str) -> Path:
    """Path of a file such as ``skimage/astronaut.png`` inside the installed package.

    Raises `goat.errors.Invalid` if the package is missing or does not contain the image.
    """
    package, _, name = file.partition("/")
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Invalid(f"the photographs need the package {package}: pip install 'mls-goat[server,sample]'")
    path = Path(spec.submodule_search_locations[0], _FOLDERS[package], name)
    if not path.is_file():
        raise Invalid(f"the installed {package} no longer ships {name}; install the pinned requirements")
    return path


def load(file: str, width: int, height: int) -> Image.Image:
    """One photograph as RGB, scaled and cropped around its centre to ``width`` × ``height`` pixels.

    Pillow resamples in integers, so the pixels do not depend on the processor.
    """
    with Image.open(find(file)) as image:
        return ImageOps.fit(image.convert("RGB"), (width, height), Image.Resampling.LANCZOS)

"""What the Dockerfile makes, made once in an empty folder outside the checkout."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.image import dockerfile
from tests.image.image import Image
from tests.image.place import Place, export


@pytest.fixture(scope="session")
def image() -> Iterator[Image]:
    """Give the image's content. Removed at the end: it is a quarter of a gigabyte."""
    root = Path(tempfile.mkdtemp(prefix="summaryrule-image-"))
    try:
        place = Place(root / "root", export(root / "context"))
        place.carry_out(dockerfile.build())
        place.carry_out([step for step in dockerfile.final() if step.keyword != "RUN"])
        yield Image(place)
    finally:
        shutil.rmtree(root)

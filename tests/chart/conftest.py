from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from devstack import binaries
from devstack.stack import Stack
from tests.chart.helm import Checker, Helm, Object


@pytest.fixture(scope="package")
def release_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Give a stack whose release the tests of this folder may do with as they like."""
    with Stack.start(tmp_path_factory.mktemp("release")) as stack:
        yield stack


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Give a helm that has no cluster."""
    return Helm(binaries.resolve(print)["helm"], tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def checker() -> Checker:
    """Give what finds a program that checks charts, or builds it, by its name."""

    def find(name: str) -> Path:
        known = (*binaries.CHECKERS, *binaries.ON_DEMAND)
        (tool,) = [each for each in known if each.name == name]
        return binaries.resolve(print, [tool])[name]

    return cache(find)


@pytest.fixture(scope="session")
def helm3(checker: Checker, tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Give a helm 3 that has no cluster."""
    return Helm(checker("helm3"), tmp_path_factory.mktemp("helm3"))


@pytest.fixture(scope="session")
def chart(helm: Helm) -> list[Object]:
    """Give the objects of the chart with its default values."""
    return helm.render()


@pytest.fixture(scope="session")
def values() -> Path:
    """Give the chart's own values file."""
    return Path(__file__).parents[2] / "charts" / "summaryrule-operator" / "values.yaml"

from pathlib import Path

import pytest

from devstack import binaries
from tests.chart.helm import Helm, Object


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    """Give a helm that has no cluster."""
    return Helm(binaries.resolve(print)["helm"], tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def chart(helm: Helm) -> list[Object]:
    """Give the objects of the chart with its default values."""
    return helm.render()


@pytest.fixture(scope="session")
def values() -> Path:
    """Give the chart's own values file."""
    return Path(__file__).parents[2] / "charts" / "summaryrule-operator" / "values.yaml"

"""The chart's README is what its schema says."""

from tests.chart.helm import CHART
from tests.chart.reference import reference


def test_the_readme_is_generated_from_the_schema_that_is_here() -> None:
    words = "run: make chart-readme"
    assert (CHART / "README.md").read_text() == reference(), words

"""The chart's README is what its schema says."""

from tests.chart.helm import CHART
from tests.chart.reference import reference


def test_the_readme_is_generated_from_the_schema_that_is_here() -> None:
    words = "run: python -m tests.chart.reference > charts/summaryrule-operator/README.md"
    assert (CHART / "README.md").read_text() == reference(), words

"""The chart's README and the comments of its values are what its schema says."""

from tests.chart.helm import CHART
from tests.chart.reference import reference, values_file

TO_DO = "run: make chart-readme"


def test_the_readme_is_generated_from_the_schema_that_is_here() -> None:
    assert (CHART / "README.md").read_text() == reference(), TO_DO


def test_each_value_has_its_description_as_a_comment() -> None:
    assert (CHART / "values.yaml").read_text() == values_file(), TO_DO

"""CEL that does not parse is refused with the place where it stops making sense."""

import subprocess
import sys

import pytest

from runtime.cel import evaluate, parse_error
from summaryrule.planner.preconditions import ExpressionError


@pytest.mark.parametrize(
    "expression",
    [
        "region == 'eastus'",
        "environment in ['prod', 'canary'] && region.startsWith('east')",
        "unknown_label == 'x'",
        "[1, 2].exists(n, n > 1)",
    ],
)
def test_an_expression_that_parses_has_no_problem(expression: str) -> None:
    assert parse_error(expression) is None


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("a b", "line 1, column 3: extraneous input 'b' where the expression should end"),
        ("region == ", "line 1, column 11: the expression ends too early"),
        ("region = 'a'", "line 1, column 8: token recognition error at: '= '"),
        ("f(1,\n  +)", "line 2, column 3: mismatched input '+'"),
        ("has(a)", "line 1, column 5: has() argument must be a field selection"),
        ("", "line 1, column 1: the expression ends too early"),
        ("(" * 50_000, "Expression recursion limit exceeded. limit: 32"),
    ],
)
def test_an_expression_that_does_not_parse_is_explained(expression: str, said: str) -> None:
    assert parse_error(expression) == said


def test_an_oversize_expression_is_refused_unparsed() -> None:
    assert "exceeds codepoint limit" in str(parse_error("a" * 1_000_000))


def test_the_parser_is_not_loaded_before_it_is_asked() -> None:
    code = "import sys, webhook.app; print('cel_expr_python' in sys.modules)"
    asked = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert asked.stdout.strip() == "False"


MANY = "[" + ",".join(["1"] * 200) + "]"


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("1 / 0 == 1", "INVALID_ARGUMENT: divide by zero"),
        ("region.size() % 0 > 1", "INVALID_ARGUMENT: modulus by zero"),
        ("[1][5] == 1", "UNKNOWN: Index error: index=5 size=1"),
        ("9223372036854775807 + 1 == 0", "OUT_OF_RANGE: integer overflow"),
        (f"{MANY}.all(a, {MANY}.all(b, a + b > 0))", "Iteration budget exceeded"),
    ],
)
def test_an_expression_that_fails_while_it_runs_is_explained(expression: str, said: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        evaluate(expression, {"region": "eu"})
    assert str(refused.value) == said

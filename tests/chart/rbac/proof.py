"""One line of the table: a verb taken away, and the check that fails then."""

from collections.abc import Callable

from tests.chart.helm import RELEASE, Object
from tests.chart.rbac.bench import Bench
from tests.chart.rbac.grants import Grant, roles, without

Check = Callable[[Bench], None]


def fails_without(bench: Bench, chart: list[Object], check: Check, grant: Grant) -> str:
    """Show that a check fails without a verb, and that the verb was asked for; give the line."""
    rendered = roles(chart, f"{RELEASE}-{grant.role}")
    with without(bench, rendered, grant), bench.watching(grant.role) as refused:
        why = complaint(bench, check)
    assert refused.seen
    assert why is not None
    asked = "".join(f"  refused: {each}\n" for each in sorted(set(refused.seen)))
    return f"\n{grant}\n  {check.__name__.replace('_', ' ')}: {why}\n{asked}"


def complaint(bench: Bench, check: Check) -> str | None:
    """Give what a check that must fail has to say; None when it passes."""
    try:
        check(bench)
    except AssertionError as error:
        return str(error).splitlines()[0]
    return None

"""Everything that clusters store, that monitoring scrapes and that scripts are written against.

`python -m tests.frozen.dump` prints it as JSON. `tests/golden/frozen.json` is what commit 131e268
printed, without the options and metrics of sharding, which no release had. A difference breaks a
promise: change the golden file only together with a migration, or to add what is new.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterable
from contextlib import redirect_stdout
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import yaml

from summaryrule.api import constants
from summaryrule.api.instant import Instant
from summaryrule.api.schema_validation import parse_rule
from summaryrule.api.tokens import request_key, spec_hash, window_token
from summaryrule.api.windows import Window
from tests.manifests import rule, span, stored
from tests.planner.fake_environment import FakeEnvironment, backfilling
from webhook.cli import parser as webhook_parser
from webhook.metrics import Metrics as WebhookMetrics
from worker.cli import parser as worker_parser
from worker.metrics import Metrics as WorkerMetrics

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "summaryrule-operator"


def dump() -> dict[str, Any]:
    """All of it, as plain JSON."""
    return {
        "crd": sha256((CHART / "files" / "crd.yaml").read_bytes()).hexdigest(),
        "annotations": sorted(_annotations()),
        "flags": {
            "worker": _flags(worker_parser()),
            "webhook": _flags(webhook_parser()),
        },
        "metrics": sorted({*_series(WorkerMetrics), *_series(WebhookMetrics)}),
        "chart values": sorted(_paths(_chart_values())),
        "identities": list(_identities(100)),
        "admission": list(_reviews()),
        "runs": {name: _run(make()) for name, make in SCENARIOS.items()},
    }


def _annotations() -> Iterable[str]:
    return (
        constants.OWNER_ANNOTATION,
        constants.REQUESTED_BY_ANNOTATION,
        constants.DEFAULTED_END_ANNOTATION,
        constants.RETRY_ANNOTATION,
        constants.SKIP_ANNOTATION,
        constants.FINALIZER,
        constants.FIELD_MANAGER,
        constants.OPERATOR_NAME,
    )


def _flags(parser: argparse.ArgumentParser, prefix: str = "") -> dict[str, str]:
    """Each option with its default, and each subcommand's."""
    found: dict[str, str] = {}
    for action in parser._actions:  # noqa: SLF001 - argparse has no other way to list them
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, sub in action.choices.items():
                found |= _flags(sub, f"{prefix}{name} ")
        elif not isinstance(action, argparse._HelpAction):  # noqa: SLF001
            name = "/".join(action.option_strings) or f"<{action.dest}>"
            found[f"{prefix}{name}"] = f"{action.default!s}"
    return found


def _series(metrics: Callable[[], Any]) -> list[str]:
    """`name type` of each metric."""
    text = metrics().exposition().decode()
    return [line[7:] for line in text.splitlines() if line.startswith("# TYPE summaryrule_")]


def _chart_values() -> Any:
    return yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))


def _paths(values: Any, prefix: str = "") -> Iterable[str]:
    if not isinstance(values, dict) or not values:
        yield f"{prefix}={json.dumps(values)}"
        return
    for name, value in values.items():
        yield from _paths(value, f"{prefix}.{name}" if prefix else name)


def _identities(count: int) -> Iterable[dict[str, str]]:
    """Keys, tokens and hashes of rules that differ in all that goes into them."""
    for number in range(count):
        interval = ("1m", "15m", "1h", "24h", "168h")[number % 5]
        raw = rule(interval=interval, table=f"T{number % 7}", body=f"T | take {number}\n")
        raw["metadata"] |= {
            "name": f"rule-{number}",
            "uid": "" if number % 4 == 0 else f"u{number}",
        }
        made = parse_rule(raw)
        start = Instant.parse(f"2026-11-{1 + number % 28:02d}T00:00:00Z")
        key = request_key(made, start, None if number % 3 else f"again-{number}")
        window = Window(start, start.plus(made.spec.interval.ticks))
        yield {
            "request key": key,
            "window asked for again": window_token(made, window, "again"),
            "scheduled window": window_token(made, window),
            "spec": spec_hash(made.spec),
        }


def _reviews() -> Iterable[dict[str, Any]]:
    """What `webhook review` says of the examples, and of rules with one mistake each."""
    from webhook.__main__ import main  # noqa: PLC0415 - the whole command

    for path in sorted((ROOT / "tests" / "frozen" / "rules").glob("*.yaml")):
        out = StringIO()
        with redirect_stdout(out):
            code = main(["review", str(path), "--now", "2026-11-24T06:00:00Z", "-o", "json"])
        yield {"file": path.name, "exit": code, "said": json.loads(out.getvalue() or "null")}


def _serial() -> FakeEnvironment:
    env = FakeEnvironment(stored(rule(span("2026-11-20T00:00:00Z", "2026-11-20T06:00:00Z"))))
    env.run()
    return env


def _parallel() -> FakeEnvironment:
    env = FakeEnvironment(
        stored(rule(span("2026-11-20T00:00:00Z", "2026-11-20T06:00:00Z", maxInFlight=4)))
    )
    env.run()
    return env


def _failing() -> FakeEnvironment:
    env = backfilling(3)
    env.kusto.state_of = lambda start, _attempt: "Failed" if "T01" in start else "Completed"
    env.run()
    env.annotate(backfill_retry="all")
    env.kusto.state_of = lambda _start, _attempt: "Completed"
    env.run()
    return env


def _retryable() -> FakeEnvironment:
    env = backfilling(2)
    env.kusto.state_of = lambda _start, attempt: "Failed?" if attempt < 2 else "Completed"
    env.run()
    return env


def _removed() -> FakeEnvironment:
    env = backfilling(3)
    env.kusto.is_slow = True
    env.settle()
    env.edit(backfill=...)
    env.settle()
    return env


def _replaced() -> FakeEnvironment:
    env = backfilling(3)
    env.settle()
    env.edit(backfill=span("2026-11-21T00:00:00Z", "2026-11-21T02:00:00Z", requestId="again"))
    env.run()
    return env


def _changed() -> FakeEnvironment:
    env = backfilling(3)
    env.kusto.is_slow = True
    env.settle()
    env.edit(body="Metrics | take 1")
    env.kusto.is_slow = False
    env.run()
    env.annotate(backfill_retry="all")
    env.run()
    return env


def _deleted() -> FakeEnvironment:
    env = backfilling(3)
    env.kusto.is_slow = True
    env.settle()
    env.delete()
    env.settle()
    return env


def _scheduled() -> FakeEnvironment:
    env = FakeEnvironment(stored(rule(), status={"schedule": {"cursor": "2026-11-24T02:00:00Z"}}))
    env.run()
    return env


def _of_upstream() -> FakeEnvironment:
    condition = {
        "type": "summaryrule.adx-mon.azure.com/LastSuccessfulExecution",
        "status": "True",
        "reason": "ExecutionSuccessful",
        "message": "2026-11-24T03:00:00Z",
    }
    env = FakeEnvironment(stored(rule(), status={"conditions": [condition]}))
    env.run()
    return env


def _unreadable_upstream() -> FakeEnvironment:
    condition = {
        "type": "summaryrule.adx-mon.azure.com/LastSuccessfulExecution",
        "status": "True",
        "reason": "ExecutionSuccessful",
        "message": "yesterday",
    }
    env = FakeEnvironment(stored(rule(), status={"conditions": [condition]}))
    env.run()
    return env


def _elsewhere() -> FakeEnvironment:
    env = FakeEnvironment(stored(rule(criteria={"region": ["eastus"]})))
    env.run()
    return env


def _no_endpoint() -> FakeEnvironment:
    env = FakeEnvironment(stored(rule(database="Elsewhere")))
    env.run()
    return env


def _paused() -> FakeEnvironment:
    env = backfilling(3, suspend=True)
    env.edit(backfill=span("2026-11-20T00:00:00Z", "2026-11-20T03:00:00Z", suspend=True))
    env.run()
    return env


SCENARIOS: dict[str, Callable[[], FakeEnvironment]] = {
    "a backfill, one window at a time": _serial,
    "a backfill, four windows at once": _parallel,
    "a window that fails for good, then a retry": _failing,
    "a window that is retried": _retryable,
    "a backfill that is removed": _removed,
    "a backfill that is replaced": _replaced,
    "an edit while a backfill runs": _changed,
    "a rule that is deleted": _deleted,
    "a schedule that is four windows late": _scheduled,
    "a rule that adx-mon ran": _of_upstream,
    "a condition that cannot be read": _unreadable_upstream,
    "a rule for another cluster": _elsewhere,
    "a database without an endpoint": _no_endpoint,
    "a backfill that is paused": _paused,
}


def _run(env: FakeEnvironment) -> list[Any]:
    """Each write, Event and command in order, and the object at the end."""
    done: list[Any] = []
    for each in env.log:
        match type(each).__name__:
            case "RecordStatus":
                done.append(_plain(each.status))  # type: ignore[union-attr]
            case _:
                done.append(_effect(each))
    return [*done, env.raw]


def _effect(effect: Any) -> Any:
    names = {
        "EmitEvent": ("type", "reason", "message"),
        "Submit": ("database", "command"),
        "SetFinalizer": ("present",),
        "Cancel": ("database", "operation_id"),
    }
    return [str(getattr(effect, name)) for name in names.get(type(effect).__name__, ())]


def _plain(status: Any) -> Any:
    from summaryrule.api.v1 import dump as to_json  # noqa: PLC0415 - beside its only use

    return to_json(status)


if __name__ == "__main__":
    json.dump(dump(), sys.stdout, indent=1, sort_keys=True, ensure_ascii=False)
    sys.stdout.write("\n")

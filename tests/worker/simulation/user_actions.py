"""What users and their tools do to rules while the worker runs. Each action passes admission.

An action may have no effect: it is refused, has a conflict, or changes nothing. The random numbers
are those of the scenario.
"""

from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from runtime.errors import Conflict, NotFound, Refused
from summaryrule.admission.defaulting import apply_defaults
from summaryrule.admission.validation import review
from summaryrule.api.constants import RETRY_ANNOTATION, SKIP_ANNOTATION
from summaryrule.api.duration import Duration
from summaryrule.api.field_errors import FieldError
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.schema_validation import validate_schema
from tests.worker.simulation.cluster import Cluster, Item, apply_merge_patch
from tests.worker.simulation.invariants import ticks
from worker.ports import Clock

NAMESPACE: Final = "telemetry"
DATABASE: Final = "Telemetry"
WORKER: Final = "system:serviceaccount:summaryrule-system:summaryrule-operator-worker"
_BODY: Final = (
    "Telemetry | where Timestamp between (_startTime .. _endTime) | summarize N=count()"
    " // text {text}"
)
_INTERVALS: Final = ("2m", "5m", "10m", "10m", "15m")
_DELAYS: Final = ("0s", "30s", "3m", "4m")


class Admission:
    """The webhook; if `is_down`, `/mutate` is skipped, as with failurePolicy Ignore."""

    def __init__(self, clock: Clock) -> None:
        self.user = WORKER
        self.is_down = False
        self._clock = clock

    def __call__(self, old: Item | None, new: Item) -> None:
        now = Instant(self._clock.now())
        if self.user == WORKER:
            _require_order(new)
            return
        if old is not None and old.get("spec") == new.get("spec"):
            return
        if not self.is_down:
            defaulted = apply_defaults(old, new, user=self.user, worker=WORKER, now=now).object
            new.clear()
            new.update(defaulted)
        _require(validate_schema(new, old))
        result = review(old, new, user=self.user, worker=WORKER, now=now, parse_cel=lambda _: None)
        _require(result.violations)


def _require(violations: Iterable[FieldError]) -> None:
    """Raise Refused if there are violations."""
    found = list(violations)
    if found:
        raise Refused("; ".join(map(str, found)), "Invalid")


def _require_order(new: Item) -> None:
    """Check the order of start and end, which the CRD also requires of the worker."""
    requested = new["spec"].get("backfill")
    if requested and ticks(requested["start"]) >= ticks(requested["end"]):
        raise AssertionError(
            f"the worker wrote start {requested['start']} and end {requested['end']}"
        )


class User:
    """The user of one rule, with its manifest."""

    def __init__(
        self, number: int, cluster: Cluster, admission: Admission, clock: Clock, random: Random
    ) -> None:
        self.name = f"rule-{number}"
        self._cluster, self._admission, self._clock, self._random = (
            cluster,
            admission,
            clock,
            random,
        )
        self._edits_interval = random.random() < 0.25
        self._replace_probability = random.choice([0.0, 0.5, 1.0])
        self.manifest = self._write_manifest(number)

    def _write_manifest(self, number: int) -> Item:
        random = self._random
        spec: Item = {
            "database": DATABASE,
            "table": random.choice([f"T{number}", f"T{number}", "Shared"]),
            "body": _BODY.format(text=1),
            "interval": random.choice(_INTERVALS),
        }
        if random.random() < 0.3:
            spec["ingestionDelay"] = random.choice(_DELAYS)
        if random.random() < 0.3:
            spec["suspend"] = True
        if random.random() < self._replace_probability:
            spec["writeMode"] = "Replace"
        if spec.get("suspend") or random.random() < 0.8:
            spec["backfill"] = self._request(spec)
        return {
            "apiVersion": "adx-mon.azure.com/v1",
            "kind": "SummaryRule",
            "metadata": {"name": self.name, "namespace": NAMESPACE},
            "spec": spec,
        }

    def _request(self, spec: Item) -> Item:
        random, interval = self._random, Duration.parse(spec["interval"]).ticks
        windows, back = random.randint(1, 10), random.randint(0, 6)
        end = self._clock.now() - back * interval + random.choice([0, 0, interval])
        start = end - windows * interval + random.randint(-1, 1) * 7 * TICKS_PER_SECOND
        requested: Item = {
            "start": str(Instant(start)),
            "maxInFlight": random.choice([1, 1, 2, 4, 8]),
        }
        if random.random() < 0.8:
            requested["end"] = str(Instant(end))
        if random.random() < 0.8:
            requested["untagged"] = "Keep"
        if random.random() < 0.3:
            requested["requestId"] = f"id-{random.randint(0, 3)}"
        return requested

    def choose_action(self) -> str:
        """The name of the next action; only some users edit the interval."""
        chances = WEIGHTS if self._edits_interval else {**WEIGHTS, "interval": 0}
        [action] = self._random.choices(list(chances), list(chances.values()))
        return action

    def perform(self, action: str, *, webhook_is_down: bool) -> str:
        """Perform the action; a line with its result."""
        self._admission.user, self._admission.is_down = self.name, webhook_is_down
        try:
            outcome = _ACTIONS[action](self)
        except (Conflict, NotFound, Refused) as error:
            outcome = str(error)
        finally:
            self._admission.user = WORKER
        return f"{self.name}: {action}{' (webhook down)' if webhook_is_down else ''}: {outcome}"

    # Apply the manifest

    def apply(self) -> str:
        """A client-side apply: patch the rule with the manifest."""
        try:
            live = self._cluster.get(NAMESPACE, self.name)
        except NotFound:
            self._cluster.create(self.manifest, "kubectl-client-side-apply")
            return "created"
        spec = dict(self.manifest["spec"])
        if "backfill" not in spec and "backfill" in live["spec"]:
            spec["backfill"] = None
        self._patch({"spec": spec}, "kubectl-client-side-apply")
        return "applied"

    def apply_on_server(self, *, force: bool = False) -> str:
        self._cluster.apply(self.manifest, manager="kubectl", force=force)
        return "applied"

    def add_backfill_to_manifest(self) -> str:
        """Write a new backfill to the manifest, and apply it."""
        self.manifest["spec"]["backfill"] = self._request(self.manifest["spec"])
        return self.apply()

    def remove_backfill_from_manifest(self) -> str:
        self.manifest["spec"].pop("backfill", None)
        return self.apply()

    # Edit the stored rule

    def _patch(self, body: Item, manager: str = "kubectl-edit") -> None:
        self._cluster.patch((NAMESPACE, self.name), body, manager=manager)

    def _live(self) -> Item:
        return self._cluster.get(NAMESPACE, self.name)

    def _edit(self, change: Callable[[Item], Item | None]) -> str:
        """Change the spec of the stored rule; in half of the cases, that of the manifest too."""
        body = change(self._live()["spec"])
        if body is None:
            return "nothing to edit"
        self._patch({"spec": body})
        if self._random.random() < 0.5:
            self.manifest["spec"] = apply_merge_patch(dict(self.manifest["spec"]), body)
        return f"edited {body}"

    def _edit_backfill(self, change: Callable[[Item, int], Item]) -> str:
        def edit(spec: Item) -> Item | None:
            requested = spec.get("backfill")
            interval = Duration.parse(spec["interval"]).ticks
            return None if requested is None else {"backfill": change(requested, interval)}

        return self._edit(edit)

    def move_end(self) -> str:
        windows = self._random.choice([-4, -2, -1, 1, 2, 4])
        return self._edit_backfill(
            lambda requested, i: {"end": _moved(requested["end"], windows * i)}
        )

    def move_start(self) -> str:
        windows = self._random.choice([-3, -1, 1, 2])
        return self._edit_backfill(
            lambda requested, i: {"start": _moved(requested["start"], windows * i)}
        )

    def change_request_id(self) -> str:
        new = f"id-{self._random.randint(0, 5)}"
        return self._edit_backfill(lambda _asked, _i: {"requestId": new})

    def change_max_in_flight(self) -> str:
        bound = self._random.randint(1, 8)
        return self._edit_backfill(lambda _asked, _i: {"maxInFlight": bound})

    def pause(self) -> str:
        return self._edit_backfill(
            lambda requested, _i: {"suspend": not requested.get("suspend", False)}
        )

    def suspend(self) -> str:
        return self._edit(lambda spec: {"suspend": not spec.get("suspend", False)})

    def change_body(self) -> str:
        text = _BODY.format(text=self._random.randint(1, 4))
        return self._edit(lambda _spec: {"body": text})

    def change_mode(self) -> str:
        return self._edit(
            lambda spec: {
                "writeMode": "Append" if spec.get("writeMode") == "Replace" else "Replace"
            }
        )

    def keep_untagged(self) -> str:
        return self._edit_backfill(lambda _asked, _i: {"untagged": "Keep"})

    def change_interval(self) -> str:
        """Change the interval, sometimes with the delay: due windows may then not be due."""
        spec = {"interval": self._random.choice(_INTERVALS)}
        if self._random.random() < 0.3:
            spec["ingestionDelay"] = self._random.choice(_DELAYS)
        return self._edit(lambda _spec: spec)

    def change_delay(self) -> str:
        delay = self._random.choice(_DELAYS)
        return self._edit(lambda _spec: {"ingestionDelay": delay})

    def remove_backfill(self) -> str:
        self._patch({"spec": {"backfill": None}})
        return "removed"

    def retry(self) -> str:
        self._patch({"metadata": {"annotations": {RETRY_ANNOTATION: "all"}}})
        return "annotated"

    def retry_one(self) -> str:
        """Retry one failed window; if there is none, a window that does not exist."""
        start = self._random.choice(self._failed() or ["2026-03-01T22:00:00Z"])
        self._patch({"metadata": {"annotations": {RETRY_ANNOTATION: start}}})
        return f"annotated {start}"

    def _failed(self) -> list[str]:
        status = self._live().get("status", {})
        return [
            each["start"]
            for part in ("backfill", "schedule")
            for each in status.get(part, {}).get("failed", ())
        ]

    def skip(self) -> str:
        failed = self._failed()
        if not failed:
            return "nothing failed"
        self._patch({"metadata": {"annotations": {SKIP_ANNOTATION: ",".join(failed)}}})
        return f"skips {failed}"

    def delete(self) -> str:
        self._cluster.delete(NAMESPACE, self.name)
        return "deleted"


def _moved(text: str, by: int) -> str:
    return str(Instant(ticks(text) + by))


_ACTIONS: Final[dict[str, Callable[[User], str]]] = {
    "apply": User.apply,
    "apply on server": User.apply_on_server,
    "apply by force": lambda user: user.apply_on_server(force=True),
    "new backfill in file": User.add_backfill_to_manifest,
    "no backfill in file": User.remove_backfill_from_manifest,
    "move end": User.move_end,
    "move start": User.move_start,
    "new requestId": User.change_request_id,
    "maxInFlight": User.change_max_in_flight,
    "pause": User.pause,
    "suspend": User.suspend,
    "body": User.change_body,
    "write mode": User.change_mode,
    "untagged": User.keep_untagged,
    "interval": User.change_interval,
    "remove backfill": User.remove_backfill,
    "delay": User.change_delay,
    "retry": User.retry,
    "retry one": User.retry_one,
    "skip": User.skip,
    "delete": User.delete,
}

WEIGHTS: Final[dict[str, int]] = {
    "apply": 8, "apply on server": 4, "apply by force": 2, "new backfill in file": 3,
    "no backfill in file": 1, "move end": 4, "move start": 2, "new requestId": 2,
    "write mode": 1, "untagged": 1,
    "maxInFlight": 2, "pause": 3, "suspend": 2, "body": 3, "interval": 5, "delay": 1,
    "remove backfill": 2, "retry": 4, "retry one": 3, "skip": 2, "delete": 1,
}  # fmt: skip

"""What people and their tools do to rules while the worker runs, each act through admission.

An act may come to nothing (refused, conflicting, nothing to change), as it does in life; the
draws come from the story's own dice.
"""

from collections.abc import Callable, Iterable
from random import Random
from typing import Final

from summaryrule.admission.defaulting import apply_defaults
from summaryrule.admission.validation import review
from summaryrule.api.constants import RETRY_ANNOTATION, SKIP_ANNOTATION
from summaryrule.api.duration import Duration
from summaryrule.api.field_errors import FieldError
from summaryrule.api.instant import TICKS_PER_SECOND, Instant
from summaryrule.api.schema_validation import validate_schema
from tests.worker.simulation.cluster import Cluster, Item
from tests.worker.simulation.invariants import ticks
from worker.errors import Conflict, NotFound, Refused
from worker.kube.summaryrules import apply_merge_patch
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
    """The webhook in front of the cluster; `is_down` loses mutate, as failurePolicy Ignore does."""

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
    """The schema's stage holds for a rule that is being deleted as well; the webhook lets it be."""
    found = list(violations)
    if found:
        raise Refused("; ".join(map(str, found)), "Invalid")


def _require_order(new: Item) -> None:
    """The CRD's own rule holds for the worker as well."""
    asked = new["spec"].get("backfill")
    if asked and ticks(asked["start"]) >= ticks(asked["end"]):
        raise AssertionError(f"the worker wrote start {asked['start']} and end {asked['end']}")


class User:
    """The owner of one rule, with its manifest in a file."""

    def __init__(
        self, number: int, cluster: Cluster, admission: Admission, clock: Clock, dice: Random
    ) -> None:
        self.name = f"rule-{number}"
        self._cluster, self._admission, self._clock, self._dice = cluster, admission, clock, dice
        self._regrids = dice.random() < 0.25
        self._replacing = dice.choice([0.0, 0.5, 1.0])
        self.manifest = self._write_manifest(number)

    def _write_manifest(self, number: int) -> Item:
        dice = self._dice
        spec: Item = {
            "database": DATABASE,
            "table": dice.choice([f"T{number}", f"T{number}", "Shared"]),
            "body": _BODY.format(text=1),
            "interval": dice.choice(_INTERVALS),
        }
        if dice.random() < 0.3:
            spec["ingestionDelay"] = dice.choice(_DELAYS)
        if dice.random() < 0.3:
            spec["suspend"] = True
        if dice.random() < self._replacing:
            spec["writeMode"] = "Replace"
        if spec.get("suspend") or dice.random() < 0.8:
            spec["backfill"] = self._request(spec)
        return {
            "apiVersion": "adx-mon.azure.com/v1",
            "kind": "SummaryRule",
            "metadata": {"name": self.name, "namespace": NAMESPACE},
            "spec": spec,
        }

    def _request(self, spec: Item) -> Item:
        dice, interval = self._dice, Duration.parse(spec["interval"]).ticks
        windows, back = dice.randint(1, 10), dice.randint(0, 6)
        end = self._clock.now() - back * interval + dice.choice([0, 0, interval])
        start = end - windows * interval + dice.randint(-1, 1) * 7 * TICKS_PER_SECOND
        asked: Item = {"start": str(Instant(start)), "maxInFlight": dice.choice([1, 1, 2, 4, 8])}
        if dice.random() < 0.8:
            asked["end"] = str(Instant(end))
        if dice.random() < 0.8:
            asked["untagged"] = "Keep"
        if dice.random() < 0.3:
            asked["requestId"] = f"id-{dice.randint(0, 3)}"
        return asked

    def draw(self) -> str:
        """The name of the next act; a few owners edit the interval time and again."""
        chances = LIKELY if self._regrids else {**LIKELY, "interval": 0}
        [what] = self._dice.choices(list(chances), list(chances.values()))
        return what

    def act(self, what: str, *, webhook_is_down: bool) -> str:
        """Do it; what came of it."""
        self._admission.user, self._admission.is_down = self.name, webhook_is_down
        try:
            outcome = _ACTS[what](self)
        except (Conflict, NotFound, Refused) as error:
            outcome = str(error)
        finally:
            self._admission.user = WORKER
        return f"{self.name}: {what}{' (webhook down)' if webhook_is_down else ''}: {outcome}"

    # Applying the file

    def apply(self) -> str:
        """Client-side: what the file says is patched over what is there."""
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

    def put_in_file(self) -> str:
        """The file asks for a backfill of its own."""
        self.manifest["spec"]["backfill"] = self._request(self.manifest["spec"])
        return self.apply()

    def take_out_of_file(self) -> str:
        self.manifest["spec"].pop("backfill", None)
        return self.apply()

    # Editing what is there

    def _patch(self, body: Item, manager: str = "kubectl-edit") -> None:
        self._cluster.patch((NAMESPACE, self.name), body, manager=manager)

    def _live(self) -> Item:
        return self._cluster.get(NAMESPACE, self.name)

    def _edit(self, change: Callable[[Item], Item | None]) -> str:
        """Change the spec, in the file as well half of the time."""
        body = change(self._live()["spec"])
        if body is None:
            return "nothing to edit"
        self._patch({"spec": body})
        if self._dice.random() < 0.5:
            self.manifest["spec"] = apply_merge_patch(dict(self.manifest["spec"]), body)
        return f"edited {body}"

    def _edit_backfill(self, change: Callable[[Item, int], Item]) -> str:
        def edit(spec: Item) -> Item | None:
            asked = spec.get("backfill")
            interval = Duration.parse(spec["interval"]).ticks
            return None if asked is None else {"backfill": change(asked, interval)}

        return self._edit(edit)

    def move_end(self) -> str:
        windows = self._dice.choice([-4, -2, -1, 1, 2, 4])
        return self._edit_backfill(lambda asked, i: {"end": _moved(asked["end"], windows * i)})

    def move_start(self) -> str:
        windows = self._dice.choice([-3, -1, 1, 2])
        return self._edit_backfill(lambda asked, i: {"start": _moved(asked["start"], windows * i)})

    def ask_again(self) -> str:
        new = f"id-{self._dice.randint(0, 5)}"
        return self._edit_backfill(lambda _asked, _i: {"requestId": new})

    def change_bound(self) -> str:
        bound = self._dice.randint(1, 8)
        return self._edit_backfill(lambda _asked, _i: {"maxInFlight": bound})

    def pause(self) -> str:
        return self._edit_backfill(lambda asked, _i: {"suspend": not asked.get("suspend", False)})

    def suspend(self) -> str:
        return self._edit(lambda spec: {"suspend": not spec.get("suspend", False)})

    def change_body(self) -> str:
        text = _BODY.format(text=self._dice.randint(1, 4))
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
        """At times the delay in the same edit: what was due is due no more, on another grid."""
        spec = {"interval": self._dice.choice(_INTERVALS)}
        if self._dice.random() < 0.3:
            spec["ingestionDelay"] = self._dice.choice(_DELAYS)
        return self._edit(lambda _spec: spec)

    def change_delay(self) -> str:
        delay = self._dice.choice(_DELAYS)
        return self._edit(lambda _spec: {"ingestionDelay": delay})

    def remove_backfill(self) -> str:
        self._patch({"spec": {"backfill": None}})
        return "removed"

    def retry(self) -> str:
        self._patch({"metadata": {"annotations": {RETRY_ANNOTATION: "all"}}})
        return "annotated"

    def retry_one(self) -> str:
        """One that failed, or, where none did, one that there is not."""
        start = self._dice.choice(self._failed() or ["2026-03-01T22:00:00Z"])
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


_ACTS: Final[dict[str, Callable[[User], str]]] = {
    "apply": User.apply,
    "apply on server": User.apply_on_server,
    "apply by force": lambda person: person.apply_on_server(force=True),
    "new backfill in file": User.put_in_file,
    "no backfill in file": User.take_out_of_file,
    "move end": User.move_end,
    "move start": User.move_start,
    "new requestId": User.ask_again,
    "maxInFlight": User.change_bound,
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

LIKELY: Final[dict[str, int]] = {
    "apply": 8, "apply on server": 4, "apply by force": 2, "new backfill in file": 3,
    "no backfill in file": 1, "move end": 4, "move start": 2, "new requestId": 2,
    "write mode": 1, "untagged": 1,
    "maxInFlight": 2, "pause": 3, "suspend": 2, "body": 3, "interval": 5, "delay": 1,
    "remove backfill": 2, "retry": 4, "retry one": 3, "skip": 2, "delete": 1,
}  # fmt: skip

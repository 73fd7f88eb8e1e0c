# ruff: noqa: T201 - a command prints
"""Throw random input at the webhook: `python -m tests.webhook.fuzz --count 1000000`.

Three kinds in turn: real reviews with parts replaced, reviews by a grammar of odd values, and bytes
with bits flipped, cut or repeated. Each must be answered 200 with a review that the API server can
use, or 4xx; never 5xx. Memory must stay flat. The same seed gives the same input.
"""

import argparse
import json
import random
import sys
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import jsonpatch

from runtime.cel import parse_error
from tests.webhook.documents import PLACES, TIMES, put
from tests.webhook.reviews import RULE, WORKER, Json, as_go_writes, review
from webhook.app import AdmissionRoute, admission_routes
from webhook.errors import RefusedRequestError
from webhook.handlers import AdmissionConfig
from webhook.metrics import Metrics

PAGE: Final = 4096
MOST_GROWTH: Final = 32 * 1024 * 1024
"""Bytes that memory may grow after the first tenth: caches are bounded, and full by then."""
TEXTS: Final = (
    *TIMES,
    *("1h", "90s", "1d", "0s", "-5m", "720h", "1.5h", "1h1h", "999999999h", "3600", "1µs"),
    *("", " ", "\x00", "\u200b.drop", "//x\n.show", "T | where _startTime < _endTime", "a b", "'"),
    *("__x__", "['T']", "alice@example.com", WORKER, "x" * 2000, "é" * 300, "\U0001f600"),
    *("region == 'eu'", "region == ", "((((", "[1].map(x, x)", "again", "Running", "Completed"),
)
NUMBERS: Final = (0, 1, -1, 20, 21, 3600, 2**31, 2**53, 2**63, -(2**64), 1e300, 0.1, -0.0)
Choose = random.Random


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and report; 0 when everything was answered as it must be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000, help="reviews (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    options = parser.parse_args(arguments)
    answers, growth = _run(options.count, Choose(options.seed))
    for answer, count in sorted(answers.items()):
        print(f"{count:>9}  {answer}")
    print(f"{growth / 1024 / 1024:>9.1f}  MiB of growth after the first tenth")
    return 0 if growth <= MOST_GROWTH else 1


def _run(count: int, choose: Choose) -> tuple[Counter[str], int]:
    paths = admission_routes(AdmissionConfig(WORKER, parse_error), Metrics())
    answers: Counter[str] = Counter()
    early = 0
    for number in range(count):
        route = choose.choice(tuple(paths.values()))
        body = choose.choice(KINDS)(choose)
        answers[_ask(route, body)] += 1
        if number == count // 10:
            early = _resident()
    return answers, _resident() - early


def _ask(route: AdmissionRoute, body: bytes) -> str:
    try:
        return f"{route.path} {_judged(route.path, body, route.review(body))}"
    except RefusedRequestError as refusal:
        return f"{route.path} {refusal.status}"
    except Exception:
        print(f"{route.path} failed on {body!r}", file=sys.stderr)
        raise


def _judged(path: str, body: bytes, text: bytes) -> str:
    """What the answer was; fails when the API server could not use it."""
    asked, response = json.loads(body), json.loads(text)["response"]
    assert response["uid"] == asked["request"].get("uid", "")
    if path == "/mutate":
        assert response["allowed"], "mutate must not refuse"
        if "patch" in response:
            jsonpatch.apply_patch(asked["request"]["object"], b64decode(response["patch"]).decode())
            return "patched"
    if not response["allowed"]:
        assert response["status"]["code"] >= 400
        return "denied"
    return "allowed"


def _mutated(choose: Choose) -> bytes:
    """A real review with a few members replaced or taken away."""
    asked = review(_rule(choose), _rule(choose) if choose.random() < 0.5 else None)
    if choose.random() < 0.2:
        key = choose.choice(list(asked["request"]))
        asked["request"][key] = _value(choose, 2)
    return as_go_writes(asked)


def _rule(choose: Choose) -> Json:
    rule = deepcopy(RULE)
    if choose.random() < 0.7:
        times = {name: choose.choice(TIMES) for name in ("start", "end")}
        rule["spec"]["backfill"] = times
    for _ in range(choose.randrange(4)):
        put(rule, choose.choice(PLACES), _value(choose, 2))
    return rule


def _grammar(choose: Choose) -> bytes:
    """A review whose object is anything that JSON can be."""
    new, old = (_object(choose, depth) for depth in (5, 3))
    return as_go_writes(review(new, old if choose.random() < 0.3 else None))


def _value(choose: Choose, depth: int) -> Any:
    kind = choose.randrange(8 if depth else 6)
    if kind < 3:
        return choose.choice(TEXTS)
    if kind < 5:
        return choose.choice(NUMBERS)
    if kind == 5:
        return choose.choice((None, True, False))
    if kind == 6:
        return [_value(choose, depth - 1) for _ in range(choose.randrange(4))]
    return _object(choose, depth)


def _object(choose: Choose, depth: int) -> Json:
    keys = ("spec", "metadata", "status", "backfill", "start", *TEXTS[:20])
    return {choose.choice(keys): _value(choose, depth - 1) for _ in range(choose.randrange(4))}


def _bytes(choose: Choose) -> bytes:
    """The bytes of a review, damaged."""
    text = bytearray(_mutated(choose))
    for _ in range(choose.randrange(1, 6)):
        at = choose.randrange(len(text))
        act = choose.randrange(4)
        if act == 0:
            text[at] ^= 1 << choose.randrange(8)
        elif act == 1:
            text[at:at] = text[max(0, at - 40) : at]
        elif act == 2:
            text[at : at + 3] = choose.randbytes(3)
        else:
            del text[at:]
            text += b"}" * choose.randrange(4) or b" "
    return bytes(text)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE


KINDS: Final[tuple[Callable[[Choose], bytes], ...]] = (_mutated, _grammar, _bytes)

if __name__ == "__main__":
    sys.exit(main())

"""Draw the pictures of the documentation: ``python -m tests.pictures``.

It starts a stack of its own, applies rules, and waits until the status page shows a backfill that
runs and a window that failed. Then it writes a picture of each view into ``docs/pictures``, and a
recording of the kubectl plugin that finds and repairs the window that failed.
"""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

from playwright.sync_api import Browser, Page, expect

from devstack.stack import Stack
from tests.browser import chromium
from tests.pictures.recording import animation, record
from tests.pictures.rules import FAILING, FAULTS, RUNNING, make_rules

FOLDER: Final = Path("docs/pictures")
SAMPLE: Final = Path("examples/sample-data.json")
WITHIN: Final = 180.0
COMMANDS: Final = (
    "kubectl summaryrule status",
    f"kubectl summaryrule explain {FAILING}",
    f"kubectl summaryrule windows {FAILING} --state failed",
    f"kubectl summaryrule retry {FAILING} --all",
    f"kubectl wait --for=condition=Ready summaryrule {FAILING}",
    f"kubectl summaryrule windows {FAILING}",
)
ENOUGH: Final = 12
"""Windows of the backfill that are done when its picture is drawn."""


def main() -> int:
    """Draw all pictures; the exit code."""
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="pictures-") as folder,
        Stack.start(Path(folder)) as stack,
        chromium() as browser,
    ):
        _prepare(stack)
        address = stack.process("worker").address
        _wait(lambda: _is_interesting(address))
        _draw(browser, address)
        _record(stack)
    return 0


def _prepare(stack: Stack) -> None:
    endpoint = stack.env()["KUSTO_ENDPOINT"]
    _send(f"{endpoint}/v1/rest/mgmt", SAMPLE.read_bytes(), "POST")
    _send(f"{endpoint}/faults", json.dumps({"faults": FAULTS}).encode(), "PUT")
    manifests = {"apiVersion": "v1", "kind": "List", "items": make_rules()}
    subprocess.run(
        [stack.kubectl, "apply", "-f", "-"],
        input=json.dumps(manifests).encode(),
        env=stack.env(),
        check=True,
    )


def _send(url: str, body: bytes, method: str) -> None:
    headers = {"Content-Type": "application/json"}
    with urlopen(Request(url, data=body, headers=headers, method=method), timeout=60):  # noqa: S310 - loopback
        pass


def _is_interesting(address: str | None) -> bool:
    """Whether a window has failed, a backfill is under way, and another one is complete."""
    with urlopen(f"{address}/status.json", timeout=10) as reply:  # noqa: S310 - loopback
        items: dict[str, Any] = {item["name"]: item for item in json.load(reply)["items"]}
    running = items[RUNNING]["backfill"] or {"done": 0}
    phases = [(item["backfill"] or {}).get("phase") for item in items.values()]
    return (
        items[FAILING]["failed"] == 1 and running["done"] >= 12 and phases.count("Completed") >= 2
    )


def _wait(is_true: Callable[[], bool]) -> None:
    last = time.monotonic() + WITHIN
    while not is_true():
        if time.monotonic() > last:
            raise TimeoutError(
                f"the rules were not as the pictures need them within {WITHIN:.0f} s"
            )
        time.sleep(0.5)


def _draw(browser: Browser, address: str | None) -> None:
    page = browser.new_page(color_scheme="light", viewport={"width": 1120, "height": 620})
    _save(page, f"{address}/", "all-rules.png")
    _save(page, f"{address}/rule?namespace=default&name={FAILING}", "one-rule.png")


def _save(page: Page, url: str, name: str) -> None:
    page.goto(url)
    expect(page.locator("#live")).to_contain_text("live")
    expect(page.get_by_text(FAILING).first).to_be_visible()
    page.screenshot(path=FOLDER / name, animations="disabled")
    print(f"{FOLDER / name}: {(FOLDER / name).stat().st_size // 1024} KiB")


def _record(stack: Stack) -> None:
    path = FOLDER / "repair.svg"
    frames = list(record(stack, COMMANDS))
    path.write_text(animation(frames, "repair a window that failed"), encoding="utf-8")
    print(f"{path}: {path.stat().st_size // 1024} KiB")


if __name__ == "__main__":
    sys.exit(main())

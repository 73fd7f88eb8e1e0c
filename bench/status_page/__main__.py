"""`python -m bench.status_page`: CPU of an update, memory, and the first paint in Chromium.

A page of many rules has viewers, each with a filter of its own, while rules change. The first paint
is Chromium's first contentful paint, and "data drawn" is the time to the first row. The rules are
made here; no Kusto and no API server take part.
"""

import argparse
import asyncio
import resource
import statistics
import time
from dataclasses import dataclass
from typing import Any

from playwright.async_api import Browser, async_playwright

from tests.browser import find_or_install
from tests.plugin.rules import rule, running
from tests.worker.status_page.views import health_server, status_page
from worker.status_page.pages import UPDATE_SECONDS

SECONDS = 5
MONTH = "/rule?namespace=default&name=month-of-minutes"
FIRST = "performance.getEntriesByName('first-contentful-paint')[0]"
FILTERS = ("", "show=problem", "show=backfill", "search=rule-00", "namespace=default")


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.status_page", description=__doc__)
    parser.add_argument("--rules", type=int, default=10_000, metavar="N")
    parser.add_argument("--viewers", type=int, default=10, metavar="N")
    parser.add_argument(
        "--changes", type=int, default=20, metavar="N", help="rules changed each second"
    )
    parser.add_argument("--rounds", type=int, default=5, metavar="N")
    asyncio.run(_measure(parser.parse_args()))


def _month_of_minutes() -> dict[str, Any]:
    """A rule whose backfill has 43,200 windows of a minute: half are done, one has failed."""
    failed = {"start": "2026-11-08T00:00:00Z", "end": "2026-11-08T00:01:00Z", "error": "Timeout"}
    month = running(
        requestedStart="2026-10-25T00:00:00Z",
        doneUntil="2026-11-08T00:00:00Z",
        windowsTotal=43_200,
        failed=[failed],
    )
    made = rule("month-of-minutes", backfill=month)
    made["spec"]["interval"] = "1m"
    return made


async def _measure(options: argparse.Namespace) -> None:
    rules: list[Any] = [
        rule(f"rule-{number:05}", backfill=running()) for number in range(options.rules)
    ]
    rules.append(_month_of_minutes())
    before = _memory()
    page = status_page(rules)
    server = health_server(page)
    async with server:
        url = f"http://127.0.0.1:{server.port}"
        lists = await _paints(url, options.rounds, "tbody tr")
        months = await _paints(url + MONTH, options.rounds, "#timeline rect")
        idle = await _cpu_of(options, rules, url, viewers=0)
        watched = await _cpu_of(options, rules, url, viewers=options.viewers)
    print(f"{options.rules} rules, {options.viewers} viewers, {options.changes} changes a second")
    _print_paints("all rules", lists)
    _print_paints("43,200 windows", months)
    print(f"CPU in {SECONDS} s without viewers: {_summary(idle, 'ms')}")
    updates = f"an update every {UPDATE_SECONDS} s"
    print(f"CPU in {SECONDS} s with viewers, {updates}: {_summary(watched, 'ms')}")
    print(f"memory for the page: {(_memory() - before) / 1024:.0f} MiB")


@dataclass(frozen=True, slots=True)
class _Paint:
    """Seconds from the start of the navigation to the first paint, and until data is drawn."""

    first: float
    data: float


async def _paints(url: str, rounds: int, drawn: str) -> list[_Paint]:
    """The paints of a page in new contexts of one browser: each loads every file again."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=find_or_install(), args=["--no-sandbox"]
        )
        found = [await _paint(browser, url, drawn) for _ in range(rounds + 1)]
        await browser.close()
    return found[1:]  # the first one includes the start of the browser


async def _paint(browser: Browser, url: str, drawn: str) -> _Paint:
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(url, wait_until="commit")
    await page.locator(drawn).first.wait_for(state="attached")
    data = await page.evaluate("performance.now()")
    await page.wait_for_function(f"{FIRST} !== undefined")
    first = await page.evaluate(f"{FIRST}.startTime")
    await context.close()
    return _Paint(first / 1000, data / 1000)


def _print_paints(view: str, found: list[_Paint]) -> None:
    first, data = ([getattr(each, name) for each in found] for name in ("first", "data"))
    print(f"{view}: first paint {_summary(first, 's')}, data drawn {_summary(data, 's')}")


async def _cpu_of(
    options: argparse.Namespace, rules: list[Any], url: str, *, viewers: int
) -> list[float]:
    """Milliseconds of this process in each round; the readers are processes of their own."""
    watching = [
        await asyncio.create_subprocess_exec(
            "curl", "--silent", "--no-buffer", f"{url}/events?{FILTERS[number % len(FILTERS)]}",
            stdout=asyncio.subprocess.DEVNULL,
        )
        for number in range(viewers)
    ]  # fmt: skip
    await asyncio.sleep(SECONDS)
    found = []
    for _ in range(options.rounds):
        began = time.process_time()
        for second in range(SECONDS):
            for change in range(options.changes):
                at = (second * options.changes + change) % len(rules)
                rules[at] = rule(f"rule-{at:05}", backfill=running(percent=second))
            await asyncio.sleep(1)
        found.append((time.process_time() - began) * 1000)
    for each in watching:
        each.terminate()
        await each.wait()
    return found


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def _summary(values: list[float], unit: str) -> str:
    digits = 2 if unit == "s" else 0
    low, high = f"{min(values):.{digits}f}", f"{max(values):.{digits}f}"
    return f"{statistics.median(values):.{digits}f} {unit} ({low} to {high})"


if __name__ == "__main__":
    main()

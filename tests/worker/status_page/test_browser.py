"""The page in a real browser: what a person sees, types and reaches, and what stays text."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser import chromium
from tests.plugin.rules import condition, rule, running
from tests.worker.status_page.views import OWNER, health_server, many, status_page

FAILED = {
    "start": "2026-11-24T05:00:00Z",
    "end": "2026-11-24T06:00:00Z",
    "error": "Semantic error: 'CPU' is no table",
    "token": "t0",
    "attempt": 5,
}
INJECTIONS = [
    "<script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "<svg onload=window.hacked=1>",
    "<svg><script>window.hacked=1</script></svg>",
    "<iframe srcdoc='<script>parent.hacked=1</script>'></iframe>",
    "<iframe src=javascript:parent.hacked=1></iframe>",
    "javascript:window.hacked=1",
    "<a href=javascript:window.hacked=1 autofocus onfocus=window.hacked=1>x</a>",
    '"><script>window.hacked=1</script>',
    "'><script>window.hacked=1</script>",
    '" onmouseover="window.hacked=1',
    "' autofocus onfocus='window.hacked=1",
    "</title><script>window.hacked=1</script>",
    "</style><script>window.hacked=1</script>",
    "</textarea><script>window.hacked=1</script>",
    "--><script>window.hacked=1</script>",
    "<!--<script>window.hacked=1</script>-->",
    "<details open ontoggle=window.hacked=1>",
    "<video><source onerror=window.hacked=1></video>",
    "<audio src=x onerror=window.hacked=1>",
    "<body onload=window.hacked=1>",
    "<input autofocus onfocus=window.hacked=1>",
    "<marquee onstart=window.hacked=1>",
    "<object data=javascript:window.hacked=1></object>",
    "<embed src=javascript:window.hacked=1>",
    "<math><mi xlink:href=javascript:window.hacked=1>x</mi></math>",
    "<base href=https://evil.example/>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<meta http-equiv=refresh content='0;url=https://evil.example/'>",
    "<form action=https://evil.example/><button autofocus>x</button></form>",
    "${window.hacked=1}",
    "{{constructor.constructor('window.hacked=1')()}}",
    "\u202e<script>window.hacked=1</script>",
    "\u0000<script>window.hacked=1</script>",
    '\n\ndata: {"rules": 666}\n\n',
]


@contextmanager
def served(rules: Sequence[Any]) -> Iterator[str]:
    """The URL of a status page of these rules, served by another thread."""
    started, loop = threading.Event(), asyncio.new_event_loop()
    stop, ports = asyncio.Event(), list[int]()

    async def serve() -> None:
        page = status_page(rules)
        server = health_server(page, every=0.1)
        async with server:
            ports.append(server.port)
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield f"http://127.0.0.1:{ports[0]}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running_browser:
        yield running_browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    yield context.new_page()
    context.close()


def troubled(name: str = "cpu") -> dict[str, Any]:
    """A rule with a failed window and a backfill that runs."""
    message = f"1 windows failed, the first [{FAILED['start']}, {FAILED['end']}): {FAILED['error']}"
    made = rule(
        name,
        schedule={
            "cursor": "2026-11-24T10:00:00Z",
            "lastDone": "2026-11-24T10:00:00Z",
            "failed": [FAILED],
        },
        backfill=running(failed=[], requestedAt="2026-11-24T08:00:00Z"),
        conditions=[condition(OWNER, "WindowFailed", message)],
    )
    made["metadata"] |= {"creationTimestamp": "2026-11-20T02:30:00Z", "uid": "u-1"}
    return made


def violations(page: Page) -> list[str]:
    return [each["id"] for each in Axe().run(page).response["violations"]]


def open_page(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#live")).to_contain_text("live")


def test_a_problem_is_found_opened_and_its_command_copied(page: Page) -> None:
    with served([*many(3), troubled()]) as url:
        open_page(page, url)
        expect(page.locator(".counter.bad")).to_have_text("1 with a problem")
        expect(page.locator("tbody tr").first).to_contain_text("default/cpu")
        page.get_by_role("link", name="default/cpu").click()
        expect(page.locator("h1")).to_have_text("default/cpu")
        page.get_by_role("link", name="2026-11-24T05:00:00Z to").click()
        window = page.locator("section.window")
        expect(window).to_contain_text("'CPU' is no table")
        expect(window).to_contain_text("let _startTime=datetime(2026-11-24T05:00:00Z);")
        window.get_by_role("button", name="copy: Retry this window").click()
        expect(page.locator("#live")).to_have_text("copied")
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == ("kubectl summaryrule retry cpu -n default --window 2026-11-24T05:00:00Z")
        page.go_back()
        page.go_back()
        expect(page.locator("h1")).to_have_text("All rules")


def test_what_a_person_types_and_opens_survives_updates(page: Page) -> None:
    rules = [*many(60), troubled()]
    with served(rules) as url:
        open_page(page, url)
        search = page.get_by_label("Search")
        search.press_sequentially("rule-0000", delay=20)
        expect(page.locator("tbody tr")).to_have_count(10)
        for number in range(10):
            rules[number] = rule(f"rule-{number:05}", backfill=running(percent=50 + number))
            expect(page.locator(f"tbody tr progress[value='{50 + number}']")).to_have_count(1)
        expect(search).to_have_value("rule-0000")
        expect(search).to_be_focused()
        assert page.evaluate("location.search") == "?search=rule-0000"


def test_an_opened_part_and_the_scroll_position_survive_updates(page: Page) -> None:
    rules = [troubled()]
    with served(rules) as url:
        open_page(page, f"{url}/rule?namespace=default&name=cpu")
        page.locator("details summary").click()
        page.evaluate("scrollTo(0, 300)")
        before = page.evaluate("scrollY")
        changed = troubled()
        changed["status"]["backfill"]["phase"] = "Paused"
        rules[0] = changed
        expect(page.locator(".lanes")).to_contain_text("Backfill Paused")
        assert page.locator("details").get_attribute("open") is not None
        assert page.evaluate("scrollY") == before


def test_a_timeline_of_a_month_of_minutes_is_zoomed_to_a_window(page: Page) -> None:
    failed = {**FAILED, "start": "2026-11-10T03:04:00Z", "end": "2026-11-10T03:05:00Z"}
    made = rule(
        backfill=running(
            requestedStart="2026-10-25T00:00:00Z",
            requestedEnd="2026-11-24T00:00:00Z",
            doneUntil="2026-11-10T03:04:00Z",
            doneAhead=[{"start": "2026-11-10T03:05:00Z", "end": "2026-11-22T00:00:00Z"}],
            failed=[failed],
        )
    )
    made["spec"]["interval"] = "1m"
    with served([made]) as url:
        open_page(page, f"{url}/rule?namespace=default&name=cpu")
        bar = page.locator("#timeline rect.s-failed")
        expect(bar).to_have_count(1)
        expect(page.locator(".lanes")).to_contain_text("40319 done")
        box = bar.bounding_box()
        assert box is not None
        assert box["width"] >= 2
        for _ in range(12):
            box = bar.bounding_box()
            assert box is not None
            if box["width"] >= 40:
                break
            middle = box["x"] + box["width"] / 2
            reach = 60 + box["width"]
            page.mouse.move(middle - reach, box["y"] + 5)
            page.mouse.down()
            page.mouse.move(middle + reach, box["y"] + 5, steps=3)
            page.mouse.up()
            page.wait_for_timeout(100)
        assert box["width"] >= 40
        bar.click()
        expect(page.locator("section.window")).to_contain_text("Window 2026-11-10T03:04:00Z")
        expect(page.locator("section.window")).to_contain_text("failed")


def test_the_timeline_is_used_with_keys_alone(page: Page) -> None:
    with served([troubled()]) as url:
        open_page(page, f"{url}/rule?namespace=default&name=cpu")
        page.locator("#timeline").focus()
        for key in ("ArrowDown", "+", "+", "ArrowLeft", "ArrowRight"):
            page.keyboard.press(key)
        expect(page.locator("#timeline")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("section.window")).to_contain_text("State")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_each_view_fits_and_has_no_accessibility_violation(
    browser: Browser, scheme: Any, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, reduced_motion="reduce"
    )
    page = context.new_page()
    shared = [troubled(f"bad-{number}") for number in range(4)]
    with served([*many(3), *shared]) as url:
        for path in (
            "/",
            "/rule?namespace=default&name=bad-0&lane=0&window=2026-11-24T05:00:00Z",
            "/worker",
        ):
            open_page(page, url + path)
            if "window" in path:
                expect(page.locator("section.window")).to_be_visible()
            assert violations(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    context.close()


@pytest.mark.parametrize("view", ["/", "/rule", "/worker"])
def test_nothing_that_a_rule_says_becomes_markup_or_runs(page: Page, view: str) -> None:
    rules = []
    for number, text in enumerate(INJECTIONS):
        evil = troubled(f"evil-{number}")
        evil["metadata"]["labels"] = {text: text}
        evil["spec"] |= {"body": text, "database": text, "table": text, "criteriaExpression": text}
        evil["status"]["schedule"]["failed"] = [{**FAILED, "error": text, "operationId": text}]
        evil["status"]["backfill"] |= {"phase": text, "requestId": text, "requestedBy": text}
        evil["status"]["conditions"] = [condition(OWNER, "WindowFailed", text)]
        rules.append(evil)
    opened = list[str]()
    page.on("request", lambda request: opened.append(request.url))
    page.on("dialog", lambda dialog: pytest.fail(dialog.message))
    with served(rules) as url:
        count = len(INJECTIONS) if view == "/rule" else 1
        for number in range(count):
            more = f"?namespace=default&name=evil-{number}&lane=0&window={FAILED['start']}"
            open_page(page, f"{url}{view}{more if view == '/rule' else ''}")
            if view == "/rule":
                expect(page.locator("section.window")).to_be_visible()
            assert page.evaluate("window.hacked") is None
            added = "script:not([src='/static/app.js']), img, iframe, object, embed, base, video"
            assert page.locator(added).count() == 0
        assert [each for each in opened if not each.startswith(url)] == []


def test_ten_thousand_rules_are_painted_within_a_second_of_the_data(page: Page) -> None:
    with served(many(10_000)) as url:
        open_page(page, url)
        expect(page.locator("tbody tr")).to_have_count(50)
        page.get_by_label("Search").fill("rule-09999")
        expect(page.locator("tbody tr")).to_have_count(1)


def test_a_lost_connection_is_said(page: Page) -> None:
    with served([rule()]) as url:
        open_page(page, url)
    expect(page.locator("#live")).to_contain_text("no connection to the worker", timeout=15_000)
    page.set_viewport_size({"width": 900, "height": 700})  # draws the page again
    page.wait_for_timeout(300)
    expect(page.locator("#live")).to_contain_text("no connection to the worker")


def test_a_page_that_finds_no_room_is_live_when_there_is_some(page: Page) -> None:
    with served([rule()]) as url:
        page.route("**/events*", lambda route: route.fulfill(status=503, body="too many viewers"))
        page.goto(url)
        expect(page.locator("#live")).to_contain_text("the worker refuses more viewers")
        page.unroute("**/events*")
        expect(page.locator("#live")).to_contain_text("live, this worker leads", timeout=15_000)
        expect(page.locator("tbody tr")).to_have_count(1)


def test_times_are_shown_as_a_person_chooses(page: Page) -> None:
    with served([troubled()]) as url:
        open_page(page, url)
        cell = page.locator("td[data-title=Schedule] small").first
        expect(cell).to_contain_text("30m ago")
        page.get_by_label("Times").select_option("utc")
        expect(cell).to_contain_text("2026-11-24 10:00:00 UTC")
        page.reload()
        expect(cell).to_contain_text("2026-11-24 10:00:00 UTC")


def test_one_malformed_object_breaks_nothing(page: Page) -> None:
    broken: list[Any] = [{"metadata": {"name": "x", "namespace": "y"}, "spec": None, "status": 3}]
    with served([*broken, {}, rule()]) as url:
        open_page(page, url)
        expect(page.locator("tbody tr")).to_have_count(3)
        broken_row = page.locator("tbody tr[data-key='y/x']")
        expect(broken_row.locator("td[data-title=Ready]")).to_contain_text("Malformed")
        expect(broken_row).to_contain_text("spec")
        page.goto(f"{url}/rule?namespace=y&name=x")
        expect(page.locator("h1")).to_have_text("y/x")
        expect(page.locator("main")).to_contain_text("No window is known yet.")
        expect(page.locator("main")).to_contain_text("Malformed")

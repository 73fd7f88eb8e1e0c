"""The page at `/`, driven in a real browser."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websocket

from tests.browser import find_or_install
from tests.emulator.client import Kusto, until


class Browser:
    """One tab of a headless Chromium, through its debugging protocol."""

    def __init__(self, folder: Path, url: str) -> None:
        port_file = folder / "DevToolsActivePort"
        command = [
            *(
                find_or_install(),
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
            ),
            *("--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-data-dir={folder}"),
            url,
        ]
        self.process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(
            lambda: port_file.exists() and bool(port_file.read_text()),
            "the browser did not start",
        )
        self._port = port_file.read_text().split()[0]
        until(lambda: bool(self._pages()), "the browser has no tab")
        self.socket = websocket.create_connection(
            self._pages()[0], suppress_origin=True, timeout=30
        )
        self.count = 0

    def _pages(self) -> list[str]:
        """The addresses at which the tabs are debugged; none while the browser starts."""
        targets = httpx.get(f"http://127.0.0.1:{self._port}/json").json()
        return [one["webSocketDebuggerUrl"] for one in targets if one["type"] == "page"]

    def run(self, script: str) -> Any:
        """The value of `script` in the page, None while the page is being replaced by another."""
        self.count += 1
        parameters = {"expression": script, "awaitPromise": True, "returnByValue": True}
        message = {"id": self.count, "method": "Runtime.evaluate", "params": parameters}
        self.socket.send(json.dumps(message))
        while True:
            reply = json.loads(self.socket.recv())
            if reply.get("id") != self.count:
                continue
            if "error" in reply:  # the page that the script began in is gone
                return None
            assert "exceptionDetails" not in reply["result"], reply["result"]["exceptionDetails"]
            return reply["result"]["result"].get("value")

    def close(self) -> None:
        self.socket.close()
        self.process.terminate()
        self.process.wait(30)


@pytest.fixture
def browser(kusto: Kusto, tmp_path: Path) -> Iterator[Browser]:
    kusto.mgmt(".create table Pods (At: datetime, Pod: string, Value: real)")
    kusto.mgmt(
        ".ingest inline into table Pods <| 2026-11-01T00:00:00Z,<b>a</b>,1.5\n"
        "2026-11-01T01:00:00Z,b,2.5"
    )
    opened = Browser(tmp_path / "profile", kusto.url)
    until(
        lambda: bool(opened.run("document.querySelectorAll('#database option').length")), "loaded"
    )
    opened.run(
        f"const s = document.getElementById('database'); s.value = '{kusto.database}';"
        "s.dispatchEvent(new Event('change'))"
    )
    yield opened
    opened.close()


def ask(browser: Browser, text: str) -> None:
    browser.run(f"document.getElementById('query').value = {json.dumps(text)}; run()")


def test_a_table_is_listed_queried_and_drawn(browser: Browser) -> None:
    listed = "document.getElementById('tables').textContent"
    until(lambda: "Pods" in (browser.run(listed) or ""), "the table is listed")
    browser.run("document.querySelector('#tables button').click()")
    until(lambda: browser.run("document.querySelectorAll('#result tbody tr').length") == 2, "rows")
    assert (
        browser.run("document.querySelector('#result td:nth-child(2)').textContent") == "<b>a</b>"
    )
    assert "2 rows in" in browser.run("document.getElementById('status').textContent")
    assert browser.run("document.querySelectorAll('#chart polyline').length") == 1


def test_render_chooses_the_chart(browser: Browser) -> None:
    ask(browser, "Pods | summarize sum(Value) by Pod | render columnchart")
    assert browser.run("document.querySelectorAll('#chart rect').length") == 2


def test_an_error_is_shown_in_the_endpoints_words(browser: Browser) -> None:
    ask(browser, "Nope | count")
    assert "SEM0100" in browser.run("document.getElementById('error').textContent")


def test_a_command_changes_the_list(browser: Browser) -> None:
    ask(browser, ".create table Later (a: long)")
    listed = browser.run("document.getElementById('tables').textContent")
    assert "Later" in listed


DELAY_THE_FIRST_REPLY = """
const real = window.fetch;
let first = true;
window.fetch = async (...request) => {
  const waits = first;
  first = false;
  const reply = await real(...request);
  if (waits) await new Promise((ended) => setTimeout(ended, 1500));
  if (waits) setTimeout(() => { window.isLateReplyRead = true; }, 100);
  return reply;
};
"""


def test_a_list_of_tables_that_comes_late_does_not_replace_a_newer_one(browser: Browser) -> None:
    browser.run(f"(() => {{ {DELAY_THE_FIRST_REPLY} }})()")
    browser.run("document.getElementById('database').dispatchEvent(new Event('change'))")
    ask(browser, ".create table Later (a: long)")
    until(lambda: bool(browser.run("window.isLateReplyRead")), "the first reply is read")
    assert "Later" in browser.run("document.getElementById('tables').textContent")


def test_the_page_asks_no_other_host(endpoint: str) -> None:
    reply = httpx.get(endpoint)
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "https://" not in reply.text

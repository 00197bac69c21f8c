"""The web interface as a person has it: `taxi dev` running, and a real browser to look at it with.

Belongs here: starting and ending both, and the clicks that launch months. Does not: what is looked at
(``screenshots``, the browser tests).
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urljoin

if TYPE_CHECKING:
    from playwright.sync_api import Page

__all__ = [
    "TIMEOUT_SECONDS",
    "browser_page",
    "ending_with_us",
    "find_chromium",
    "follow_notice",
    "launch_months",
    "web_interface",
]

TIMEOUT_SECONDS = 120
"""How long to wait for anything before giving up; never how long to wait."""

_TAXI = (sys.executable, "-m", "taxi_platform.cli")
_WINDOW = (1280, 800)
_ARGUMENTS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-gpu")


def find_chromium() -> str | None:
    """The browser of this machine: Debian calls it ``chromium``, others ``chromium-browser`` or ``google-chrome``."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@contextlib.contextmanager
def web_interface(
    folder: Path, environment: Mapping[str, str], taxi: Sequence[str] = _TAXI, options: Sequence[str] = ()
) -> Iterator[str]:
    """``taxi dev`` in that folder on a free port, with its daemon, until the context ends; yields its address.

    ``taxi`` is how the command is called, this tree's own by default; ``options`` are those of ``taxi dev``.
    """
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    log = folder / "taxi-dev.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            ending_with_us([*taxi, "dev", "--port", str(port), *options]),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait_for(address, process, log)
            yield address
        finally:
            _end(process)


@contextlib.contextmanager
def browser_page(chromium: str, scale: float = 1) -> Iterator[Page]:
    """One page of a fresh headless browser; ``scale`` is device pixels per CSS pixel."""
    from playwright.sync_api import expect, sync_playwright

    milliseconds = TIMEOUT_SECONDS * 1000
    expect.set_options(timeout=milliseconds)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        width, height = _WINDOW
        context = browser.new_context(
            viewport={"width": width, "height": height}, device_scale_factor=scale, reduced_motion="reduce"
        )
        context.set_default_timeout(milliseconds)
        try:
            yield context.new_page()
        finally:
            browser.close()


def launch_months(page: Page, months: str) -> None:
    """Materialize what the page shows, by clicking, and go to the run or backfill.

    Args:
        page: an asset, or the lineage of a group.
        months: as people type them there: ``2020-04-01`` or ``[2020-04-01...2020-06-01]``.
    """
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Show all partitions").click()
    typed = dialog.locator("input[type=text]").first
    typed.fill(months)
    typed.press("Enter")
    dialog.get_by_role("button", name=re.compile("Launch (backfill|1 run)")).click()
    follow_notice(page)


def follow_notice(page: Page) -> None:
    """Go to the run or backfill that the page says was started."""
    # Followed without a click: for as long as a menu is open, nothing beside it takes one, and the notice goes away.
    link = page.locator("[data-sonner-toast] a[href*='/runs/']").first.get_attribute("href")
    page.goto(urljoin(page.url, link))


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def ending_with_us(command: Sequence[str]) -> list[str]:
    """That command, told SIGINT when the process that starts it ends, be it killed; as it is without setpriv."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "INT", *command] if setpriv else list(command)


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + TIMEOUT_SECONDS
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/server_info", timeout=5):
            return
        time.sleep(0.2)
    raise RuntimeError(f"taxi dev did not come up at {address}:\n{log.read_text(errors='replace')[-4000:]}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does; what is left of its group after that is killed."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=30)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

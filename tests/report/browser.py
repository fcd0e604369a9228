"""A real Chromium without a window, driven over the DevTools protocol through two pipes; no package is needed for it."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--remote-debugging-pipe")  # fmt: skip
PATIENCE = 60.0


def find_chromium() -> str | None:
    """The first Chromium or Chrome on PATH."""
    return next((found for name in NAMES if (found := shutil.which(name))), None)


class Page:
    """One tab.  ``console`` collects what a developer would see: errors, warnings, uncaught exceptions, refused loads."""

    def __init__(self, send: int, receive: int) -> None:
        self._send, self._receive, self._rest, self._number, self._session = send, receive, b"", 0, ""
        self.console: list[str] = []
        self.requests: list[str] = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The result of one command; events that come before it are kept."""
        self._number += 1
        session = {"sessionId": self._session} if self._session else {}
        text = json.dumps({"id": self._number, "method": method, "params": parameters} | session)
        os.write(self._send, text.encode() + b"\0")
        wanted = self._number
        while True:
            message = self._next()
            if message.get("id") == wanted:
                assert "error" not in message, f"{method}: {message['error']}"
                result: dict[str, Any] = message["result"]
                return result
            self._event(message)

    def open(self, path: Path, width: int, height: int = 900, dark: bool = False) -> None:
        """Open a file at a width and wait until its plots are drawn, or until the console says why they are not."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.call("Page.navigate", url=path.resolve().as_uri())
        end = time.monotonic() + PATIENCE
        while not self.value("document.documentElement?.dataset.drawn === 'yes'"):
            assert not self.console, self.console
            assert time.monotonic() < end, "the plots were not drawn in time"
            time.sleep(0.05)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression, or the promise that it gives, comes to."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        data = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"]
        path.write_bytes(base64.b64decode(data))

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            assert select.select([self._receive], [], [], PATIENCE)[0], "the browser does not answer"
            part = os.read(self._receive, 1 << 16)
            assert part, "the browser has ended"
            self._rest += part
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def _event(self, message: dict[str, Any]) -> None:
        given = message.get("params", {})
        if message["method"] == "Runtime.consoleAPICalled" and given["type"] in ("error", "warning", "assert"):
            self.console.append(" ".join(str(item.get("value", item.get("description"))) for item in given["args"]))
        if message["method"] == "Runtime.exceptionThrown":
            details = given["exceptionDetails"]
            self.console.append(details.get("exception", {}).get("description") or details["text"])
        if message["method"] == "Log.entryAdded" and given["entry"]["level"] in ("error", "warning"):
            self.console.append(given["entry"]["text"])
        if message["method"] == "Network.requestWillBeSent":
            self.requests.append(given["request"]["url"])


@contextmanager
def chromium(program: str, profile: Path) -> Iterator[Page]:
    """A fresh browser with an empty ``profile``; it is gone when the block ends."""
    to_read, send = os.pipe()
    receive, to_write = os.pipe()

    def as_three_and_four() -> None:
        # A DevTools pipe is read from descriptor 3 and written to 4; high copies first, as either may be one of these.
        reader, writer = (os.dup2(end, high) for end, high in ((to_read, 103), (to_write, 104)))
        os.dup2(reader, 3)
        os.dup2(writer, 4)

    browser = subprocess.Popen([program, *FLAGS, f"--user-data-dir={profile}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               close_fds=False, preexec_fn=as_three_and_four)  # fmt: skip
    os.close(to_read)
    os.close(to_write)
    try:
        yield Page(send, receive)
    finally:
        os.close(send)
        browser.terminate()
        browser.wait(timeout=PATIENCE)
        os.close(receive)

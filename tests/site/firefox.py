"""Firefox, driven by WebDriver BiDi: a second engine for what matters most on a page.

Playwright's own client for BiDi asks Firefox ESR 153 for a command that it does not know (the colour scheme of a
context), so the few commands that are needed are spoken here, through the client for websockets that Jupyter brings.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from inspection import IN_PAGE, PATIENCE, SETTLED, WIDER
from tornado.websocket import WebSocketClientConnection, websocket_connect

NAMES = ("firefox-esr", "firefox")
#: Seconds until what is waited for is taken to be missing.
WAIT = PATIENCE / 1000
#: No name leads out of this machine, and Firefox asks for nothing itself.
QUIET: dict[str, bool | int | str] = {
    "network.dns.disabled": True,
    "app.update.enabled": False,
    "browser.safebrowsing.downloads.remote.enabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "network.prefetch-next": False,
    "toolkit.telemetry.enabled": False,
}
#: What Firefox says of a request that it gave up because the page was left: no fault of the page.
LEFT = "NS_BINDING_ABORTED"
EVENTS = ["log.entryAdded", "network.beforeRequestSent", "network.fetchError", "network.responseCompleted"]


def find_firefox() -> str | None:
    """Where Firefox is on this machine, if it is."""
    return os.environ.get("FIREFOX") or next(filter(None, map(shutil.which, NAMES)), None)


def done(loop: asyncio.AbstractEventLoop, task: Coroutine[Any, Any, Any]) -> Any:
    """The result of a task in a loop that runs in another thread: Playwright has the loop of this one."""
    return asyncio.run_coroutine_threadsafe(task, loop).result(WAIT)


async def connected(address: str) -> WebSocketClientConnection:
    """A socket to an address."""
    return await websocket_connect(address, max_message_size=2**26)


class Firefox:
    """One window of Firefox: goes to addresses of one site, evaluates scripts, keeps what went wrong."""

    def __init__(self, origin: str, loop: asyncio.AbstractEventLoop, socket: WebSocketClientConnection) -> None:
        self.origin, self.met = origin, list[str]()
        self._loop, self._socket, self._numbers = loop, socket, itertools.count(1)
        self._window = ""

    def ask(self, method: str, **parameters: Any) -> dict[str, Any]:
        """The answer to a command; what Firefox tells meanwhile is kept.

        Raises: RuntimeError for a command that Firefox refuses.
        """
        return done(self._loop, self._ask(method, parameters))

    async def _ask(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        number = next(self._numbers)
        await self._socket.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            said = await self._socket.read_message()
            if said is None:
                raise RuntimeError("Firefox has gone")
            answer = json.loads(said)
            if answer.get("type") == "event":
                self._heard(answer["method"], answer["params"])
            elif answer["id"] == number:
                if answer["type"] == "error":
                    raise RuntimeError(f"{method}: {answer['message']}")
                return answer["result"]

    def _heard(self, event: str, told: dict[str, Any]) -> None:
        if event == "log.entryAdded":
            self.met.append(f"console {told['level']}: {str(told['text'])[:200]}")
            return
        address = told["request"]["url"]
        if event == "network.beforeRequestSent":
            if not address.startswith((self.origin + "/", "data:", "blob:", "file:")):
                self.met.append(f"request to the outside: {address}")
        elif event == "network.fetchError":
            if told["errorText"] != LEFT:
                self.met.append(f"failed request: {address}")
        elif told["response"]["status"] >= 400:
            self.met.append(f"failed request ({told['response']['status']}): {address}")

    def begin(self) -> None:
        """Open a session and its window."""
        self.ask("session.new", capabilities={})
        self.ask("session.subscribe", events=EVENTS)
        self._window = self.ask("browsingContext.create", type="tab")["context"]

    def size(self, width: int, height: int) -> None:
        """Make the window so large."""
        self.ask("browsingContext.setViewport", context=self._window, viewport={"width": width, "height": height})

    def open(self, path: str) -> None:
        """Go to a page and wait for its mathematics and fonts; what is told of the last one is dropped."""
        self.ask("browsingContext.navigate", context=self._window, url="about:blank", wait="complete")
        self.met.clear()
        self.ask("browsingContext.navigate", context=self._window, url=f"{self.origin}/{path}", wait="complete")
        self.evaluate(f"({SETTLED})()")

    def evaluate(self, expression: str) -> Any:
        """The value of an expression on the page, or what its promise brings.

        Raises: RuntimeError for an expression that throws.
        """
        found = self.ask(
            "script.evaluate",
            expression=f"Promise.resolve({expression}).then(value => JSON.stringify(value ?? null))",
            target={"context": self._window},
            awaitPromise=True,
        )
        if found["type"] == "exception":
            raise RuntimeError(found["exceptionDetails"]["text"])
        return json.loads(found["result"]["value"])

    def wait(self, condition: str) -> None:
        """Until an expression on the page is true."""
        self.evaluate(
            f"new Promise(told => {{ const look = () => ({condition}) ? told(true) : setTimeout(look, 50); look(); }})"
        )

    def press(self, key: str) -> None:
        """A key, down and up, as from the keyboard."""
        keys = [{"type": kind, "value": key} for kind in ("keyDown", "keyUp")]
        self.ask("input.performActions", context=self._window, actions=[{"type": "key", "id": "keys", "actions": keys}])

    def faults(self, path: str) -> list[str]:
        """What is wrong with a page, one line each, with its name."""
        self.open(path)
        found = self.evaluate(f"({IN_PAGE})()") + self.evaluate(f"({WIDER})()")
        return [f"{path}: {fault}" for fault in [*self.met, *found]]


def preferences(chosen: dict[str, bool | int | str]) -> str:
    """Settings as the file of a profile that Firefox reads when it starts."""
    return "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in chosen.items())


@contextmanager
def firefox(origin: str, **chosen: bool | int | str) -> Iterator[Firefox]:
    """Firefox with a profile of its own, for the pages of one site; `chosen` are further settings.

    Raises: RuntimeError if it does not say where it listens.
    """
    program = find_firefox()
    assert program is not None
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        Path(profile, "user.js").write_text(preferences({**QUIET, **chosen}), encoding="utf-8")
        command = [program, "--headless", "--no-remote", "--profile", profile, "--remote-debugging-port=0"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        loop = asyncio.new_event_loop()
        try:
            assert process.stderr is not None
            told = (re.search(r"WebDriver BiDi listening on (ws://\S+)", line) for line in process.stderr)
            where = next(filter(None, told), None)
            if where is None:
                raise RuntimeError(f"{program} ended before it said where it listens")
            threading.Thread(target=process.stderr.read, daemon=True).start()
            threading.Thread(target=loop.run_forever, daemon=True).start()
            opened = Firefox(origin, loop, done(loop, connected(f"{where[1]}/session")))
            opened.begin()
            yield opened
        finally:
            loop.call_soon_threadsafe(loop.stop)
            process.terminate()
            process.wait()

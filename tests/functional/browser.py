"""Debian's Chromium, without a window, driven through its DevTools protocol.

    with Browser() as browser, browser.page(width=390, dark=True) as page:
        page.open("http://127.0.0.1:8081/")
        page.wait("document.title != ''")
        page.complaints                    # errors on the console, exceptions, what a policy forbade
        page.requests                      # URLs of all that was asked for
"""
import asyncio
import base64
import contextlib
import itertools
import json
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading
import time

import aiohttp

CHROMIUM = shutil.which("chromium")
_ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--disable-extensions",
              "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server", "--hide-scrollbars",
              "--force-color-profile=srgb", "--remote-debugging-port=0", "about:blank"]
_STARTS = 3


class BrowserError(Exception):
    """It did not start, or refused a command."""


class Browser:
    def __init__(self):
        self._profile = tempfile.TemporaryDirectory(prefix="warmpool-browser-", ignore_cleanup_errors=True)
        self._errors = tempfile.TemporaryFile("w+")
        self._starts = 0
        self._start()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def _start(self):
        self._starts += 1
        self._process = subprocess.Popen([CHROMIUM, f"--user-data-dir={self._profile.name}", *_ARGUMENTS], stdin=subprocess.DEVNULL,
                                         stdout=subprocess.DEVNULL, stderr=self._errors)

    def _port(self):
        """Its own, when it is up. One that ended first ("GPU process launch failed", seen once on a full machine) is started again."""
        place = pathlib.Path(self._profile.name) / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError, IndexError, ValueError):
                return int(place.read_text().splitlines()[0])
            if self._process.poll() is not None:
                if self._starts == _STARTS:
                    break
                self._start()
            time.sleep(0.05)
        self._errors.seek(0)
        raise BrowserError(f"chromium did not start: {self._errors.read()[-2000:]}")

    @contextlib.contextmanager
    def page(self, **look):
        page = Page(self._loop, self._port())
        try:
            page.look(**look)
            yield page
        finally:
            page.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._errors.close()
        self._profile.cleanup()


class Page:
    """One tab."""

    def __init__(self, loop, port):
        self._loop, self._port = loop, port
        self._numbers = itertools.count(1)
        self._waiting = {}
        self.complaints = []
        self.requests = []
        self._do(self._connect())
        for domain in ("Page", "Runtime", "Log", "Network", "Accessibility"):
            self.command(f"{domain}.enable")
        self.command("Page.bringToFront")  # one behind another is hidden

    def _do(self, coroutine, timeout=60):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout)

    async def _connect(self):
        self._session = aiohttp.ClientSession()
        async with self._session.put(f"http://127.0.0.1:{self._port}/json/new?about:blank") as answer:
            target = await answer.json()
        self._target = target["id"]
        self._socket = await self._session.ws_connect(target["webSocketDebuggerUrl"], max_msg_size=0)
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self):
        async for message in self._socket:
            said = json.loads(message.data)
            if "id" in said:
                self._waiting.pop(said["id"]).set_result(said)
            else:
                self._note(said["method"], said["params"])

    def _note(self, method, params):
        if method == "Runtime.exceptionThrown":
            details = params["exceptionDetails"]
            self.complaints.append(details.get("exception", {}).get("description") or details["text"])
        elif method == "Runtime.consoleAPICalled":
            self.complaints.append(f"console.{params['type']}: {params['args']}")
        elif method == "Log.entryAdded" and params["entry"]["level"] in ("error", "warning"):
            self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")
        elif method == "Network.requestWillBeSent":
            self.requests.append(params["request"]["url"])

    async def _command(self, method, params):
        number = next(self._numbers)
        self._waiting[number] = self._loop.create_future()
        await self._socket.send_json({"id": number, "method": method, "params": params})
        return await self._waiting[number]

    def command(self, method, **params):
        said = self._do(self._command(method, params))
        if "error" in said:
            raise BrowserError(f"{method}: {said['error']}")
        return said["result"]

    def look(self, width=1280, height=900, dark=False, calm=False):
        self.command("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 700)
        self.command("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if calm else "no-preference"}])

    def open(self, url):
        self.command("Page.navigate", url=url)
        self.wait(f"location.href.startsWith({json.dumps(url)}) && document.readyState == 'complete'")

    def evaluate(self, expression):
        """The value of an expression, which must be JSON; the page's policy does not bind it."""
        said = self.command("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise BrowserError(f"{expression}: {said['exceptionDetails']['exception']['description']}")
        return said["result"].get("value")

    def wait(self, expression, timeout=20):
        """Returns as soon as it is true."""
        deadline = time.monotonic() + timeout
        while True:
            if self.evaluate(f"Boolean({expression})"):
                return
            if time.monotonic() > deadline:
                raise AssertionError(f"not so within {timeout} s: {expression}; complaints: {self.complaints}")
            time.sleep(0.05)

    def text(self, name):
        """The text of the element of that id."""
        return self.evaluate(f"document.getElementById({json.dumps(name)}).textContent")

    def number(self, name):
        """The first number in it."""
        return float(re.search(r"-?[\d,]*\.?\d+", self.text(name)).group().replace(",", ""))

    def press(self, key):
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "PageUp": 33, "PageDown": 34, "ArrowLeft": 37, "ArrowRight": 39, "Home": 36, "End": 35}
        for kind in ("rawKeyDown", "keyUp"):
            self.command("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=codes[key])

    def accessibility(self):
        """(role, name) of all that a screen reader is told of."""
        nodes = self.command("Accessibility.getFullAXTree")["nodes"]
        return [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]]

    def picture(self):
        """The whole page, as PNG."""
        size = self.command("Page.getLayoutMetrics")["cssContentSize"]
        shot = self.command("Page.captureScreenshot", format="png", captureBeyondViewport=True,
                            clip={"x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1})
        return base64.b64decode(shot["data"])

    def close(self):
        self._do(self._end())

    async def _end(self):
        async with self._session.put(f"http://127.0.0.1:{self._port}/json/close/{self._target}"):
            pass
        await self._socket.close()
        await self._session.close()
        self._reader.cancel()

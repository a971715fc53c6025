"""The dashboard, in a real browser: its figures are the daemon's, it asks nobody else, and it can be used by all."""
import contextlib
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse

import pytest
import requests

from admin_client import ON, ask
from browser import CHROMIUM, Browser
from daemon import ROOT, Warmpool, free_port
from replies import KEY, new_uniq, submit
from scenery import Scenery, Script
from simctl import Simulator

PAGE = ROOT / "src" / "admin" / "dashboard.html"
SOME = [Script("crawler", 12, 0.5), Script("price-watch", 6, 0.5)]

in_browser = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium")


@pytest.fixture(scope="module")
def browser():
    with Browser() as one:
        yield one


@pytest.fixture(scope="module")
def sim():
    with Simulator(delay_ms=60, solve_ms=1000, threads=1000) as one:
        yield one


@pytest.fixture
def wp(sim):
    with Warmpool(sim, **ON, **{"pool.size": 5}) as one:
        yield one


@contextlib.contextmanager
def opened(browser, wp, is_faultless=True, **look):
    """The dashboard with its first figures."""
    with browser.page(**look) as page:
        page.open(f"http://{wp.admin}/")
        page.wait("document.getElementById('avoided').textContent != '–' && document.querySelector('#plot-queue svg text')")
        yield page
        if is_faultless:
            assert page.complaints == []


def status_of(wp):
    return requests.get(f"http://{wp.admin}/status", timeout=10).json()


def rested(wp):
    """Its status once every place of the pool is taken, and none of them is busy or comes up."""
    deadline = time.monotonic() + 20
    while (status := status_of(wp))["pool"]["states"]["idle"] < status["pool"]["size"]:
        assert time.monotonic() < deadline, status["pool"]["states"]
        time.sleep(0.05)
    return status


def milliseconds(text):
    number, unit = text.split()
    return float(number) * {"ms": 1, "s": 1000}[unit]


def shown(page, *names):
    """Several figures of the same moment."""
    found = page.evaluate("[%s].map(id => document.getElementById(id).textContent)" % ",".join(f"'{name}'" for name in names))
    return [int(re.sub(r"\D", "", text)) for text in found]


@in_browser
def test_its_figures_are_the_daemons_and_stay_so(browser, sim, wp):
    with Scenery(wp, sim, 60, SOME), opened(browser, wp) as page:
        for _ in range(3):
            before = status_of(wp)
            page.wait(f"Number(document.getElementById('total').textContent.replace(',', '')) > {before['requests']['total'] + 20}")
            total, avoided = shown(page, "total", "avoided")
            leased, idle, opening, closing, size, waiting = shown(page, "leased", "idle", "opening", "closing", "size", "waiting")
            after = status_of(wp)
            assert before["requests"]["total"] <= total <= after["requests"]["total"]
            assert before["pool"]["handshakes_avoided"] <= avoided <= after["pool"]["handshakes_avoided"]
            assert 0 < leased + idle + opening + closing <= size == 5 and waiting <= 18
        page.wait("parseFloat(document.getElementById('rate').textContent) > 5")
        assert page.evaluate("[...document.querySelectorAll('#users tbody th')].map(cell => cell.textContent)") == ["crawler", "price-watch"]
        shares = page.evaluate("[...document.querySelectorAll('#users .share span')].map(cell => parseFloat(cell.textContent))")
        assert shares[0] > shares[1] > 0 and 98 < sum(shares) < 102
        # The plots hold what /history holds.
        for plot in ("connections", "queue", "requests", "times"):
            page.wait(f"document.querySelectorAll('#plot-{plot} svg path').length > 0")


@in_browser
def test_at_rest_they_are_the_same_to_the_last(browser, sim, wp):
    with Scenery(wp, sim, 60, SOME), opened(browser, wp) as page:
        page.wait("parseInt(document.getElementById('total').textContent) > 50")
    still = rested(wp)
    assert still["queue"]["length"] == 0 and still["pool"]["states"]["leased"] == 0
    with opened(browser, wp) as page:
        assert shown(page, "total", "avoided", "idle", "leased", "waiting", "size") == [
            still["requests"]["total"], still["pool"]["handshakes_avoided"], still["pool"]["states"]["idle"], 0, 0, 5]
        for key in ("wait", "first_byte", "total"):
            for name, value in still["latencies"]["1m"][key].items():
                if name != "count":
                    assert milliseconds(page.text(f"{key}-{name}")) == pytest.approx(value, rel=0.06, abs=0.06)
        assert page.text("upstream") == still["upstream"]
        assert page.text("idle-timeout") == f"{still['pool']['idle_timeout']['seconds']:.0f} s"
        assert still["advice"]["words"][0] in page.text("words")
        assert page.evaluate("document.querySelector('#working .said').textContent").startswith("Yes")
        assert page.evaluate("document.querySelector('#sized .said').textContent") == "Not known yet"
        assert page.evaluate("document.querySelector('#paid .said').textContent") == "No"


@in_browser
def test_it_asks_its_own_daemon_and_nobody_else(browser, wp):
    with opened(browser, wp) as page:
        page.wait("performance.getEntriesByName(location.origin + '/status').length >= 3")
        places = [urllib.parse.urlsplit(url) for url in page.requests]
        assert {place.netloc for place in places if place.scheme != "data"} == {wp.admin}
        assert {place.path for place in places if place.scheme != "data"} == {"/", "/status", "/history", "/advice", "/unknown"}


@in_browser
def test_its_policy_runs_no_other_script_and_no_markup_from_data(browser, wp):
    policy = ask(wp, path="/")[1]["content-security-policy"]
    assert "unsafe" not in policy and policy.startswith("default-src 'none'; script-src 'sha256-")
    with opened(browser, wp, is_faultless=False) as page:
        assert page.evaluate("""(() => {
            try { document.body.innerHTML = '<b>'; } catch (error) { return error.name; }
        })()""") == "TypeError"
        assert page.evaluate("fetch('http://127.0.0.2:1/').catch(() => 'refused')") == "refused"
        assert any("Content Security Policy" in complaint for complaint in page.complaints)


@in_browser
def test_what_the_daemon_says_is_text(browser, wp):
    """Names of clients are their own choice; that the daemon takes odd bytes out of labels is not relied upon."""
    requests.get(f"{wp.url}/res.php?key={KEY}&action=getbalance", auth=("crawler", ""), timeout=10)
    with opened(browser, wp) as page:
        page.evaluate("""(() => {
            const real = fetch;
            window.fetch = async (...how) => {
                const text = await (await real(...how)).text();
                return new Response(text.replaceAll('"crawler"', '"<img src=x onerror=alert(1)>"'));
            };
        })()""")
        page.wait("document.querySelector('#users tbody th')?.textContent == '<img src=x onerror=alert(1)>'")
        assert page.evaluate("document.images.length") == 0


@in_browser
def test_it_tells_of_errors_and_of_the_ledger(browser, sim, wp):
    sim.fault(action="close", path="/in.php", class_="submit")
    assert submit(wp, new_uniq()).status_code == 424
    with opened(browser, wp) as page:
        page.wait("document.querySelector('#working .said').textContent == 'No: 1 of 1 failed'", timeout=30)
        assert page.evaluate("document.getElementById('working').classList.contains('bad')")
        assert "CONNECTION_ENDED" in page.evaluate("document.querySelector('#working .why').textContent")
        assert page.evaluate("document.querySelector('#paid .said').textContent") == "Not by warmpool; 1 to look at"
        assert not page.evaluate("document.getElementById('ledger').open")
        page.evaluate("document.querySelector('#paid a').click()")
        assert page.evaluate("document.getElementById('ledger').open")
        assert "unknown" in page.text("records") and "/in.php" in page.text("records")


@in_browser
def test_it_says_when_the_daemon_is_gone_and_goes_on_when_it_is_back(browser, sim, wp):
    with Warmpool(sim, **{"admin.listen": f"127.0.0.1:{free_port()}"}) as first:
        with opened(browser, first, is_faultless=False) as page:
            first.stop()
            page.wait("!document.getElementById('banner').hidden")
            assert "does not answer" in page.text("banner") and page.evaluate("document.title").startswith("No answer")
            with Warmpool(sim, **{"admin.listen": first.admin}):
                page.wait("document.getElementById('banner').hidden")
                assert page.evaluate("document.title").startswith("0/25")
            # It may have been asking as the daemon ended.
            ends = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE")
            assert all(any(end in complaint for end in ends) for complaint in page.complaints), page.complaints


@in_browser
def test_unseen_it_asks_more_slowly(browser, wp):
    with opened(browser, wp) as page:
        page.evaluate("""(() => {
            window.delays = [];
            const real = setTimeout;
            window.setTimeout = (call, ms) => { delays.push(ms); return real(call, Math.min(ms, 100)); };
            Object.defineProperty(document, 'hidden', {get: () => true});
        })()""")
        page.wait("delays.filter(ms => ms == 10000).length > 1")


@in_browser
@pytest.mark.parametrize("width", [1280, 700, 390, 320])
def test_nothing_is_wider_than_the_window(browser, sim, wp, width):
    sim.fault(action="close", path="/in.php", class_="submit")
    submit(wp, new_uniq())
    requests.get(f"{wp.url}/res.php?key={KEY}&action=getbalance", auth=("w" * 63, ""), timeout=10)
    with opened(browser, wp, width=width) as page:
        page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
        page.wait("document.querySelector('#users tbody th') && document.querySelector('#connections tbody td')")
        assert page.evaluate("document.documentElement.scrollWidth") == width
        inside = "[...document.querySelectorAll('.card')].filter(card => [...card.querySelectorAll('*')].some(one => !one.closest('.scroll') " \
                 "&& !one.closest('svg') && one.getBoundingClientRect().right > card.getBoundingClientRect().right + 1)).map(card => card.textContent)"
        assert page.evaluate(inside) == []


@in_browser
def test_the_keyboard_reaches_all_in_order_and_walks_through_the_plots(browser, sim, wp):
    with Scenery(wp, sim, 60, SOME), opened(browser, wp) as page:
        page.wait("document.querySelectorAll('#plot-requests svg path').length > 0")
        order = []
        while True:
            page.press("Tab")
            seen = page.evaluate("""(() => {
                const all = [...document.querySelectorAll('*')];
                const one = document.activeElement;
                const box = one.getBoundingClientRect();
                return one === document.body ? null : {at: all.indexOf(one), name: one.getAttribute('aria-label') ?? one.textContent.trim(),
                    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight, outline: getComputedStyle(one).outlineStyle};
            })()""")
            if seen is None or (order and seen["at"] <= order[-1]["at"]):
                break
            order.append(seen)
            if "slider" not in locals() and "Connections" in seen["name"]:
                slider = True
                # Said at once: a second later all is a second longer ago.
                page.evaluate("""(() => {
                    window.said = [];
                    document.addEventListener('keydown', () => said.push(document.activeElement.getAttribute('aria-valuetext')));
                })()""")
                for key in ("ArrowLeft", "PageDown", "Home", "End"):
                    page.press(key)
                values = page.evaluate("said")
                assert "5 s ago" in values[0] and "lent" in values[3] and "now" in values[3] and len(set(values)) == 4
                assert page.evaluate("document.querySelectorAll('.tip:not([hidden])').length") == 4
                page.press("Escape")
                assert page.evaluate("document.querySelectorAll('.tip:not([hidden])').length") == 0
        assert all(one["seen"] and one["name"] and one["outline"] != "none" for one in order), order
        names = " ".join(one["name"] for one in order)
        assert re.search(r"Connections.*waiting.*Requests and errors.*first byte.*Ledger.*Last errors.*Each connection.*/status", names)


@in_browser
def test_a_screen_reader_is_told_what_the_plots_show(browser, sim, wp):
    with Scenery(wp, sim, 60, SOME), opened(browser, wp) as page:
        page.wait("/upstream now .* on average/.test(document.querySelector('#plot-times svg').getAttribute('aria-label'))")
        nodes = page.accessibility()
        images = [name for role, name in nodes if role in ("image", "img")]
        assert len(images) == 4
        for image, word in zip(images, ("lent now", "waiting now", "errors now", "upstream now")):
            assert word in image and "at most" in image
        assert not [(role, name) for role, name in nodes if role in ("slider", "button", "link", "table", "region", "heading") and not name]
        headings = {name for role, name in nodes if role == "heading"}
        assert {"warmpool", "Is it working?", "Is my pool the right size?", "Where does the time go?", "Did I pay twice?"} <= headings


@in_browser
def test_nothing_moves_for_who_wants_it_still(browser, wp):
    for calm, moving in ((False, True), (True, False)):
        with opened(browser, wp, calm=calm) as page:
            page.wait("document.getElementById('pulse').classList.contains('beat')")
            if moving:
                page.wait("document.getAnimations().length > 0")
            else:
                assert page.evaluate("document.getAnimations().length") == 0


def luminance(colour):
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(2 * digit for digit in digits)
    parts = [int(digits[at:at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_its_colours_can_be_told_apart(scheme):
    """WCAG 2.1, AA: 4.5 for text, 3 for what stands in a plot."""
    blocks = re.findall(r":root \{(.*?)\}", PAGE.read_text(), re.DOTALL)
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", blocks[0 if scheme == "light" else 1]))
    assert len(colours) > 20
    faint = [(name, ground) for name in ("text", "soft", "ok", "warn", "bad", "info", "none") for ground in ("card", "ground", "warn-ground", "bad-ground")
             if contrast(colours[name], colours[ground]) < 4.5]
    faint += [(name, "glyph") for name in ("ok", "warn", "bad", "info", "none") if contrast(colours[name], colours["glyph"]) < 4.5]
    faint += [("text", "bar")] if contrast(colours["text"], colours["bar"]) < 4.5 else []
    faint += [(name, "card") for name in ("lent", "idle-edge", "opening-edge", "closing", "wait", "error") if contrast(colours[name], colours["card"]) < 3]
    assert faint == []


@pytest.mark.parametrize("spoilt, said", [
    (("<body>", '<body style="color: red">'), "a style attribute"),
    (("<body>", '<body onload="x()">'), "a handler in an attribute"),
    (("<body>", '<body><img src="https://example.org/x.png">'), "a link to another site"),
    (("<body>", '<body><script src="/x.js"></script>'), "there must be one <script>"),
    (("<body>", "<body><style>b { color: red }</style>"), "there must be one <style>"),
    (('"use strict";', '"use strict"; document.body.innerHTML = name;'), "a way to take data for markup"),
    (("body {", "body { background: url(x.png);"), "a style that loads something"),
])
def test_the_build_refuses_what_its_policy_would(tmp_path, spoilt, said):
    page = tmp_path / "page.html"
    page.write_text(PAGE.read_text().replace(*spoilt, 1))
    done = subprocess.run([sys.executable, ROOT / "src/admin/embed.py", page, tmp_path / "out.h"], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and said in done.stderr
    assert not pathlib.Path(tmp_path / "out.h").exists()

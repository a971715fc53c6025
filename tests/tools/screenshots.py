#!/usr/bin/python3
"""Takes the pictures of the dashboard that docs/ holds: light and dark, for a desk and for a phone.

    tests/tools/need.sh pictures && tests/tools/screenshots.py [--minutes N] [DIR]

The load is tests/functional/scenery.py's. The sizing advice takes ten minutes of it; by default there are eleven.
"""
import argparse
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests" / "functional"))

from browser import Browser  # noqa: E402
from daemon import Warmpool  # noqa: E402
from scenery import Scenery  # noqa: E402
from simctl import Simulator  # noqa: E402

DELAY_MS = 120
LOOKS = [(scheme, width) for scheme in ("light", "dark") for width in (1280, 390)]


def take(browser, wp, scheme, width):
    with browser.page(width=width, dark=scheme == "dark", calm=True) as page:
        page.open(f"http://{wp.admin}/")
        # Its own samples follow those of /history.
        page.wait("samples.size > 2 && document.querySelector('#plot-times svg path') && !samples.get(newest).has_times")
        return page.picture()


def write(picture, path):
    """With 256 colours: a third of the size, and no difference to be seen."""
    done = subprocess.run(["pngquant", "--speed", "1", "--nofs", "256", "-"], input=picture, capture_output=True, check=True)
    path.write_bytes(done.stdout)
    print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=11)
    parser.add_argument("directory", nargs="?", type=pathlib.Path, default=ROOT / "docs")
    given = parser.parse_args()
    options = {"admin.listen": "127.0.0.1:0", "pool.size": 10}
    with Simulator(delay_ms=DELAY_MS, rtt_ms=30, solve_ms=3000, threads=1000) as sim, Warmpool(sim, **options) as wp:
        with Scenery(wp, sim, DELAY_MS), Browser() as browser:
            time.sleep(given.minutes * 60)
            for scheme, width in LOOKS:
                write(take(browser, wp, scheme, width), given.directory / f"dashboard-{scheme}-{width}.png")


if __name__ == "__main__":
    main()

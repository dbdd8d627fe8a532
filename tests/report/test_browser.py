"""The pages in a real browser: they play, seek and switch in step, and ask nobody for anything."""

from __future__ import annotations

import json
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from auxiva_cli.cli.main import cli

webdriver = pytest.importorskip("selenium.webdriver", reason="takes selenium")
WebDriverWait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER), reason="takes chromium and chromium-driver"
)

SAMPLE_RATE, SECONDS = 8000, 12
HOSTILE = "<script>window.caught=1<!-- '\"><img src=x onerror=window.caught=1>\n{{7*7}}"
IN_STEP = 0.02  # seconds
# Notes when each track is started by the clock of the sound, and where.
NOTE_STARTS = """
window.started = [];
const start = AudioBufferSourceNode.prototype.start;
AudioBufferSourceNode.prototype.start = function (when, offset) {
  window.started.push([when, offset]);
  return start.call(this, when, offset);
};
"""


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """Separate three recordings with pages, and one with its sound beside it."""
    folder = tmp_path_factory.mktemp("pages")
    rng = np.random.default_rng(0)
    swell = np.sin(np.arange(2)[:, None] + np.arange(SECONDS * SAMPLE_RATE) / 9000) ** 2
    sources = 0.1 * rng.laplace(size=swell.shape) * swell
    mixture = np.array([[1.0, 0.6], [0.5, 1.0]]) @ sources
    for name, n_samples in (("b 10", 40_000), ("b 9", 36_000), (HOSTILE, 30_000)):
        soundfile.write(folder / f"{name}.wav", mixture[:, :n_samples].T, SAMPLE_RATE)
    (folder / "long").mkdir()
    soundfile.write(folder / "long" / "long.wav", mixture.T, SAMPLE_RATE)
    for line in (
        [folder, "-o", folder / "out", "--report"],
        [folder / "long", "-o", folder / "out" / "embed", "--report"],
        [folder / "long", "-o", folder / "out" / "link", "--report", "--report-audio", "link"],
    ):
        options = ["-n", "3", "--n-fft", "512"]
        result = CliRunner().invoke(cli, ["separate", *options, *map(os.fspath, line)])
        assert result.exit_code == 0, result.output
    return folder / "out"


@pytest.fixture(scope="module")
def browser():
    """Start Chromium without a window."""
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for argument in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=webdriver.chrome.service.Service(executable_path=DRIVER)
    )
    driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": NOTE_STARTS})
    yield driver
    driver.quit()


class Visit:
    """A page that is open."""

    def __init__(self, browser):
        self.browser = browser

    def run(self, script, *arguments):
        return self.browser.execute_script(script, *arguments)

    def press(self, *keys):
        for key in keys:
            self.browser.switch_to.active_element.send_keys(key)

    def click(self, selector, n=0):
        self.browser.find_elements("css selector", selector)[n].click()

    def until(self, script):
        """Wait until an expression is true, and return its value."""
        return WebDriverWait(self.browser, 20, poll_frequency=0.02).until(
            lambda browser: browser.execute_script(f"return {script}"), message=script
        )

    @property
    def heard(self):
        """Which lanes are heard."""
        script = "return [...document.querySelectorAll('.lane')].map(l => !l.matches('.silent'))"
        return [n for n, is_heard in enumerate(self.run(script)) if is_heard]

    @property
    def position(self):
        return float(self.run("return document.getElementById('seek').value"))

    def is_past(self, seconds):
        return self.until(f"Number(document.getElementById('seek').value) > {seconds}")


@contextmanager
def visit(browser, path, folder):
    """Open a page; in the end nothing was complained of, and nothing asked for but its folder."""
    browser.get(path.as_uri())
    yield Visit(browser)
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    for message in messages:
        if message["method"] == "Network.requestWillBeSent":
            url = message["params"]["request"]["url"]
            assert url.startswith((f"{folder.as_uri()}/", "data:", "blob:")), url


@pytest.fixture
def page(browser, pages):
    with visit(browser, pages / "embed" / "long.html", pages) as opened:
        yield opened


@pytest.fixture
def linked(browser, pages):
    with visit(browser, pages / "link" / "long.html", pages) as opened:
        yield opened


def test_keys_play_switch_and_seek_without_losing_the_place(page):
    assert page.heard == [0]
    page.press(" ")
    page.is_past(0.3)
    page.press("2")
    before = page.position
    assert page.heard == [2]
    page.is_past(before + 0.2)
    assert page.position < before + 5, "it goes on where it was"
    page.press("m")
    assert page.heard == []
    page.press("m", "1")
    assert page.heard == [1]
    page.press("9")  # of whom there is none
    assert page.heard == [1]
    page.press("\ue014")  # the right arrow: 2 s on
    page.is_past(before + 2)
    page.press(" ")
    page.until("document.getElementById('play').textContent.includes('Play')")
    at = page.position
    page.press("\ue012")  # the left one
    assert page.position == pytest.approx(at - 2, abs=0.05)


def test_all_tracks_start_together_after_every_seek(page):
    page.press(" ")
    page.is_past(0.1)
    for _ in range(3):
        page.press("\ue014")
        page.run("window.seeks = (window.seeks ?? 1) + 1")
        page.until("window.started.length === 3 * window.seeks")
    starts = np.array(page.run("return window.started")).reshape(-1, 3, 2)
    assert np.ptp(starts, axis=1).max() == 0
    assert len(set(starts[:, 0, 1])) == 4
    # The sound goes with the clock on the page.
    page.is_past(starts[-1, 0, 1] + 0.3)


def test_linked_tracks_stay_in_step(linked):
    times = "[...document.querySelectorAll('audio')].map(audio => audio.currentTime)"
    spread = f"(t => Math.max(...t) - Math.min(...t))({times})"
    linked.press(" ")
    for start in (0, 6):
        linked.run(
            "const bar = document.getElementById('seek'); bar.value = arguments[0];"
            "bar.dispatchEvent(new Event('input'))", start,
        )  # fmt: skip
        linked.is_past(start + 1.5)
        # A reading is as good as the moment in which it is taken: the median of many.
        readings = [linked.run(f"return {spread}") for _ in range(25)]
        assert np.median(readings) < IN_STEP
    linked.press("1")
    assert linked.run("return [...document.querySelectorAll('audio')].map(a => a.muted)") == [
        True, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("kind", ["page", "linked"])
def test_a_stretch_loops(request, kind):
    opened = request.getfixturevalue(kind)
    opened.press("\ue014", "[", "\ue014", "]", "\ue012")
    opened.press(" ")
    opened.is_past(3.5)
    opened.until("Number(document.getElementById('seek').value) < 3")
    assert opened.position >= 1.6
    assert opened.run("return document.getElementById('loop').ariaPressed") == "true"
    opened.press(" ")


def test_the_end_is_the_end_and_play_begins_anew(page):
    page.press("\ue010", "\ue012", " ")  # the end, and 2 s back
    page.is_past(SECONDS - 1)
    page.until("document.getElementById('play').textContent.includes('Play')")
    assert page.position == pytest.approx(SECONDS, abs=0.1)
    page.press(" ")
    page.until("Number(document.getElementById('seek').value) < 5")
    page.press(" ")


def test_a_click_on_a_picture_hears_its_lane_and_on_the_scale_goes_there(page):
    page.click(".lane .spectrogram", 1)
    assert (page.heard, page.position) == ([1], 0)
    page.click("#ruler")  # in its middle
    assert page.position == pytest.approx(SECONDS / 2, abs=0.2)
    page.click(".mute", 2)
    assert page.heard == [1, 2]
    page.click(".alone", 2)
    assert page.heard == [2]


def test_zoom_widens_the_lanes_and_keeps_the_page(page):
    width = "document.querySelector('.lane .track').clientWidth"
    before = page.run(f"return {width}")
    page.press("+", "+")
    assert page.run(f"return {width}") == pytest.approx(4 * before, rel=0.02)
    page.press("-", "-", "-")
    assert page.run(f"return {width}") == before


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_window(browser, page, width):
    size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    try:
        assert page.run("return document.documentElement.scrollWidth") <= width
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_every_control_has_a_name_and_is_reached_by_the_keyboard(page):
    nameless = page.run(
        "return [...document.querySelectorAll('button, input, svg[role], img')].filter(e =>"
        "!(e.ariaLabel || e.alt || e.textContent.trim())).map(e => e.outerHTML)"
    )
    assert nameless == []
    page.run("document.body.focus()")
    reached = set()
    for _ in range(12):
        page.press("\ue004")
        reached.add(page.run("return document.activeElement.textContent.trim()"))
    assert {"▶ Play", "Loop", "Mixture", "Speaker 1", "Speaker 2"} <= reached


def test_the_index_sorts_by_what_it_shows(browser, pages):
    names = "[...document.querySelectorAll('.name')].map(cell => cell.textContent.trim())"
    with visit(browser, pages / "index.html", pages) as index:
        index.click("thead button", 0)
        assert index.run(f"return {names}")[-2:] == ["b 9.wav", "b 10.wav"]
        index.click("thead button", 0)
        assert index.run(f"return {names}")[:2] == ["b 10.wav", "b 9.wav"]
        index.click("thead button", 1)
        assert index.run(f"return {names}")[1:] == ["b 9.wav", "b 10.wav"]
        lengths = index.run(
            "return [...document.querySelectorAll('thead th')].map(h => h.ariaSort)"
        )
        assert lengths[:2] == [None, "ascending"]


def test_hostile_names_run_nothing_and_lead_to_their_files(browser, pages):
    with visit(browser, pages / "index.html", pages) as index:
        assert index.run("return window.caught") is None
        index.run("document.querySelector('.name a[href*=script]').click()")
        index.until("document.querySelector('#stage') && document.readyState === 'complete'")
        assert index.run("return window.caught") is None
        assert "<img src=x" in index.run("return document.querySelector('h1').textContent")
        links = index.run("return [...document.querySelectorAll('td a')].map(a => a.href)")
    from urllib.parse import unquote, urlparse

    assert len(links) == 2
    for link in links:
        assert Path(unquote(urlparse(link).path)).is_file()

"""The live explorer as a reader meets it: what it shows and says, in the browser, in print, in a chapter."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from explored import BUNDLE, FINISHED, LIVE, NETWORKS, PAGE, TWINS, go, verdicts
from inspection import VIEWS, Inspector, rest
from scipy import stats

from deeplimits import densities
from deeplimits.activations import shaped_relu

SOURCES = Path("explorer")
#: Networks that are soon simulated, for what does not depend on their size.
SMALL = "width=10&depth=10"


def test_the_bundles_are_made_from_these_sources():
    digest = hashlib.sha256()
    names = ["build.mjs", "package.json", "package-lock.json"]
    names += sorted(path.relative_to(SOURCES).as_posix() for path in (SOURCES / "src").rglob("*") if path.is_file())
    for name in names:
        digest.update(f"{name}\n".encode() + (SOURCES / name).read_bytes())
    figures = {path.stem for path in (SOURCES / "src/live/figures").iterdir()}
    assert {path.stem for path in LIVE.glob("*.js")} == {path.stem for path in TWINS.glob("*.html")} == figures
    for bundle in (BUNDLE, *LIVE.glob("*.js")):
        stored = re.search(r"Sources sha256 (\w+)", bundle.read_text())[1]
        assert stored == digest.hexdigest(), f"{bundle} is old, rebuild: see explorer/README.md"
    assert (LIVE / "live.css").read_bytes() == (SOURCES / "src/live/live.css").read_bytes()


def test_a_live_figure_is_small_and_asks_for_nothing():
    for path in LIVE.iterdir():
        assert path.stat().st_size < 25_000 and not re.search(r"https?://|fetch\(|import\(", path.read_text()), path


def test_the_bundle_is_small_and_whole():
    text = BUNDLE.read_text()
    assert len(text.encode()) < 74_000
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)


def test_the_lock_names_no_registry():
    lock = (SOURCES / "package-lock.json").read_text()
    assert '"resolved"' not in lock and '"integrity"' in lock


@pytest.mark.parametrize("view", VIEWS)
def test_the_explorer_finishes_and_says_what_it_saw(view, browser, origin):
    inspector = Inspector(browser, origin, view)
    assert not inspector.faults(PAGE)
    page = inspector.page
    page.wait_for_function(FINISHED)
    status = page.locator(".deep-limits-explorer [role=status]").inner_text()
    assert "Width 100, depth 100" in status
    assert "The limit holds for the correlation" in status and "The limit holds for the norm" in status
    assert page.locator(".dlx-twin").is_hidden()
    images = page.locator(".dlx [role=img][data-panel]")
    assert images.count() == 4
    assert all(len(images.nth(i).get_attribute("aria-label")) > 80 for i in range(4))
    assert not inspector.met
    inspector.close()


def test_controls_appear_where_they_act(page):
    assert page.get_by_label("shaping c₊").is_visible() and page.get_by_label("shaping a").is_hidden()
    page.get_by_label("activation").select_option("gelu")
    assert page.get_by_label("shaping c₊").is_hidden() and page.get_by_label("shaping a").is_visible()
    page.get_by_label("inputs", exact=True).select_option("7")
    assert page.get_by_label("correlation of the inputs").is_hidden()
    assert page.get_by_role("img", name="a handwritten 3").is_visible()
    page.get_by_label("network", exact=True).select_option("residual")
    assert page.get_by_label("activation").input_value() == "gelu"
    assert page.get_by_label("shaping a").is_hidden() and page.get_by_label("weights σ²").is_visible()


def test_the_table_says_what_the_networks_and_the_limit_do(page):
    page.wait_for_function(FINISHED)
    page.get_by_text("The same in numbers").click()
    row = page.locator(".dlx tbody tr").first.locator("td").all_inner_texts()
    networks, limit, wide = (float(text.split(" ± ")[0]) for text in row)
    law = densities.correlation(shaped_relu(0, -1).effective(100), 0.3, 1.0)
    assert limit == pytest.approx(law.mean(), abs=1e-3)
    assert networks == pytest.approx(law.mean(), abs=4.5 * np.sqrt(law.var() / NETWORKS) + 1 / 100)
    assert abs(wide - networks) > 0.03


def test_the_distance_in_the_table_is_that_of_the_samples_from_the_law(page, call):
    go(page, "width=20&depth=20")
    z = np.reshape(call("sample", samples=NETWORKS, width=20, depth=20), (-1, 3))[:, 0]  # the same seed and networks
    law = densities.correlation(shaped_relu(0, -1).effective(20), 0.3, 1.0)
    rows = page.locator(".dlx tbody tr").filter(has_text="distance of the laws, correlation")
    distance, chance, _ = rows.locator("td").all_text_contents()
    assert float(distance) == pytest.approx(stats.kstest(np.tanh(z), law.cdf).statistic, abs=1.5e-3)
    assert float(chance.split()[-1]) == pytest.approx(stats.kstwo.isf(1e-3, NETWORKS), rel=0.02)


@pytest.mark.parametrize(
    "setting, expected, headline",
    [
        ("", ["agrees", "agrees"], "The limit holds"),
        ("width=10&depth=10", ["near", "near"], "The limit nearly holds"),
        ("width=2&depth=2", ["differs", "differs"], "The limit is not reached"),
        ("width=2&depth=12&plus=3&minus=-3", ["differs", "differs"], "The limit is not reached"),
        ("width=3&depth=16&plus=1.5&minus=-1.5", ["differs", "differs"], "The limit is not reached"),
        ("activation=gelu&a=1&norm=0.5&width=4&depth=4", ["near", "near"], "The limit nearly holds"),
        ("activation=gelu&a=1&norm=1&width=10&depth=10", ["near", "differs"], "The limit nearly holds"),
        ("network=residual&width=10", ["agrees", "agrees"], "The limit holds"),
    ],
    ids=[
        "wide",
        "ten neurons",
        "two neurons",
        "two neurons bent",
        "three neurons bent",
        "GELU",
        "GELU explodes",
        "residual",
    ],
)
def test_the_verdict_depends_on_how_far_the_limit_is(setting, expected, headline, page):
    go(page, setting)
    assert verdicts(page) == expected
    first = page.locator(".dlx-verdict").first.inner_text()
    assert first.startswith(f"{headline} for the correlation")


@pytest.mark.parametrize(
    "setting",
    [
        "width=2&depth=12&plus=3&minus=-3",
        "width=10&depth=10",
        "width=50&depth=200&plus=1",
        "activation=tanh&a=0.3&rho=0.9",
        "activation=silu&width=20&depth=20",
    ],
)
def test_nearly_means_a_small_distance(setting, page):
    go(page, setting)
    rows = page.locator(".dlx tbody tr").filter(has_text="distance of the laws")
    for verdict, row in zip(verdicts(page), rows.all(), strict=True):
        distance, chance = (float(text.split()[-1]) for text in row.locator("td").all_text_contents()[:2])
        assert (verdict == "agrees") == (distance <= chance)
        assert verdict == "agrees" or (verdict == "differs") >= (distance > chance + 0.1)


@pytest.mark.parametrize("activation", ["silu", "gelu"])
def test_where_all_have_exploded_nothing_is_compared(activation, page):
    go(page, f"activation={activation}&a=0.3&norm=5")
    assert verdicts(page) == ["empty", "empty"]
    text = page.locator(".dlx-verdicts").inner_text()
    assert "Nothing is left to compare for the correlation" in text
    assert re.search(r"100\.00? ± 0\.0\d % of the limit", text)
    assert not re.search("NaN|Infinity|∞|–", text)
    table = page.locator(".dlx tbody tr")
    assert table.filter(has_text="distance of the laws").first.locator("td").first.text_content() == "–"
    assert table.filter(has_text="standard deviation").locator("td").first.text_content() == "–"


def test_a_limit_that_has_exploded_is_told_from_networks_that_have_not(page):
    go(page, "activation=gelu&a=0.3&norm=5&width=2&depth=12")
    assert verdicts(page) == ["empty", "differs"]


def test_legends_say_whose_mean_is_shown(page):
    go(page, SMALL)
    legends = page.locator(".dlx-keys")
    assert "mean of all networks" in legends.first.inner_text() and "norms at most" not in legends.first.inner_text()
    go(page, "activation=silu&norm=1.4&width=20&depth=20")
    assert "mean of networks with norms at most 8" in legends.first.inner_text()
    assert "norms at most 8" in legends.nth(1).inner_text() and "norms at most" not in legends.nth(2).inner_text()
    assert "networks with norms at most 8 have mean" in page.locator(".dlx-verdicts").inner_text()


SPY = """() => {
  const spies = window.written !== undefined;
  window.written = [];
  if (spies) return;
  const plain = CanvasRenderingContext2D.prototype.fillText;
  CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {
    window.written.push([this.canvas.parentElement.dataset.panel, text, place[1], place[0], this.textAlign,
                         this.measureText(text).width]);
    plain.call(this, text, ...place);
  };
}"""


def marks(page, panel, side="along"):
    """The marks of an axis, as they are drawn now."""
    page.evaluate(f"({SPY})()")
    page.evaluate("""() => {
      const page = document.documentElement.dataset;
      page.theme = page.theme === "dark" ? "light" : "dark";  // draws again
    }""")
    page.wait_for_function(f"window.written.some(each => each[0] === '{panel}')")
    rest(page, 100)
    align = "center" if side == "along" else "right"
    found = [each for each in page.evaluate("window.written") if each[0] == panel and each[4] == align]
    texts = [each[1] for each in found if re.fullmatch(r"[−\d.()⁰¹²³⁴-⁹⁻]+", each[1])]
    reach = [each[3] - each[5] for each in found] if side != "along" else []
    return texts, reach


@pytest.mark.parametrize(
    "setting",
    [
        "",
        "width=400&depth=2",
        "network=residual&width=40",
        "activation=silu&a=0.3&norm=5",
        "activation=tanh&a=0.3&norm=5",
    ],
)
def test_axes_have_marks_that_can_be_read(setting, page):
    go(page, setting)
    for panel in ("correlation", "norm"):
        along, _ = marks(page, panel)
        assert len(along) >= 3 and len(set(along)) == len(along)
        _, left = marks(page, panel, "down")
        assert len(left) >= 3 and min(left) > 16  # the label of the axis is to the left of this


def test_any_width_goes_with_any_depth(page):
    width, depth = page.get_by_label("width n"), page.get_by_label("depth d")
    width.press("Home")
    depth.press("End")
    assert (width.get_attribute("aria-valuetext"), depth.get_attribute("aria-valuetext")) == ("2", "4096")
    page.wait_for_function(FINISHED)
    assert "depth/width is 2048" in page.locator(".dlx-setting").inner_text()


def test_a_large_network_gets_a_verdict_from_a_few_and_goes_on(page):
    go(page, "width=1024&depth=400&norm=1")
    count = "Number(document.querySelector('.dlx-bar span').innerText.split(' ')[0])"
    seen = page.evaluate(count)
    assert 200 <= seen < NETWORKS and "Width 1024, depth 400" in page.locator(".dlx-setting").inner_text()
    page.wait_for_function(f"{count} > {seen}")


@pytest.mark.parametrize("setting", ["", "activation=silu", "network=plain&gain=2"])
def test_controls_plots_and_verdict_are_seen_at_once(setting, browser, origin):
    inspector = Inspector(browser, origin, "desktop-light")
    inspector.page.set_viewport_size({"width": 1366, "height": 768})
    page = inspector.open(f"{PAGE}#{setting}")
    page.wait_for_function(FINISHED)
    page.locator(".dlx").evaluate("e => e.scrollIntoView()")
    side, board = (page.locator(each).bounding_box() for each in (".dlx-side", ".dlx-panels"))
    assert side["x"] + side["width"] <= board["x"]
    assert page.locator(".dlx-presets").bounding_box()["y"] >= 0
    assert max(side["y"] + side["height"], board["y"] + board["height"]) <= 768
    inspector.close()


def test_b_is_shown_with_what_it_means(page):
    for setting, said in {
        "activation=silu": "b = 0.75, norms can explode",
        "activation=tanh": "b = −2.00, norms settle below 1",
        "activation=tanh&a=2": "b = −0.50, norms vanish",
        "": "b = 0.00",
        "network=plain": "not shaped",
    }.items():
        go(page, f"{setting}&{SMALL}")
        assert said in page.locator(".dlx-setting").inner_text()


def test_a_network_that_is_not_shaped_has_no_limit_to_agree_with(page):
    go(page, "network=plain&gain=2")
    assert verdicts(page) == ["alone", "alone"]
    assert "Infinite width predicts 0.99" in page.locator(".dlx-verdict").first.inner_text()
    assert page.locator(".dlx-keys .limit:visible").count() == 0
    assert page.locator(".dlx tbody tr").filter(has_text="distance of the laws").count() == 0


def test_a_formula_is_taken_when_it_is_right_and_explained_when_it_is_not(page):
    go(page, SMALL)
    page.get_by_label("activation").select_option("formula")
    field = page.get_by_label("formula in x")
    field.fill("silu(x)")
    page.wait_for_function(FINISHED)
    assert "b = 0.75" in page.locator(".dlx-setting").inner_text()
    for wrong, said in {
        "alert(1)": "“alert” is none of",
        "x)": "was not expected",
        "x^": "ends too early",
        "x*x": "its slope at 0 is 0",
        "abs(x)": "a corner at 0",
        "log(x)": "no value or no slope",
        "(" * 60 + "x": "too many brackets",
    }.items():
        field.fill(wrong)
        hint = page.locator(f"#{field.get_attribute('aria-describedby')}")
        assert said in hint.inner_text() and field.get_attribute("aria-invalid") == "true"
    page.wait_for_function("location.hash.includes('silu')")
    assert "b = 0.75" in page.locator(".dlx-setting").inner_text()


def test_hints_are_seen_and_a_move_is_told_once(page):
    slider = page.get_by_label("shaping c₊")
    hint = page.locator(f"#{slider.get_attribute('aria-describedby')}")
    assert hint.is_visible() and "1 + c₊/√n" in hint.inner_text()
    assert page.locator(".dlx output, .dlx [aria-live]:not([aria-live=off])").count() == 0
    assert page.locator(".dlx-value").first.get_attribute("aria-hidden") == "true"


def test_a_finger_moves_a_slider_along_it_and_scrolls_the_page_across(browser, origin):
    inspector = Inspector(browser, origin, "phone")
    page = inspector.open(f"{PAGE}#width=16&depth=16")
    slider = page.get_by_label("width n")
    touched = inspector.context.new_cdp_session(page)

    def swipe(right, down):
        page.evaluate("scrollTo(0, 0)")
        slider.scroll_into_view_if_needed()
        rest(page, 200)
        box = slider.bounding_box()
        x, y = box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"]
        for i in range(13):
            point = {"x": x + right * i, "y": y + down * i}
            kind = "touchMove" if i else "touchStart"
            touched.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
            page.wait_for_timeout(20)
        touched.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        rest(page, 300)
        return slider.get_attribute("aria-valuetext")

    assert swipe(0, -20) == "16"
    page.wait_for_function("scrollY > 100")
    assert int(swipe(5, 0)) > 50
    inspector.close()


def test_numbers_have_the_digits_that_tell_them_apart(page):
    go(page, "rho=0.999")
    text = page.locator(".dlx-verdict").first.inner_text()
    found = re.search(r"mean ([\d.]+) ± .* Infinite width predicts ([\d.]+) for", text)
    mean, wide = found.groups()
    assert mean != wide and len(mean) == len(wide) >= 7
    go(page, "width=50&depth=300")
    low = re.search(r"between (.*?) and", page.locator(".dlx-verdict").last.inner_text())[1]
    assert re.search("[1-9]", low)


def error_of(text):
    value, error = text.split(" ± ")
    return float(value.replace("−", "-")), float(error)


def test_simulated_numbers_have_standard_errors(page, call):
    go(page, "width=20&depth=20")
    rows = page.locator(".dlx tbody tr")
    found = [error_of(rows.nth(i).locator("td").first.text_content()) for i in range(8)]
    z, first, _ = np.reshape(call("sample", samples=NETWORKS, width=20, depth=20), (-1, 3)).T
    rng = np.random.default_rng(0)

    def bootstrap(x, statistic):
        return np.std([statistic(rng.choice(x, x.size)) for _ in range(400)])

    statistics = [np.mean, np.std, *(lambda x, p=p: np.quantile(x, p) for p in (0.05, 0.5, 0.95))]
    expected = [(f(np.tanh(z)), bootstrap(np.tanh(z), f)) for f in statistics]
    expected += [(f(first), bootstrap(first, f)) for f in statistics[2:]]
    for (value, error), (right, spread) in zip(found, expected, strict=True):
        assert value == pytest.approx(right, abs=0.2 * spread + 1e-3)
        assert error == pytest.approx(spread, rel=0.35)


def test_colours_follow_the_theme(page):
    page.wait_for_function(FINISHED)
    colours = "document.querySelector('.dlx canvas').toDataURL()"
    light = page.evaluate(colours)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    page.wait_for_function(f"light => {colours} !== light", arg=light)

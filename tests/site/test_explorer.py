"""The live explorer: its numerics against the Python engine, and how a reader uses it, in the browser."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
from inspection import VIEWS, Inspector, served
from scipy import stats

from deeplimits import densities
from deeplimits.activations import correlation_of, linear, plain, relu, shaped_relu, smooth
from deeplimits.blocks import Blocks
from deeplimits.diffusions import CovarianceSDE, ResidualSDE
from deeplimits.kernels import CovarianceODE, ResidualKernel
from deeplimits.networks import ResNet, ShapedMLP, gaussian_start

PAGE = "book/explore.html"
SOURCES = Path("explorer")
BUNDLE = Path("book/_static/explorer/explorer.js")
#: Networks of an explorer, samples on either side of a comparison, and its probability to reject the right law.
NETWORKS, SAMPLES, LEVEL = 4000, 16_000, 1e-5
FINISHED = "[...document.querySelectorAll('.deep-limits-explorer')].every(e => e.dataset.done === 'yes')"
CALL = """async ([name, argument]) => {
  const answer = await window.deepLimits.explorers[0].call(name, argument);
  const plain = value => ArrayBuffer.isView(value) ? Array.from(value) : value;
  return answer.masses ? {...answer, masses: plain(answer.masses)} : plain(answer);
}"""


@pytest.fixture(scope="module")
def origin(site):
    with served(site) as address:
        yield address


@pytest.fixture
def inspector(browser, origin):
    opened = Inspector(browser, origin, "desktop-light")
    yield opened
    opened.close()


@pytest.fixture
def page(inspector):
    yield inspector.open(PAGE)
    assert not inspector.met


@pytest.fixture(scope="module")
def call(browser, origin):
    """The functions of the explorer's worker, by name."""
    opened = Inspector(browser, origin, "desktop-light")
    opened.open(PAGE)
    yield lambda name, **argument: opened.page.evaluate(CALL, [name, argument])
    opened.close()


# ---------------------------------------------------------------- numbers

#: Settings of the explorer, with what they are in Python: (setting, activation).
SHAPED = {
    "leaky ReLU": (dict(activation="relu", plus=0, minus=-1), shaped_relu(0, -1)),
    "strong bend": (dict(activation="relu", plus=2, minus=-1), shaped_relu(2, -1)),
    "tanh": (dict(activation="tanh", a=0.5), smooth("tanh", a=0.5)),
    "SiLU": (dict(activation="silu", a=0.8), smooth("silu", a=0.8)),
    "GELU": (dict(activation="gelu", a=1.2), smooth("gelu", a=1.2)),
}
RESIDUAL = {
    "ReLU": (dict(activation="relu"), relu()),
    "tanh": (dict(activation="tanh"), plain("tanh")),
    "linear": (dict(activation="linear"), linear()),
}
RHO, NORM = 0.4, 1.4


def gram(norm=1.0):
    return norm * np.array([[1, RHO], [RHO, 1]])


def coordinates(V):
    """artanh of the correlation, and the logarithm of the first norm."""
    return np.arctanh(correlation_of(V)[:, 0, 1]), np.log(V[:, 0, 0])


def drawn(call, **setting):
    """The same of the explorer's samples; exploded norms are infinite."""
    z, first, second = np.reshape(call("sample", samples=SAMPLES, seed=7, rho=RHO, digits=0, **setting), (-1, 3)).T
    with np.errstate(divide="ignore"):
        return z, np.where(np.isinf(second), np.inf, np.log(first))


def same_law(first, second):
    return stats.ks_2samp(first, second).pvalue > LEVEL


def cells(law):
    """Upper edges of the cells of a law from the explorer, and its distribution function there."""
    masses = np.array(law["masses"])
    return law["low"] + law["width"] * np.arange(1, masses.size + 1), np.cumsum(masses)


def test_normal_numbers_are_normal(page):
    # Counted in the page: 200 cells of width 0.05, the outer ones open, and products of neighbours.
    counts, product = page.evaluate("""async () => {
      const x = await window.deepLimits.explorers[0].call("normals", {samples: 4e6, seed: 3});
      const counts = new Array(200).fill(0);
      let product = 0;
      for (let i = 0; i < x.length; i++) {
        counts[Math.min(Math.max(Math.floor((x[i] + 5) / 0.05), 0), 199)]++;
        if (i > 0) product += x[i] * x[i - 1];
      }
      return [counts, product];
    }""")
    edges = np.r_[-np.inf, np.linspace(-4.95, 4.95, 199), np.inf]
    expected = 4_000_000 * np.diff(stats.norm.cdf(edges))
    common = expected > 10
    distance = np.sum((np.array(counts)[common] - expected[common]) ** 2 / expected[common])
    assert stats.chi2.sf(distance, common.sum() - 1) > LEVEL
    assert abs(product) < 5 * np.sqrt(4_000_000)


def test_another_seed_gives_other_numbers(call):
    first, again, other = (call("normals", samples=100, seed=seed) for seed in (3, 3, 4))
    assert first == again and not np.any(np.isin(first, other))


@pytest.mark.parametrize("name", SHAPED)
def test_activations_have_the_constants_of_the_engine(name, call):
    setting, phi = SHAPED[name]
    found = call("constants", width=40, **setting)
    assert found["normaliser"] == pytest.approx(phi.normaliser(40), rel=1e-6)
    if "plus" in setting:
        assert found["gap2"] == pytest.approx(phi.effective_gap2(40), rel=1e-12) and found["b"] == 0
    else:
        assert (found["b"], found["bend"]) == pytest.approx((phi.b, (phi.second / phi.a) ** 2), rel=1e-12)


@pytest.mark.parametrize("name", SHAPED)
def test_shaped_networks_have_the_law_of_the_engine(name, call):
    setting, phi = SHAPED[name]
    norm = NORM if name in ("tanh", "SiLU", "GELU") else 1.0
    z, size = drawn(call, width=20, depth=12, norm=norm, **setting)
    V = ShapedMLP(phi, 20, 12).sample(gram(norm), SAMPLES, seed=1)
    assert same_law(z, coordinates(V)[0]) and same_law(size, coordinates(V)[1])
    later = ShapedMLP(phi, 20, 20).sample(gram(norm), SAMPLES, seed=1)
    assert not (same_law(z, coordinates(later)[0]) and same_law(size, coordinates(later)[1]))


@pytest.mark.parametrize("name", SHAPED)
def test_the_limit_of_shaped_networks_has_the_law_of_the_engine(name, call):
    setting, phi = SHAPED[name]
    norm = NORM if name in ("tanh", "SiLU", "GELU") else 1.0
    z, size = drawn(call, limit=True, width=100, depth=80, norm=norm, **setting)
    limit = CovarianceSDE(phi.effective(100) if "plus" in setting else phi, 0.8)
    V = limit.sample(gram(norm), SAMPLES, seed=1, steps=256)
    # An explosion of either input ends both in Python; until then all norms are finite.
    alive, finite = np.isfinite(size), np.isfinite(V[:, 0, 0])
    assert stats.fisher_exact([[alive.sum(), (~alive).sum()], [finite.sum(), (~finite).sum()]]).pvalue > LEVEL
    expected = coordinates(V[finite])
    assert same_law(z[alive], expected[0]) and same_law(size[alive], expected[1])
    assert not same_law(z[alive] + 0.15, expected[0]) and not same_law(size[alive] + 0.3, expected[1])


@pytest.mark.parametrize("a, norm, depth", [(1.0, 1.4, 150), (0.3, 0.5, 100), (0.3, 1.0, 100)])
def test_the_simulated_limit_has_the_norm_of_one_input(a, norm, depth, call):
    found = call("sample", samples=SAMPLES, seed=7, rho=RHO, limit=True, activation="silu", a=a, norm=norm, depth=depth)
    law = densities.norm(smooth("silu", a=a).b, norm, depth / 100)
    for first in np.reshape(found, (-1, 3)).T[1:]:
        exploded = np.isinf(first)
        assert stats.binomtest(int(exploded.sum()), SAMPLES, law.explosion_probability).pvalue > LEVEL
        assert stats.kstest(first[~exploded], lambda V: law.cdf(V) / (1 - law.explosion_probability)).pvalue > LEVEL


@pytest.mark.parametrize("limit", [False, True], ids=["networks", "limit"])
@pytest.mark.parametrize("name", RESIDUAL)
def test_residual_networks_have_the_law_of_the_engine(name, limit, call):
    setting, phi = RESIDUAL[name]
    z, size = drawn(call, network="residual", limit=limit, width=6, depth=20, norm=1, **setting)
    x0 = gaussian_start(gram(), 6, SAMPLES, seed=2)
    process = ResidualSDE(Blocks(phi, linear()), 6) if limit else ResNet(Blocks(inner=phi, outer=linear()), 6, 20)
    x = process.sample(x0, SAMPLES, seed=1, **(dict(steps=512) if limit else {}))
    V = np.einsum("snk,snl->skl", x, x) / 6
    assert same_law(z, coordinates(V)[0]) and same_law(size, coordinates(V)[1])
    start = np.einsum("snk,snl->skl", x0, x0) / 6
    assert not same_law(size, coordinates(start)[1])


@pytest.mark.parametrize("gap2, rho, time", [(1.0, 0.3, 1.0), (0.0, -0.9, 2.0), (9.0, -0.99, 0.5), (4.0, 0.99, 4.0),
                                             (1.0, 0.0, 0.05)])
def test_the_law_of_the_correlation_is_that_of_the_engine(gap2, rho, time, call):
    edges, found = cells(call("correlationLaw", gap2=gap2, rho=rho, time=time))
    expected = densities.correlation(shaped_relu(np.sqrt(gap2), 0), rho, time)
    assert found[-1] == pytest.approx(1, abs=1e-6)
    assert found == pytest.approx(expected.cdf(np.tanh(edges)), abs=1e-3)
    without = densities.correlation(shaped_relu(np.sqrt(gap2) + 0.5, 0), rho, time)
    assert np.abs(found - without.cdf(np.tanh(edges))).max() > 2e-3


@pytest.mark.parametrize("b, norm, time", [(0.0, 1.0, 1.0), (0.75, 2.0, 1.0), (3.0, 1.0, 0.5), (-2.0, 1.0, 3.0),
                                           (-8.0, 3.0, 1.0), (1.0, 1.0, 6.0), (-20.0, 0.5, 3.0)])
def test_the_law_of_the_norm_is_that_of_the_engine(b, norm, time, call):
    edges, found = cells(call("normLaw", b=b, norm=norm, time=time))
    expected = densities.norm(b, norm, time)
    assert found == pytest.approx(expected.cdf(np.exp(np.sqrt(2) * edges)), abs=1e-3)
    if b > 0:
        assert 1 - found[-1] == pytest.approx(expected.explosion_probability, abs=5e-4)
    other = densities.norm(b + 0.3, norm, time)
    assert np.abs(found - other.cdf(np.exp(np.sqrt(2) * edges))).max() > 2e-3


@pytest.mark.parametrize("name", SHAPED)
def test_infinitely_wide_shaped_networks_are_those_of_the_engine(name, call):
    setting, phi = SHAPED[name]
    norm = 0.7 if name in ("tanh", "SiLU", "GELU") else 1.0
    path = call("wide", width=100, depth=200, rho=RHO, norm=norm, **setting)
    ode = CovarianceODE(phi.effective(100) if "plus" in setting else phi)
    V = ode.at(gram(norm), np.linspace(0, 2, len(path)))
    assert [place["first"] for place in path] == pytest.approx(V[:, 0, 0], abs=1e-6)
    assert np.tanh([place["z"] for place in path]) == pytest.approx(correlation_of(V)[:, 0, 1], abs=1e-5)


def test_an_infinitely_wide_network_explodes_when_the_engine_says_so(call):
    path = call("wide", activation="silu", a=0.5, norm=2, width=100, depth=100)
    when = CovarianceODE(smooth("silu", a=0.5)).explosion_time(gram(2.0))[0]
    exploded = np.isinf([place["first"] for place in path])
    assert np.array_equal(exploded, np.linspace(0, 1, len(path)) > when) and exploded.any()


@pytest.mark.parametrize("name", RESIDUAL)
def test_infinitely_wide_residual_networks_are_those_of_the_engine(name, call):
    setting, phi = RESIDUAL[name]
    path = call("wide", network="residual", width=10, depth=100, rho=RHO, **setting)
    unit = ResidualKernel(Blocks(phi, linear())).at(0.0, gram(), np.linspace(0, 1, len(path)))
    assert [place["first"] for place in path] == pytest.approx(unit.covariance[:, 0, 0], abs=2e-4)
    found = np.tanh([place["z"] for place in path])
    assert found == pytest.approx(correlation_of(unit.covariance)[:, 0, 1], abs=2e-4)


# ---------------------------------------------------------------- the page


def test_the_bundle_is_made_from_these_sources():
    digest = hashlib.sha256()
    names = ["build.mjs", "package.json", "package-lock.json"]
    names += sorted(f"src/{path.name}" for path in (SOURCES / "src").iterdir())
    for name in names:
        digest.update(f"{name}\n".encode() + (SOURCES / name).read_bytes())
    stored = re.search(r"Sources sha256 (\w+)", BUNDLE.read_text())[1]
    assert stored == digest.hexdigest(), "rebuild the explorer: see explorer/README.md"


def test_the_bundle_is_small_and_whole():
    text = BUNDLE.read_text()
    assert len(text.encode()) < 54_000
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
    assert images.count() == 3
    assert all(len(images.nth(i).get_attribute("aria-label")) > 80 for i in range(3))
    assert not inspector.met
    inspector.close()


def test_every_setting_to_try_runs_and_has_an_address_of_its_own(page):
    seen = set()
    for button in page.locator(".dlx-presets button").all():
        button.click()
        page.wait_for_function(FINISHED)
        page.wait_for_timeout(600)
        seen.add(page.evaluate("location.hash"))
    assert len(seen) == page.locator(".dlx-presets button").count()


def test_a_setting_and_its_networks_come_back_from_the_address(page, inspector):
    page.get_by_label("width n").press("ArrowLeft")
    page.get_by_label("activation").select_option("tanh")
    page.get_by_label("shaping a").press("End")
    page.wait_for_function(FINISHED)
    page.wait_for_function("location.hash.length > 1")
    page.wait_for_timeout(600)
    address, numbers = page.url, page.locator(".dlx table").text_content()
    assert "width=80" in address and "activation=tanh" in address and "a=5" in address
    inspector.page.goto("about:blank")
    inspector.page.goto(address)
    inspector.page.wait_for_function(FINISHED)
    assert inspector.page.locator(".dlx table").text_content() == numbers
    assert inspector.page.get_by_label("width n").get_attribute("aria-valuetext") == "80"


def test_nonsense_in_the_address_is_settled(browser, origin):
    inspector = Inspector(browser, origin, "phone")
    text = "width=1e9&depth=-4&activation=relu6&rho=7&digits=99&a=x&seed=0.2&nothing=1"
    assert not inspector.faults(f"{PAGE}#{text}")
    inspector.page.wait_for_function(FINISHED)
    assert inspector.page.get_by_label("width n").get_attribute("aria-valuetext") == "400"
    inspector.close()


def test_controls_appear_where_they_act(page):
    assert page.get_by_label("shaping c₊").is_visible() and page.get_by_label("shaping a").is_hidden()
    page.get_by_label("activation").select_option("gelu")
    assert page.get_by_label("shaping c₊").is_hidden() and page.get_by_label("shaping a").is_visible()
    page.get_by_label("inputs", exact=True).select_option("7")
    assert page.get_by_label("correlation of the inputs").is_hidden()
    assert page.get_by_role("img", name="a handwritten 3").is_visible()
    page.get_by_label("network", exact=True).select_option("residual")
    assert page.get_by_label("activation").input_value() == "relu"
    assert page.get_by_label("shaping c₊").is_hidden()


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
    page.wait_for_function(FINISHED)
    z = np.reshape(call("sample", samples=NETWORKS), (-1, 3))[:, 0]  # the same seed, the same networks
    law = densities.correlation(shaped_relu(0, -1).effective(100), 0.3, 1.0)
    rows = page.locator(".dlx tbody tr").filter(has_text="distance of the laws, correlation")
    distance, chance, _ = rows.locator("td").all_text_contents()
    assert float(distance) == pytest.approx(stats.kstest(np.tanh(z), law.cdf).statistic, abs=1.5e-3)
    assert float(chance.split()[-1]) == pytest.approx(stats.kstwo.isf(1e-3, NETWORKS), rel=0.02)


def go(page, setting):
    """Set the explorer by its address, and wait for its verdict."""
    page.evaluate("""hash => location.hash.slice(1) === hash || new Promise(told => {
      addEventListener("hashchange", told, {once: true});
      location.hash = hash;
    }).then(() => true)""", setting)
    page.wait_for_function(FINISHED, timeout=120_000)


def verdicts(page):
    """For the correlation and for the norm."""
    return page.locator(".dlx-verdict").evaluate_all("all => all.map(each => each.classList[1])")


@pytest.mark.parametrize("setting, expected, headline", [
    ("", ["agrees", "agrees"], "The limit holds"),
    ("width=10&depth=10", ["near", "near"], "The limit nearly holds"),
    ("width=2&depth=2", ["differs", "differs"], "The limit is not reached"),
    ("width=2&depth=12&plus=3&minus=-3", ["differs", "differs"], "The limit is not reached"),
    ("width=3&depth=16&plus=1.5&minus=-1.5", ["differs", "differs"], "The limit is not reached"),
    ("activation=gelu&a=1&norm=0.5&width=4&depth=4", ["near", "near"], "The limit nearly holds"),
    ("activation=gelu&a=1&norm=1&width=10&depth=10", ["near", "differs"], "The limit nearly holds"),
    ("network=residual&width=10", ["agrees", "agrees"], "The limit holds"),
], ids=["wide", "ten neurons", "two neurons", "two neurons bent", "three neurons bent", "GELU", "GELU explodes",
        "residual"])
def test_the_verdict_depends_on_how_far_the_limit_is(setting, expected, headline, page):
    go(page, setting)
    assert verdicts(page) == expected
    first = page.locator(".dlx-verdict").first.inner_text()
    assert first.startswith(f"{headline} for the correlation")


@pytest.mark.parametrize("setting", ["width=2&depth=12&plus=3&minus=-3", "width=10&depth=10",
                                     "width=50&depth=200&plus=1", "activation=tanh&a=0.3&rho=0.9",
                                     "activation=silu&width=20&depth=20"])
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
    page.wait_for_function(FINISHED)
    legends = page.locator(".dlx-keys")
    assert "mean of all networks" in legends.first.inner_text() and "norms at most" not in legends.first.inner_text()
    go(page, "activation=silu&norm=1.4")
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
    page.wait_for_timeout(100)
    align = "center" if side == "along" else "right"
    found = [each for each in page.evaluate("window.written") if each[0] == panel and each[4] == align]
    texts = [each[1] for each in found if re.fullmatch(r"[−\d.()⁰¹²³⁴-⁹⁻]+", each[1])]
    reach = [each[3] - each[5] for each in found] if side != "along" else []
    return texts, reach


@pytest.mark.parametrize("setting", ["", "width=400&depth=2", "network=residual&width=40",
                                     "activation=silu&a=0.3&norm=5", "activation=tanh&a=0.3&norm=5"])
@pytest.mark.parametrize("panel", ["correlation", "norm"])
def test_axes_have_marks_that_can_be_read(panel, setting, page):
    go(page, setting)
    along, _ = marks(page, panel)
    assert len(along) >= 3 and len(set(along)) == len(along)
    _, left = marks(page, panel, "down")
    assert len(left) >= 3 and min(left) > 16  # the label of the axis is to the left of this


def test_a_link_within_the_page_keeps_the_setting(page, inspector):
    page.get_by_label("width n").press("ArrowLeft")
    page.wait_for_function("location.hash.includes('width=80')")
    page.evaluate("location.hash = 'what-to-try'")
    page.wait_for_function(FINISHED)
    page.wait_for_timeout(600)
    assert page.evaluate("location.hash") == "#what-to-try"
    assert page.get_by_label("width n").get_attribute("aria-valuetext") == "80"
    page.get_by_label("depth d").press("ArrowLeft")
    page.wait_for_function("location.hash.includes('width=80&depth=80')")
    page.evaluate("location.hash = 'depth=200'")  # a link that is a setting sets it
    page.wait_for_function("!location.hash.includes('width') && "
                           "document.querySelector('input[id$=-width]').getAttribute('aria-valuetext') === '100'")
    assert page.get_by_label("depth d").get_attribute("aria-valuetext") == "200"


def test_a_page_opened_at_a_heading_stays_there(inspector):
    page = inspector.open(f"{PAGE}#what-is-simulated")
    page.wait_for_function(FINISHED)
    page.wait_for_timeout(600)
    assert page.evaluate("location.hash") == "#what-is-simulated"
    assert "Width 100, depth 100" in page.locator(".dlx-setting").inner_text()


def test_copy_link_has_the_setting_after_a_jump_to_a_heading(page):
    page.get_by_label("width n").press("ArrowLeft")
    page.wait_for_function("location.hash.includes('width=80')")
    page.evaluate("location.hash = 'what-to-try'")
    page.get_by_role("button", name="Copy link").click()
    assert page.evaluate("location.hash") == "#width=80"


def test_a_depth_comes_back_with_the_width(page):
    width, depth = page.get_by_label("width n"), page.get_by_label("depth d")
    width.press("Home")
    assert depth.get_attribute("aria-valuetext") == "12"
    page.get_by_role("button", name="New networks").click()
    for _ in range(16):
        width.press("ArrowRight")
    assert depth.get_attribute("aria-valuetext") == "100"
    # A depth that is chosen is the one that is wanted, and so is that of a setting to try.
    width.press("Home")
    depth.press("ArrowLeft")
    width.press("End")
    assert depth.get_attribute("aria-valuetext") == "10"
    width.press("Home")
    page.get_by_role("button", name="ten neurons", exact=True).click()
    width.press("End")
    assert depth.get_attribute("aria-valuetext") == "10"


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
        page.wait_for_timeout(200)
        box = slider.bounding_box()
        x, y = box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"]
        for i in range(13):
            point = {"x": x + right * i, "y": y + down * i}
            kind = "touchMove" if i else "touchStart"
            touched.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [point]})
            page.wait_for_timeout(20)
        touched.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.wait_for_timeout(300)
        return slider.get_attribute("aria-valuetext"), page.evaluate("scrollY")

    width, place = swipe(0, -20)
    assert width == "16" and place > 100
    width, _ = swipe(5, 0)
    assert int(width) > 50
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
    page.wait_for_timeout(200)
    assert page.evaluate(colours) != light


def test_without_javascript_there_is_a_figure(browser, origin):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{origin}/{PAGE}")
    assert page.locator(".deep-limits-explorer figure img").is_visible()
    context.close()


def test_in_print_there_is_a_figure(page):
    page.wait_for_function(FINISHED)
    page.emulate_media(media="print")
    assert page.locator(".deep-limits-explorer figure img").is_visible()
    assert page.locator(".dlx").is_hidden()


@pytest.mark.parametrize("name", ["book/shaped/covariance.html", "book/stability/norm.html"])
def test_in_print_a_small_explorer_leaves_no_empty_box(name, inspector):
    page = inspector.open(name)
    host = page.locator(".deep-limits-explorer")
    host.scroll_into_view_if_needed()
    page.wait_for_function(FINISHED)
    assert host.bounding_box()["height"] > 300
    page.emulate_media(media="print")
    assert host.is_hidden() and page.locator(".dlx").is_hidden()


def test_it_runs_from_a_file(browser, site):
    page = browser.new_page()
    met = []
    page.on("pageerror", lambda error: met.append(str(error)))
    page.goto((site / PAGE).resolve().as_uri() + "#width=50&depth=50")
    page.wait_for_function(FINISHED)
    assert "Width 50, depth 50" in page.locator(".dlx-setting").inner_text()
    assert not met
    page.close()


def test_small_explorers_stand_in_a_page_side_by_side(browser, tmp_path):
    script = f'<script defer src="{BUNDLE.resolve().as_uri()}"></script>'
    small = ('<div class="deep-limits-explorer" data-state="width=20&depth=20" data-panels="correlation"'
             ' data-controls="width depth"></div>')
    twin = '<div class="deep-limits-explorer" data-state="activation=silu" data-panels="norm"><p>still</p></div>'
    path = tmp_path / "chapter.html"
    path.write_text(f'<!doctype html><meta charset="utf-8"><title>Chapter</title>{small}{script}'
                    f'<div style="height: 2000px"></div>{twin}{script}')
    page, met = browser.new_page(), []
    page.on("pageerror", lambda error: met.append(str(error)))
    page.goto(path.as_uri())
    first, second = page.locator(".deep-limits-explorer").all()
    page.wait_for_function("document.querySelector('.deep-limits-explorer').dataset.done === 'yes'")
    assert second.get_attribute("data-done") == ""  # it is not on the screen yet
    second.scroll_into_view_if_needed()
    page.wait_for_function(FINISHED)
    assert first.locator("input[type=range]").count() == 2 and first.locator("canvas").count() == 1
    assert second.locator("canvas").count() == 1 and "exploded" in second.locator(".dlx-verdicts").inner_text()
    assert second.get_by_text("still", exact=True).is_hidden()
    first.get_by_label("depth d").press("Home")
    page.wait_for_function(FINISHED)
    assert first.get_by_role("link").get_attribute("href").endswith("book/explore.html#width=20&depth=2")
    assert page.evaluate("location.hash") == "" and not met
    page.close()

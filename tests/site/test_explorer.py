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
    z, first, _ = np.reshape(call("sample", samples=SAMPLES, seed=7, rho=RHO, digits=0, **setting), (-1, 3)).T
    with np.errstate(divide="ignore"):
        return z, np.log(first)


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
    # An explosion of either input ends both; until then all norms are finite.
    alive, finite = np.isfinite(size), np.isfinite(V[:, 0, 0])
    assert stats.fisher_exact([[alive.sum(), (~alive).sum()], [finite.sum(), (~finite).sum()]]).pvalue > LEVEL
    expected = coordinates(V[finite])
    assert same_law(z[alive], expected[0]) and same_law(size[alive], expected[1])
    assert not same_law(z[alive] + 0.15, expected[0]) and not same_law(size[alive] + 0.3, expected[1])


@pytest.mark.parametrize("limit", [False, True], ids=["networks", "limit"])
@pytest.mark.parametrize("name", RESIDUAL)
def test_residual_networks_have_the_law_of_the_engine(name, limit, call):
    setting, phi = RESIDUAL[name]
    z, size = drawn(call, network="residual", limit=limit, width=6, depth=20, norm=1, **setting)
    x0 = gaussian_start(gram(), 6, SAMPLES, seed=2)
    process = ResidualSDE(6, phi, linear()) if limit else ResNet(6, 20, inner=phi, outer=linear())
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
                                           (-8.0, 3.0, 1.0), (1.0, 1.0, 6.0)])
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
    unit = ResidualKernel(phi, linear()).at(0.0, gram(), np.linspace(0, 1, len(path)))
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
    assert limit == pytest.approx(law.mean, abs=1e-3)
    assert networks == pytest.approx(law.mean, abs=4.5 * np.sqrt(law.variance / NETWORKS) + 1 / 100)
    assert abs(wide - networks) > 0.03


def test_the_distance_in_the_table_is_that_of_the_samples_from_the_law(page, call):
    page.wait_for_function(FINISHED)
    z = np.reshape(call("sample", samples=NETWORKS), (-1, 3))[:, 0]  # the same seed, the same networks
    law = densities.correlation(shaped_relu(0, -1).effective(100), 0.3, 1.0)
    rows = page.locator(".dlx tbody tr").filter(has_text="distance of the laws, correlation")
    distance, chance, _ = rows.locator("td").all_text_contents()
    assert float(distance) == pytest.approx(stats.kstest(np.tanh(z), law.cdf).statistic, abs=1.5e-3)
    assert float(chance.split()[-1]) == pytest.approx(stats.kstwo.isf(1e-3, NETWORKS), rel=0.02)


def test_a_narrow_and_deep_network_is_told_from_its_limit(page):
    page.evaluate("location.hash = 'width=3&depth=16&plus=1.5&minus=-1.5'")
    page.wait_for_function("document.querySelector('.dlx-setting')?.textContent.includes('Width 3,')")
    page.wait_for_function(FINISHED)
    assert page.locator(".dlx-verdict.agrees").count() == 0


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

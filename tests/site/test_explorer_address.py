"""The address of the live explorer: it says the setting, and the setting follows it."""

import pytest
from explored import BUNDLE, FINISHED, PAGE, verdicts
from inspection import Inspector, rest, served


def test_every_setting_to_try_runs_and_has_an_address_of_its_own(page):
    seen = set()
    for button in page.locator(".dlx-presets button").all():
        button.click()
        page.wait_for_function(FINISHED)
        rest(page, 600)
        seen.add(page.evaluate("location.hash"))
    assert len(seen) == page.locator(".dlx-presets button").count()


def test_a_setting_and_its_networks_come_back_from_the_address(page, inspector):
    page.get_by_label("width n").press("ArrowLeft")
    page.get_by_label("activation").select_option("tanh")
    page.get_by_label("shaping a").press("End")
    page.wait_for_function(FINISHED)
    page.wait_for_function("location.hash.length > 1")
    rest(page, 600)
    address, numbers = page.url, page.locator(".dlx table").text_content()
    assert "width=80" in address and "activation=tanh" in address and "a=5" in address
    inspector.page.goto("about:blank")
    inspector.page.goto(address)
    inspector.page.wait_for_function(FINISHED)
    assert inspector.page.locator(".dlx table").text_content() == numbers
    assert inspector.page.get_by_label("width n").get_attribute("aria-valuetext") == "80"


def test_back_leads_back_to_a_setting_that_was_chosen(page):
    width = page.get_by_label("width n")
    for expected in ("80", "64"):
        width.press("ArrowLeft")
        page.wait_for_function(f"location.hash.includes('width={expected}')")
    page.go_back()
    page.wait_for_function("document.querySelector('input[id$=-width]').ariaValueText === '80'")
    page.go_back()
    page.wait_for_function("document.querySelector('input[id$=-width]').ariaValueText === '100'")
    assert page.evaluate("location.hash") == ""


def test_nonsense_in_the_address_is_settled(browser, origin):
    inspector = Inspector(browser, origin, "phone")
    text = "width=1e9&depth=-4&activation=relu6&rho=7&digits=99&a=x&seed=0.2&nothing=1"
    assert not inspector.faults(f"{PAGE}#{text}")
    inspector.page.wait_for_function(FINISHED)
    assert inspector.page.get_by_label("width n").get_attribute("aria-valuetext") == "4096"
    inspector.close()


def test_a_link_within_the_page_keeps_the_setting(page, inspector):
    page.get_by_label("width n").press("ArrowLeft")
    page.wait_for_function("location.hash.includes('width=80')")
    page.evaluate("location.hash = 'what-to-try'")
    page.wait_for_function(FINISHED)
    rest(page, 600)
    assert page.evaluate("location.hash") == "#what-to-try"
    assert page.get_by_label("width n").get_attribute("aria-valuetext") == "80"
    page.get_by_label("depth d").press("ArrowLeft")
    page.wait_for_function("location.hash.includes('width=80&depth=80')")
    page.evaluate("location.hash = 'depth=200'")  # a link that is a setting sets it
    page.wait_for_function(
        "!location.hash.includes('width') && "
        "document.querySelector('input[id$=-width]').getAttribute('aria-valuetext') === '100'"
    )
    assert page.get_by_label("depth d").get_attribute("aria-valuetext") == "200"


def test_a_page_opened_at_a_heading_stays_there(inspector):
    page = inspector.open(f"{PAGE}#what-is-simulated")
    page.wait_for_function(FINISHED)
    rest(page, 600)
    assert page.evaluate("location.hash") == "#what-is-simulated"
    assert "Width 100, depth 100" in page.locator(".dlx-setting").inner_text()


def test_copy_link_has_the_setting_after_a_jump_to_a_heading(page):
    page.get_by_label("width n").press("ArrowLeft")
    page.wait_for_function("location.hash.includes('width=80')")
    page.evaluate("location.hash = 'what-to-try'")
    page.get_by_role("button", name="Copy link").click()
    assert page.evaluate("location.hash") == "#width=80"


#: Timers run when a test says so, all that wait: between any two steps of the page.
HOLD = """(() => {
  const waiting = new Map();
  window.setTimeout = act => waiting.set(waiting.size + 1, act).size;
  window.clearTimeout = id => waiting.set(id, () => {});
  window.runTimers = () => [...waiting].forEach(([id, act]) => { waiting.set(id, () => {}); act(); });
})()"""
#: What happens in one go, with no event told in between; then the address, and the width and depth of its setting.
INTERLEAVED = {
    "a link is followed": ("", "location.hash = 'width=2&depth=2'; runTimers()", "#width=2&depth=2", (2, 2)),
    "a link after a slider": (
        "",
        "press('width'); location.hash = 'width=2&depth=2'; runTimers()",
        "#width=2&depth=2",
        (2, 2),
    ),
    "two links": (
        "",
        "location.hash = 'width=10'; runTimers(); location.hash = 'depth=10'; runTimers()",
        "#depth=10",
        (100, 10),
    ),
    "back to the beginning": ("width=2&depth=2", "location.hash = ''; runTimers()", "", (100, 100)),
    "a link that is no setting": ("", "press('width'); location.hash = 'heading'; runTimers()", "#width=80", (80, 100)),
    "a link is copied": ("", "location.hash = 'width=2&depth=2'; copy()", "#width=2&depth=2", (2, 2)),
}
ACTS = """
const press = name => {
  const slider = document.querySelector(`input[id$=-${name}]`);
  slider.value = slider.value - 1;
  slider.dispatchEvent(new Event("input"));
};
const copy = () => [...document.querySelectorAll(".dlx button")].find(each => each.innerText === "Copy link").click();
"""


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A page with nothing on it but an explorer that owns the address."""
    folder = tmp_path_factory.mktemp("alone")
    (folder / "explorer.js").write_bytes(BUNDLE.read_bytes())
    (folder / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><title>Alone</title><link rel="icon" href="data:,">'
        '<div class="deep-limits-explorer" data-address></div><h2 id="heading">Heading</h2>'
        '<script src="explorer.js"></script>'
    )
    with served(folder) as address:
        yield address


@pytest.fixture
def visitor(browser, alone):
    opened = Inspector(browser, alone, "desktop-light")
    yield opened
    assert not opened.met
    opened.close()


def sizes(page):
    return tuple(int(page.get_by_label(name).get_attribute("aria-valuetext")) for name in ("width n", "depth d"))


@pytest.mark.parametrize("name", INTERLEAVED)
def test_a_new_address_is_not_written_over_before_it_is_told(name, visitor):
    start, acts, address, expected = INTERLEAVED[name]
    visitor.page.add_init_script(HOLD)
    page = visitor.open(f"index.html#{start}")
    page.wait_for_function(FINISHED)
    page.evaluate(f"() => {{ {ACTS} {acts}; }}")
    page.wait_for_function(FINISHED)
    page.evaluate("runTimers()")  # whatever was begun since
    assert page.evaluate("location.hash") == address and sizes(page) == expected
    width, depth = expected
    assert f"Width {width}, depth {depth}" in page.locator(".dlx-setting").inner_text()
    assert verdicts(page) == (["differs", "differs"] if width == 2 else verdicts(page))


def test_back_and_forward_lead_through_the_settings(visitor):
    page = visitor.open("index.html")
    for setting in ("width=10&depth=10", "width=20&depth=20"):
        page.evaluate("setting => { location.hash = setting; }", setting)
    for move, expected in [(page.go_back, (10, 10)), (page.go_back, (100, 100)), (page.go_forward, (10, 10))]:
        move()
        page.wait_for_function(f"document.querySelector('input[id$=-width]').ariaValueText === '{expected[0]}'")
        assert sizes(page) == expected


PROTOTYPE = ["toString", "constructor", "__proto__", "hasOwnProperty", "valueOf", "isPrototypeOf"]
HOSTILE = [
    *PROTOTYPE,
    "",
    " ",
    "null",
    "NaN",
    "-Infinity",
    "1e309",
    "-1",
    "0x10",
    "9" * 400,
    "%00",
    "%E0%A4%A",
    "%",
    "💥",
    "<img src=x onerror=alert(1)>",
    "'\";alert(1)//",
    "{}",
    "[]",
    "1&width=toString",
    "#",
    "?a=b",
]
#: A browser lets an address change 200 times in a while, and then no more.
ADDRESSES = [
    *(f"{key}={value}" for key in ("network", "activation", "digits", "width") for value in HOSTILE),
    *(f"{key}={value}" for key in ("plus", "rho", "norm", "seed", *PROTOTYPE) for value in PROTOTYPE[:3]),
]


def test_hostile_addresses_are_followed_to_a_setting_that_runs(visitor):
    page = visitor.open("index.html")
    reached = page.evaluate(
        """async addresses => {
      const offered = {};
      for (const address of addresses) {
        const told = new Promise(told => addEventListener("hashchange", told, {once: true}));
        location.hash = address;
        await told;
        for (const control of document.querySelectorAll(".dlx select, .dlx input"))
          (offered[control.id] ??= new Set()).add(control.value);
      }
      return Object.fromEntries(Object.entries(offered).map(([id, found]) => [id, [...found]]));
    }""",
        ADDRESSES,
    )
    assert len(reached) == 13 and all(value != "" for values in reached.values() for value in values), reached
    assert reached["dlx1-network"] == ["shaped"] and reached["dlx1-activation"] == ["relu"]
    page.evaluate("location.hash = 'width=10&depth=10'")
    page.wait_for_function(FINISHED)
    assert sizes(page) == (10, 10)


@pytest.mark.parametrize(
    "address",
    [
        *(f"network={value}" for value in PROTOTYPE),
        "activation=toString",
        "__proto__=1",
        "digits=constructor",
        "width=%E0%A4%A",
    ],
)
def test_a_page_opened_at_a_hostile_address_shows_the_defaults(address, visitor):
    page = visitor.open(f"index.html#{address}")
    page.wait_for_function(FINISHED)
    assert sizes(page) == (100, 100) and page.get_by_label("network", exact=True).input_value() == "shaped"

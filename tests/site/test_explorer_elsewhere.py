"""The explorer where it is not at home: without JavaScript, on paper, from a file, small within a page."""

from explored import BUNDLE, FINISHED, PAGE
from inspection import PATIENCE, patient


def test_without_javascript_there_is_a_figure(browser, origin):
    context = patient(browser.new_context(java_script_enabled=False))
    page = context.new_page()
    page.goto(f"{origin}/{PAGE}")
    assert page.locator(".deep-limits-explorer figure img").is_visible()
    context.close()


def test_in_print_there_is_a_figure(page):
    page.wait_for_function(FINISHED)
    page.emulate_media(media="print")
    assert page.locator(".deep-limits-explorer figure img").is_visible()
    assert page.locator(".dlx").is_hidden()


def test_in_print_a_small_explorer_leaves_no_empty_box(inspector):
    page = inspector.open("book/stability/norm.html")
    host = page.locator(".deep-limits-explorer")
    host.scroll_into_view_if_needed()
    page.wait_for_function(FINISHED)
    assert host.bounding_box()["height"] > 300
    page.emulate_media(media="print")
    assert host.is_hidden() and page.locator(".dlx").is_hidden()


def test_it_runs_from_a_file(browser, site):
    page, met = browser.new_page(), []
    page.set_default_timeout(PATIENCE)
    page.on("pageerror", lambda error: met.append(str(error)))
    page.goto((site / PAGE).resolve().as_uri() + "#width=50&depth=50")
    page.wait_for_function(FINISHED)
    assert "Width 50, depth 50" in page.locator(".dlx-setting").inner_text()
    assert not met
    page.close()


def test_small_explorers_stand_in_a_page_side_by_side(browser, tmp_path):
    script = f'<script defer src="{BUNDLE.resolve().as_uri()}"></script>'
    small = (
        '<div class="deep-limits-explorer" data-state="width=20&depth=20" data-panels="correlation"'
        ' data-controls="width depth"></div>'
    )
    twin = '<div class="deep-limits-explorer" data-state="activation=silu" data-panels="norm"><p>still</p></div>'
    path = tmp_path / "chapter.html"
    path.write_text(
        f'<!doctype html><meta charset="utf-8"><title>Chapter</title>{small}{script}'
        f'<div style="height: 2000px"></div>{twin}{script}'
    )
    page, met = browser.new_page(), []
    page.set_default_timeout(PATIENCE)
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

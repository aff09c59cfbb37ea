"""The lists of the site: the index of claims and the gallery are filtered, a figure is enlarged, prose is found."""

from __future__ import annotations

CLAIMS = "book/reference/claims.html"
ROWS = "[...document.querySelectorAll('table.claims tr[data-status]')]"
PICTURES = "[...document.querySelectorAll('.gallery figure')]"


def test_the_index_is_filtered_and_its_state_stands_in_the_address(visitor):
    page = visitor.open(CLAIMS)
    everything = page.evaluate(f"{ROWS}.length")
    page.get_by_label("Words").fill("explode")
    shown = f"{ROWS}.filter(row => !row.hidden)"
    few = page.evaluate(f"{shown}.length")
    assert 0 < few < everything and "words=explode" in page.url
    assert page.locator(".filters output").inner_text() == f"{few} of {everything} shown"
    told = "row => (row.dataset.words + row.textContent).toLowerCase().includes('explode')"
    assert page.evaluate(f"{shown}.every({told})")
    again = visitor.open(f"{CLAIMS}?words=explode")
    assert again.evaluate(f"{shown}.length") == few and again.get_by_label("Words").input_value() == "explode"


def test_what_an_address_asks_for_and_no_claim_has_is_ignored(visitor):
    page = visitor.open(f"{CLAIMS}?evidence=nonsense")
    assert page.evaluate(f"{ROWS}.every(row => !row.hidden)")


def test_the_gallery_shows_the_figures_of_a_page(visitor):
    page = visitor.open("book/reference/figures.html")
    page.locator(".filters select").first.select_option(index=1)
    shown = page.evaluate(f"{PICTURES}.filter(figure => !figure.hidden).map(figure => figure.dataset.page)")
    assert 0 < len(shown) < page.evaluate(f"{PICTURES}.length") and len(set(shown)) == 1


def test_a_figure_is_enlarged_by_keyboard_and_closed_again(visitor):
    page = visitor.open("book/residual/width-one.html")
    page.locator("button.enlarge").first.focus()
    page.keyboard.press("Enter")
    dialog = page.locator("dialog.enlarged")
    assert dialog.is_visible() and dialog.locator("img").get_attribute("alt")
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_ito_without_his_accent_finds_the_page_on_his_calculus(visitor):
    page = visitor.open("search.html?q=Ito+calculus")
    page.locator("#search-results li").first.wait_for()
    found = page.locator("#search-results li > a").all_inner_texts()
    assert any("Itô" in title for title in found[:3]), found[:5]

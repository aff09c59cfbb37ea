"""The live explorer in a browser: where it is, how a test sets it, and what it says."""

from pathlib import Path

PAGE = "book/explore.html"
BUNDLE = Path("book/_static/explorer/explorer.js")
#: The live figures of chapters: what pages load, and what they hold before that.
LIVE, TWINS = Path("book/_static/live"), Path("book/_live")
#: Networks of an explorer.
NETWORKS = 4000
FINISHED = "[...document.querySelectorAll('.deep-limits-explorer')].every(e => e.dataset.done === 'yes')"
#: Calls a function of the explorer's worker by its name.
CALL = """async ([name, argument]) => {
  const answer = await window.deepLimits.explorers[0].call(name, argument);
  const plain = value => ArrayBuffer.isView(value) ? Array.from(value) : value;
  return answer.masses ? {...answer, masses: plain(answer.masses)} : plain(answer);
}"""


def go(page, setting):
    """Set the explorer by its address, and wait for its verdict."""
    page.evaluate(
        """hash => location.hash.slice(1) === hash || new Promise(told => {
      addEventListener("hashchange", told, {once: true});
      location.hash = hash;
    }).then(() => true)""",
        setting,
    )
    page.wait_for_function(FINISHED)


def verdicts(page):
    """For the correlation and for the norm."""
    return page.locator(".dlx-verdict").evaluate_all("all => all.map(each => each.classList[1])")

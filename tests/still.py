"""Waiting until a page of the dashboard has come to rest, for as long as it takes and no longer."""

from __future__ import annotations

from playwright.sync_api import Page

_STILL = """(quiet) => new Promise((done) => {
  let timer;
  const all = (what) => [...document.querySelectorAll(what)];
  const drawn = () => document.querySelector('[data-test-script-state=notRunning]')
    && !all('[data-testid=stSpinner], [data-testid=stSkeleton]').length
    && all('[data-testid=stVegaLiteChart]').every((chart) =>
      !chart.checkVisibility() || chart.querySelector('.marks'))
    && document.getAnimations().every((each) => each.playState !== 'running');
  const again = () => { clearTimeout(timer); timer = setTimeout(look, quiet); };
  const watch = new MutationObserver(again);
  const look = () => { if (!drawn()) return again(); watch.disconnect(); done(); };
  watch.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  again();
})"""


def still(page: Page) -> None:
    """Wait until the script has run, every figure is drawn, and nothing has changed for a moment."""
    page.evaluate(_STILL, 200)

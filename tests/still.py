"""Waiting until a page of the dashboard has come to rest, for as long as it takes and no longer."""

from __future__ import annotations

from playwright.sync_api import Page

_STILL = """([quiet, longest]) => new Promise((done, failed) => {
  let timer;
  const all = (what) => [...document.querySelectorAll(what)];
  const moving = () => Object.entries({
    'the script': !document.querySelector('[data-test-script-state=notRunning]'),
    'a spinner': all('[data-testid=stSpinner], [data-testid=stSkeleton]').length,
    'a figure': all('[data-testid=stVegaLiteChart]').some((chart) =>
      chart.checkVisibility() && !chart.querySelector('.marks')),
    'an animation': document.getAnimations().some((each) => each.playState === 'running'),
  }).filter(([, runs]) => runs).map(([what]) => what);
  const again = () => { clearTimeout(timer); timer = setTimeout(look, quiet); };
  const watch = new MutationObserver(again);
  const ended = () => { watch.disconnect(); clearTimeout(timer); clearTimeout(end); };
  const look = () => { if (moving().length) return again(); ended(); done(); };
  const end = setTimeout(() => {
    ended();
    failed(Error(`still moving after ${longest} ms: ${moving().join(', ') || 'the page'}`));
  }, longest);
  watch.observe(document, {subtree: true, childList: true, attributes: true, characterData: true});
  again();
})"""


def still(page: Page) -> None:
    """Wait until the script has run, every figure is drawn, and nothing has changed for a moment."""
    page.evaluate(_STILL, [200, 60_000])

"""Every figure is valid Vega-Lite: they are put together without the checks of Altair."""

from __future__ import annotations

import pytest
from altair.vegalite.v6.schema import core
from jsonschema import ValidationError

from pages.elements import exhibits
from pages.elements.frame import cohort_of
from pages.elements.link import View

VIEWS = (
    ("allmrd", {}),
    ("chiaretti2004", {}),
    ("nguyen2026", {}),
    ("short2025", {"by": "risk_group", "swimmer": "yes"}),
    ("short2025", {"by": "mrd_3_months", "balance": "ATE"}),
)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(("study", "options"), VIEWS)
def test_every_figure_follows_the_schema(study: str, options: dict[str, str]) -> None:
    view = View(study)
    for name, value in options.items():
        view = view.with_option(name, value)
    cohort = cohort_of(view)
    specs = [found.spec for key in exhibits.FIGURES if (found := exhibits.exhibit(key, cohort))]
    drawn = [spec for spec in specs if spec]
    assert drawn
    for spec in drawn:
        core.Root.validate(spec)


def test_a_figure_that_does_not_follow_it_is_found() -> None:
    with pytest.raises(ValidationError):
        core.Root.validate({"data": {"name": "rows"}, "mark": "dote"})

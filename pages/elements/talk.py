"""A talk: saved views in an order, each under a title and one line that says what it shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

MOST_SLIDES = 60
LONGEST_TITLE, LONGEST_MESSAGE = 160, 240
_LONGEST_OTHER = 600
_FORMAT = 1
_TALK = {"format", "title", "slides"}
_SLIDE = {"page", "figure", "query", "title", "message", "snapshot", "seen"}


class TalkFault(ValueError):
    """A file that is no talk; its text names every fault, with place and remedy."""


@dataclass(frozen=True)
class TalkSlide:
    """One slide.

    Attributes
    ----------
    page : str
        A key of frame.PAGES.
    figure : str
        Key of the exhibit that it shows.
    query : mapping of str to tuple of str
        The view, as the address holds it, without the talk itself; with a snapshot only if it is to stay
        with that one.
    title, message : str
    snapshot : str
        Hash of the snapshot on which it was saved.
    seen : str
        Patients and events in words when it was saved and, on a second line, the numbers in a sentence.
    """

    page: str
    figure: str
    query: Mapping[str, tuple[str, ...]]
    title: str
    message: str
    snapshot: str
    seen: str


@dataclass(frozen=True)
class Talk:
    """A talk; every change gives another one."""

    title: str = "Talk"
    slides: tuple[TalkSlide, ...] = ()

    def added(self, slide: TalkSlide) -> Talk:
        """Return the talk with one more slide at its end."""
        return replace(self, slides=(*self.slides, slide))

    def removed(self, number: int) -> Talk:
        """Return the talk without a slide, counted from 0."""
        return replace(self, slides=self.slides[:number] + self.slides[number + 1 :])

    def duplicated(self, number: int) -> Talk:
        """Return the talk with a slide twice."""
        slides = self.slides
        return replace(self, slides=slides[: number + 1] + slides[number:])

    def moved(self, number: int, by: int) -> Talk:
        """Return the talk with a slide some places further; it stays inside."""
        slides = list(self.slides)
        slide = slides.pop(number)
        slides.insert(min(max(number + by, 0), len(slides)), slide)
        return replace(self, slides=tuple(slides))

    def with_slide(self, number: int, slide: TalkSlide) -> Talk:
        """Return the talk with a slide replaced."""
        return replace(self, slides=(*self.slides[:number], slide, *self.slides[number + 1 :]))

    def to_json(self) -> dict[str, Any]:
        """Return the talk as it is kept and downloaded."""
        slides = [
            {**vars(slide), "query": {k: list(v) for k, v in slide.query.items()}}
            for slide in self.slides
        ]
        return {"format": _FORMAT, "title": self.title, "slides": slides}


def from_json(fields: Mapping[str, Any], figures: Mapping[str, str]) -> Talk:
    """Return the talk that JSON holds.

    Parameters
    ----------
    fields : mapping
    figures : mapping of str to str
        The figures that there are, and the page of each.

    Raises
    ------
    TalkFault
        With every fault at once.
    """
    faults = [f"‘{key}’ is not part of a talk. Remove it." for key in sorted(set(fields) - _TALK)]
    if fields.get("format") != _FORMAT:
        faults.append(f"The format is not {_FORMAT}: the file is no talk, or of a later version.")
    faults += _text_faults("the talk", "title", fields.get("title"), LONGEST_TITLE)
    slides = fields.get("slides")
    if not isinstance(slides, list):
        faults.append("The slides are missing. Save the talk again.")
        slides = []
    if len(slides) > MOST_SLIDES:
        faults.append(f"{len(slides)} slides are more than {MOST_SLIDES}. Split the talk.")
    for number, slide in enumerate(slides[:MOST_SLIDES], start=1):
        faults += _slide_faults(f"slide {number}", slide, figures)
    if faults:
        raise TalkFault("\n".join(faults))
    return Talk(
        fields["title"],
        tuple(
            TalkSlide(**{**slide, "query": {k: tuple(v) for k, v in slide["query"].items()}})
            for slide in slides
        ),
    )


def parsed(content: bytes, figures: Mapping[str, str]) -> Talk:
    """Return the talk in a file, as `from_json` does.

    Raises
    ------
    TalkFault
        Also if the file is no JSON.
    """
    try:
        fields = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise TalkFault("This file is no talk: choose one that was saved here.") from error
    if not isinstance(fields, dict):
        raise TalkFault("This file is no talk: choose one that was saved here.")
    return from_json(fields, figures)


def _slide_faults(where: str, slide: object, figures: Mapping[str, str]) -> list[str]:
    if not isinstance(slide, dict) or set(slide) != _SLIDE:
        names = ", ".join(sorted(_SLIDE))
        return [f"{where}: it needs exactly {names}. Save the talk again."]
    faults: list[str] = []
    for name, most in (("title", LONGEST_TITLE), ("message", LONGEST_MESSAGE)):
        faults += _text_faults(where, name, slide[name], most)
    for name in ("page", "figure", "snapshot", "seen"):
        faults += _text_faults(where, name, slide[name], _LONGEST_OTHER)
    if isinstance(slide["figure"], str) and figures.get(slide["figure"]) != slide["page"]:
        faults.append(f"{where}: there is no such figure on that page. Add it again.")
    if not _is_query(slide["query"]):
        faults.append(f"{where}: the view cannot be read. Add the slide again.")
    return faults


def _text_faults(where: str, name: str, value: object, most: int) -> list[str]:
    if not isinstance(value, str):
        return [f"{where}: the {name} is missing. Save the talk again."]
    if len(value) > most:
        return [f"{where}: the {name} has more than {most} characters. Shorten it."]
    return []


def _is_query(query: object) -> bool:
    if not isinstance(query, dict) or len(query) > 100 or "study" not in query:
        return False
    values: Sequence[object] = list(query.values())
    return all(
        isinstance(texts, list) and all(isinstance(t, str) and len(t) <= 4000 for t in texts)
        for texts in values
    )

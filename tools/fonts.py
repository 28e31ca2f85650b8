"""The fonts of exported figures, made from those of the screen: ``python -m tools.fonts``.

The screen uses a variable Source Sans in WOFF2, which Streamlit brings. What draws the figures needs one
plain file per weight, and an SVG carries a small one. These are modified versions in the sense of the SIL
Open Font License and must not carry its reserved name 'Source'.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pyarrow
import streamlit

from pages.elements.exports.texts import FONT, WEIGHTS, font_file

RANGES = (
    (0x20, 0x24F), (0x2B0, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x1E00, 0x1EFF), (0x2000, 0x206F),
    (0x2070, 0x209F), (0x20A0, 0x20BF), (0x2100, 0x218F), (0x2190, 0x21FF), (0x2200, 0x22FF),
    (0x25A0, 0x25FF), (0x2700, 0x27BF),
)  # fmt: skip
"""Code points kept: Latin, Greek and Cyrillic, punctuation, arrows, mathematics and marks."""


def main() -> None:
    """Write one file per weight."""
    # fontTools reads WOFF2 with a package that is not needed for anything else here.
    sys.modules["brotli"] = SimpleNamespace(  # type: ignore[assignment]
        compress=lambda content, mode: pyarrow.compress(content, "brotli", asbytes=True),
        decompress=_decompress,
        MODE_FONT=None,
    )
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont
    from fontTools.varLib.instancer import instantiateVariableFont

    media = Path(streamlit.__file__).parent / "static" / "static" / "media"
    (source,) = media.glob("SourceSansVF-Upright*.woff2")
    options = Options(
        layout_features=["kern", "mark", "mkmk", "ccmp", "locl"],
        name_IDs=list(range(15)),
        hinting=False,
    )
    for weight, style in WEIGHTS.items():
        # The date of change would make each run another file.
        font = instantiateVariableFont(TTFont(source, recalcTimestamp=False), {"wght": weight})
        subsetter = Subsetter(options)
        subsetter.populate(
            unicodes=[code for first, last in RANGES for code in range(first, last + 1)]
        )
        subsetter.subset(font)
        _rename(font, weight, style)
        for font.flavor, ending in ((None, "ttf"), ("woff2", "woff2")):
            font.save(font_file(weight, ending))


def _decompress(content: bytes) -> bytes:
    with pyarrow.input_stream(pyarrow.BufferReader(content), compression="brotli") as stream:
        return bytes(stream.read())


def _rename(font: object, weight: int, style: str) -> None:
    names, family = font["name"], FONT if weight == 400 else f"{FONT} {style}"  # type: ignore[index]
    postscript = f"{FONT.replace(' ', '')}-{style}"
    new = {1: family, 2: "Regular", 3: postscript, 4: f"{FONT} {style}", 6: postscript}
    names.names = [record for record in names.names if record.nameID in (0, 5, 9, 11, 13, 14)]
    for number, text in (new | {16: FONT, 17: style}).items():
        names.setName(text, number, 3, 1, 0x409)
    font["OS/2"].usWeightClass = weight  # type: ignore[index]


if __name__ == "__main__":
    main()

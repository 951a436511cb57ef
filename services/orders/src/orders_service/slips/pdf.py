"""A slip as PDF: typeset by Typst with fonts for the scripts of the world's living languages, symbols and emoji.

Why these: docs/adr/0005."""

import re
import unicodedata
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import fontpkg_ibm_plex_sans_arabic
import manimgx_fonts
import msgspec
import noto_cjk_sans_jp_regular
import typst

from common.errors import Conflict
from orders_service.slips.languages import Language
from orders_service.slips.slip import Slip, is_right_to_left

# The first that has a character sets it. Plex before Noto for Arabic: text copied from Noto's comes out torn.
_SCRIPTS = (
    *(
        "Armenian",
        "Bengali",
        "Devanagari",
        "Ethiopic",
        "Georgian",
        "Gujarati",
        "Gurmukhi",
        "Hebrew",
        "Kannada",
        "Khmer",
    ),
    *("Lao", "Malayalam", "Myanmar", "Oriya", "Sinhala", "Tamil", "Telugu", "Thai"),
)
_FAMILIES = (
    *("Noto Sans", "IBM Plex Sans Arabic", "Noto Sans CJK JP"),
    *(f"Noto Sans {script}" for script in _SCRIPTS),
    *("Noto Sans Symbols", "Noto Emoji"),
)
_PACKAGES = (manimgx_fonts, fontpkg_ibm_plex_sans_arabic, noto_cjk_sans_jp_regular)
# The longest run without a space that fits every column; longer ones may break where Typst would not.
_RUN = re.compile(r"\S{25,}")
_UNSEEN_BREAK = "\u200b"


# Unseen characters that no font needs to have: formats and variation selectors. The joiners shape what is beside them.
_UNSEEN = re.compile(r"[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_JOINERS = "\u200c\u200d"
_KEY_CAP = "\u20e3"


class Unprintable(Conflict):
    slug, title = "slip-unprintable", "The slip has a character that none of our PDF fonts has"
    fix = "Ask for the slip as HTML: the browser that prints it has fonts for them"


@cache
def _fonts() -> typst.Fonts:
    """Only our own fonts, so that a slip looks the same on every machine."""
    folders = [str(Path(str(package.__file__)).parent) for package in _PACKAGES]
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)


@cache
def _layout() -> bytes:
    return files("orders_service.slips").joinpath("slip.typ").read_bytes()


def render(slip: Slip, language: Language) -> bytes:
    """The PDF, byte for byte the same for the same slip; every letter on it can be read and copied.

    Takes tens of milliseconds without the interpreter's lock: call it in a thread. Raises `Unprintable`.
    """
    document = msgspec.json.encode(_document(slip, language)).decode()
    for text in (document, "".join(map(_seen, document))):
        if made := _compiled(text):
            return made
    raise Unprintable


def _compiled(document: str) -> bytes | None:
    """The PDF; None when a character has no glyph. Typst's own message is left out: it quotes the buyer's data."""
    compiler = typst.Compiler(_layout(), font_paths=_fonts())
    try:
        # PDF/A-2u: text that cannot be displayed, or read back as Unicode, is an error instead of a blank.
        made = compiler.compile(format="pdf", sys_inputs={"slip": document}, pdf_standards=["a-2u"], timestamp=0)
    except typst.TypstError:
        return None
    assert isinstance(made, bytes)
    return made


def _seen(character: str) -> str:
    """The character, unless nobody sees it: then it is left out where a font lacks it."""
    if character in _JOINERS:
        return character
    return "" if unicodedata.category(character) == "Cf" or _UNSEEN.match(character) else character


def _document(slip: Slip, language: Language) -> dict[str, Any]:
    """What `slip.typ` reads."""
    return {
        "lang": language.code,
        "region": language.territory or None,
        "rtl": language.is_right_to_left,
        "paper": language.paper,
        "fonts": _FAMILIES,
        "labels": asdict(language.words),
        "order_id": slip.amazon_order_id,
        "order_date": slip.order_date,
        "seller": _said(slip.seller),
        "return_address": [_said(line) for line in slip.return_address],
        "ship_to": [_said(line) for line in slip.ship_to],
        "items": [
            {
                "quantity": item.quantity,
                "sku": item.sku,
                "title": _said(item.title),
                "gift_message": [_said(line) for line in item.gift_message.split("\n")] if item.gift_message else None,
            }
            for item in slip.items
        ],
    }


def _said(text: str) -> dict[str, Any]:
    """Text with its own direction, whatever the slip's is. A key cap is set as its digit: the cap stands beside it."""
    return {"text": _RUN.sub(_breakable, text.replace(_KEY_CAP, "")), "rtl": is_right_to_left(text)}


def _breakable(run: re.Match[str]) -> str:
    """An unseen place to break after every 24 characters, never before a mark that belongs to the letter before it."""
    text, parts = run.group(), [""]
    for character in text:
        if len(parts[-1]) >= 24 and not unicodedata.category(character).startswith("M"):
            parts.append("")
        parts[-1] += character
    return _UNSEEN_BREAK.join(parts)

"""A slip as one HTML page that prints as it looks: everything escaped, nothing loaded from elsewhere."""

from functools import cache
from importlib.resources import files

from jinja2 import Environment, StrictUndefined, Template

from orders_service.slips.languages import Language
from orders_service.slips.slip import Slip


@cache
def _page() -> Template:
    source = files("orders_service.slips").joinpath("slip.html").read_text()
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)


def render(slip: Slip, language: Language) -> str:
    """The page."""
    return _page().render(slip=slip, language=language, words=language.words)

"""The look of the pages that stand in for Seller Central."""

from html import escape

from starlette.responses import HTMLResponse

# FACTS 2.1 step 5: the query strings of these pages must not leak to other sites.
PAGE_HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} - local Amazon</title>
<style>
body {{ font: 16px/1.5 system-ui, sans-serif; background: #f3f3f3; color: #0f1111; margin: 0; }}
main {{ max-width: 34rem; margin: 3rem auto; padding: 1.5rem 2rem; background: #fff; border: 1px solid #d5d9d9;
  border-radius: .5rem; }}
h1 {{ font-size: 1.3rem; margin-top: 0; }}
label {{ display: block; padding: .4rem 0; }}
code, small {{ color: #565959; }}
button {{ font: inherit; padding: .5rem 1.5rem; border: 1px solid #fcd200; border-radius: 1rem; background: #ffd814;
  cursor: pointer; }}
</style>
</head>
<body><main>{body}</main></body>
</html>
"""


def page(title: str, body: str, status: int = 200) -> HTMLResponse:
    """`title` is text, `body` is HTML whose parts are escaped already."""
    return HTMLResponse(_PAGE.format(title=escape(title), body=body), status, headers=PAGE_HEADERS)


def hidden_fields(values: dict[str, str]) -> str:
    return "\n".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in values.items())

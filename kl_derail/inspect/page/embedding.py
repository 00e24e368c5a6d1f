"""Data and programs inside one HTML file, from which neither can break out."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import Any

_ESCAPES = str.maketrans({each: f"\\u{ord(each):04x}" for each in "<>&"})


def embedded_json(value: Any) -> str:
    r"""JSON in ASCII in which no character means anything to HTML: it can end no script element.

    Raises:
        ValueError: for NaN and infinities, which JSON has no word for.

    >>> print(embedded_json("</script>\u2028"))
    "\u003c/script\u003e\u2028"
    """
    return json.dumps(value, allow_nan=False, separators=(",", ":")).translate(_ESCAPES)


def content_policy(script: str, style: str) -> str:
    """The Content-Security-Policy: this script and this style sheet, and nothing else whatever.

    No request can leave, no attribute can run or style, and turning text into HTML raises an error.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {_digest(script)}",
            f"style-src {_digest(style)}",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _digest(source: str) -> str:
    return f"'sha256-{b64encode(hashlib.sha256(source.encode()).digest()).decode('ascii')}'"

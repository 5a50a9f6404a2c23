"""What must not be read in a log: passwords in URLs, keys, tokens, signatures."""

from __future__ import annotations

import re

_MASK = "***"
_SECRETS = (
    (re.compile(r"(://[^\s/:@\"']*):[^\s/@\"']+@"), rf"\1:{_MASK}@"),
    (re.compile(r"\b(cl_[0-9a-f]{8})_[A-Za-z0-9_-]{43}"), rf"\1_{_MASK}"),
    (
        re.compile(r"(?i)\b(bearer|authorization[\"'\\:=\s]+basic)\s+[\w.~+/=*-]{8,}"),
        rf"\1 {_MASK}",
    ),
    (
        re.compile(
            r"(?i)((?:password|passwd|secret|token|authorization|api[_-]?key|signature|credential)"
            r"[\w-]*\\?[\"']?\s*[=:]\s*\\?[\"']?)"
            r"(?!\*\*\*|bearer |basic |[\d.]+[,}\s]|true|false|null|[\[{])"
            r"[^\s\"'\\,;&)}\]]+"
        ),
        rf"\1{_MASK}",
    ),
)


def masked(text: str) -> str:
    """Return text with secrets made unreadable; everything else stays as it is."""
    for pattern, mask in _SECRETS:
        text = pattern.sub(mask, text)
    return text

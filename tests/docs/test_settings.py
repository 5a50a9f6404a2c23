"""docs/settings.md says what settings.py says."""

from __future__ import annotations

from pathlib import Path

from crosslens.settings import Settings

DOC = Path(__file__).parents[2] / "docs" / "settings.md"


def rows() -> list[str]:
    found = []
    for name, field in Settings.model_fields.items():
        default = (
            "" if field.is_required() else _shown(field.get_default(call_default_factory=True))
        )
        found.append(f"| `{name}` | {default} | {field.description} |")
    return found


def _shown(value: object) -> str:
    if value in (None, "", {}) or value == frozenset() or value == ():
        return ""
    return (
        f"`{value:_}`" if isinstance(value, int) and not isinstance(value, bool) else f"`{value}`"
    )


def test_every_setting_is_documented_as_the_code_has_it() -> None:
    written = [line for line in DOC.read_text("utf-8").splitlines() if line.startswith("| `")]
    assert written == rows(), "python tests/docs/test_settings.py writes it anew"


if __name__ == "__main__":
    HEAD = """# Settings

A setting comes from the command line, else from the environment (`CROSSLENS_` and its name in
capitals), else from `crosslens.toml` in the home, else from the default here.

| setting | default | what it is |
|---|---|---|
"""
    DOC.write_text(HEAD + "\n".join(rows()) + "\n", "utf-8")

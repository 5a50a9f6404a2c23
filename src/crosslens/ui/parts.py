"""The parts of the page that are its own: HTML made by small scripts that lie in `assets`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

ASSETS = Path(__file__).with_name("assets")
Triggers = Mapping[str, Any]


def show(
    name: str, data: Mapping[str, Any], *, triggers: tuple[str, ...] = (), key: str | None = None
) -> Any:
    """
    Show a part; `.NAME` of what is returned is what a trigger of that name carried just now.

    Args:
        name: of its files in `assets`.
        data: what it shows; must fit into JSON.
        triggers: what it may tell.
    """
    told: dict[str, Callable[[], None]] = {f"on_{each}_change": _nothing for each in triggers}
    return _mount(name)(data=dict(data), key=key or name, **told)


@cache
def _mount(name: str) -> Any:
    scripts = [ASSETS / "dom.js", ASSETS / "charts.js", ASSETS / f"{name}.js"]
    styles = [ASSETS / "base.css", ASSETS / "charts.css", ASSETS / f"{name}.css"]
    return st.components.v2.component(
        f"crosslens_{name}",
        html=f'<div class="part {name}"></div>',
        css="\n".join(file.read_text("utf-8") for file in styles),
        js="\n".join(file.read_text("utf-8") for file in scripts),
    )


def _nothing() -> None:
    return None

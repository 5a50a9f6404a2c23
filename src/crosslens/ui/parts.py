"""The parts of the page that are its own: HTML made by small scripts that lie in `assets`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import streamlit as st

ASSETS = Path(__file__).with_name("assets")


def show(
    name: str,
    data: Mapping[str, Any],
    *,
    triggers: tuple[str, ...] = (),
    before: Mapping[str, Callable[[Any], None]] | None = None,
) -> Any:
    """
    Show a part; `.NAME` of what is returned is what a trigger of that name carried just now.

    Args:
        name: of its files in `assets`.
        data: what it shows; must fit into JSON.
        triggers: what it may tell.
        before: trigger → what to do with what it carries before the page is drawn anew.
    """
    told: dict[str, Callable[[], None]] = {f"on_{each}_change": _nothing for each in triggers}
    for each, act in (before or {}).items():
        told[f"on_{each}_change"] = partial(_told, name, each, act)
    return _mount(name)(data=dict(data), key=name, **told)


def turn_to(changes: Mapping[str, Any]) -> None:
    """Change the query of the address; what is empty is taken out of it."""
    for name, value in changes.items():
        if value:
            st.query_params[name] = str(value)
        else:
            st.query_params.pop(name, None)


def _told(name: str, trigger: str, act: Callable[[Any], None]) -> None:
    value = st.session_state[name].get(trigger)
    if value is not None:
        act(value)


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

"""`crosslens doctor`: is everything in order? One line each."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import typer

from crosslens.cli.screen import Json, opened, print_json
from crosslens.encode.choices import by_bundle
from crosslens.errors import Unavailable

if TYPE_CHECKING:
    from crosslens.indexing.checkup import Finding
    from crosslens.wiring import App


def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check catalogue, pictures, bundles, index and changes; exit 0 only if all is well."""
    with opened(context) as app:
        findings = _findings(app)
        if as_json:
            checks = [{"name": f.name, "ok": f.ok, "detail": f.detail} for f in findings]
            print_json({"ok": all(f.ok for f in findings), "checks": checks})
        else:
            for finding in findings:
                _print(finding)
        if not all(finding.ok for finding in findings):
            raise typer.Exit(1)


def _findings(app: App) -> list[Finding]:
    from crosslens.indexing import checkup

    def settings() -> Finding:
        return checkup.Finding("home", True, str(app.settings.home))

    def elsewhere(name: str, probe: Callable[[], dict[str, Any]]) -> Finding:
        told = (part for pair in probe().items() for part in _worded(*pair))
        return checkup.Finding(name, True, ", ".join(told))

    def bundle(name: str) -> Finding:
        report = app.bundle(name).check()
        return checkup.Finding(name, report.passed, str(report), "install the bundle again")

    def replaced() -> checkup.Finding:
        pairs = ((app.named[purpose], name) for purpose, name in app.chosen.items())
        told = sorted(f"{new} in place of {old}" for old, new in pairs if new != old)
        detail = "as the settings say" if not told else f"{', '.join(told)}, since a switch"
        return checkup.Finding("bundles", True, detail)

    checks: dict[str, Callable[[], Finding]] = {
        "home": settings,
        "catalogue": lambda: checkup.check_catalog(app.catalog),
        "pictures": lambda: checkup.check_media(app.catalog, app.media),
        **{name: partial(elsewhere, name, probe) for name, probe in app.probes().items()},
        "bundles": replaced,
        **{name: partial(bundle, name) for name in _used(app)},
        "changes": lambda: checkup.check_outbox(app.catalog),
        "index": lambda: checkup.check_index(app.catalog, app.index_store),
    }
    return [checkup.examine(name, check) for name, check in checks.items()]


def _worded(name: str, value: object) -> list[str]:
    """Put what a part told into words; numbers say what they count."""
    if isinstance(value, list):
        return [str(one) for one in value]
    return [f"{value} {name.replace('_', ' ')}" if isinstance(value, int | float) else str(value)]


def _used(app: App) -> list[str]:
    """Return the bundles in use; those that the settings name where the catalogue is away."""
    try:
        return list(app.purposes())
    except Unavailable:
        return list(by_bundle(app.named))


def _print(finding: Finding) -> None:
    print(f"{'ok ' if finding.ok else 'BAD'}  {finding.name:<16} {finding.detail}")
    if finding.hint and not finding.ok:
        print(f"     {'':<16} hint: {finding.hint}")

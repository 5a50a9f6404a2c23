"""Settings → App: the only package that names concrete adapters."""

from crosslens.wiring.app import App, build
from crosslens.wiring.searching import RANKERS, RELEVANCE, SHIPPED_SETS

__all__ = ["RANKERS", "RELEVANCE", "SHIPPED_SETS", "App", "build"]

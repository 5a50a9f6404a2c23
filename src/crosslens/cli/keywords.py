"""`crosslens index train-keywords`: which words of the catalogue are common, and which are rare."""

from __future__ import annotations

import typer

from crosslens.cli.screen import Json, opened, print_json


def train_keywords(context: typer.Context, as_json: Json = False) -> None:
    """Count words for an index in DashVector, which weighs keywords by a file of the home."""
    with opened(context) as app:
        path, trained = app.train_keywords()
        answer = {
            "file": str(path),
            "products": trained.documents,
            "terms": len(trained.frequency),
            "mean_length": round(trained.mean_length, 2),
        }
        if as_json:
            print_json(answer)
        else:
            print(f"{trained.documents} products, {len(trained.frequency)} terms: {path}")

"""The OpenAPI document: complete, true, and no request that fits it or breaks it breaks us."""

from __future__ import annotations

from typing import Any

from crosslens.api.openapi import SEARCHES
from crosslens.values import Kind
from service import Served

SECONDS = 40
LONGEST = 5_000


def test_there_is_an_example_of_every_kind_of_search(shop: Served) -> None:
    content = shop.http.get("/openapi.json").json()["paths"]["/search"]["post"]["requestBody"]
    examples = content["content"]["application/json"]["examples"].values()
    kinds = {example["value"].get("kind") for example in examples}
    assert kinds >= {kind.value for kind in Kind}
    assert len(examples) == len(SEARCHES)


def test_every_reference_of_the_document_leads_somewhere(shop: Served) -> None:
    told = shop.http.get("/openapi.json").json()

    def look(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(reference := value.get("$ref"), str):
                at: Any = told
                for part in reference.removeprefix("#/").split("/"):
                    at = at[part]
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)

    look(told)


def test_every_path_says_which_problems_it_answers_with(shop: Served) -> None:
    for path, operations in shop.http.get("/openapi.json").json()["paths"].items():
        for method, operation in operations.items():
            if path in ("/health", "/ready"):
                continue
            assert {"401", "403", "429", "503"} <= set(operation["responses"]), (method, path)
            assert operation["security"] == [{"key": []}]

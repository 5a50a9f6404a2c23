"""The OpenAPI document: complete, true, and no request that fits it or breaks it breaks us."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings

from crosslens.api.keys import KeyFile, Role
from crosslens.api.openapi import SEARCHES
from crosslens.values import Kind
from fakes import jpeg
from house import House
from service import Served, application, base64_of, listening

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


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_nothing_that_fits_or_breaks_the_document_breaks_the_service(tmp_path: Path) -> None:
    """As many generated requests as fit into the time, over every operation in turn."""
    schemathesis = pytest.importorskip("schemathesis")
    who = {"Authorization": f"Bearer {KeyFile(tmp_path / 'keys.json').new(Role.WRITE)[1]}"}
    with warnings.catch_warnings(), listening(application(tmp_path, None, House())) as url:
        warnings.simplefilter("ignore")
        body = {"title": "red shoe", "pictures": [base64_of(jpeg())]}
        for _ in range(20):
            assert httpx.post(f"{url}/product", json=body, headers=who).status_code == 201
        schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
        answers = _generated(schema, who)
    print(f"{len(answers)} requests, statuses {dict(Counter(answers))}")
    assert len(answers) > 300
    assert max(answers) < 500
    assert {200, 201, 404, 422} <= set(answers)
    assert answers.count(401) < len(answers) / 4, "most must get past the door"


def _generated(schema: Any, who: dict[str, str]) -> list[int]:
    from schemathesis import GenerationMode

    operations = [result.ok() for result in schema.get_all_operations()]
    answers: list[int] = []
    due = time.monotonic() + SECONDS
    for place, operation in enumerate(operations):
        until = time.monotonic() + (due - time.monotonic()) / (len(operations) - place)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            try:
                _ask(operation.as_strategy(generation_mode=mode), until, answers, who)
            except Exception as exc:
                if type(exc).__name__ not in ("Unsatisfiable", "SkipTest"):
                    raise
    return answers


def _ask(cases: Any, until: float, answers: list[int], who: dict[str, str]) -> None:
    @given(case=cases)
    @settings(
        max_examples=120,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def ask(case: Any) -> None:
        if time.monotonic() < until:
            answers.append(_answer(case, who))

    ask()


def _answer(case: Any, who: dict[str, str]) -> int:
    try:
        response = case.call(timeout=30, headers=who)
    except requests.ConnectionError:
        if len(str(case.query)) > LONGEST:  # more than any server takes as an address
            return 400
        raise
    assert response.status_code < 500, (case.as_curl_command()[:2_000], response.text)
    return int(response.status_code)

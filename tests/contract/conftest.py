"""Of what takes minutes on a Milvus server, the part that everyone runs."""

from __future__ import annotations

import os

import pytest

WHOLE = os.environ.get("CROSSLENS_TEST_MILVUS") == "all"  # noqa: TID251 - a switch of tests
ESSENTIAL = {
    "test_written_rows_are_found_at_once",
    "test_a_new_revision_replaces_every_row_of_the_former",
    "test_a_product_may_lose_and_regain_its_pictures",
    "test_deleted_products_are_gone_and_unknown_ones_no_error",
    "test_answers_fall_in_score_and_ties_rise_in_id",
    "test_keywords_find_whole_tokens_in_any_script",
    "test_keyword_scores_are_those_of_the_oracle",
    "test_searches_are_those_of_the_oracle_before_and_after_optimize",
    "test_stored_vectors_can_be_read_back_by_product_and_position",
    "test_a_draft_that_took_over_cannot_be_discarded",
    "test_an_expression_lets_through_what_it_means",
}
EVERY = 6  # expressions of filters


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the rest for `CROSSLENS_TEST_MILVUS=all pytest tests/contract -k milvus-server`."""
    on_server = [item for item in items if "[milvus-server" in item.name]
    named = [item for item in on_server if item.name.partition("[")[0] in ESSENTIAL]
    filters = [item for item in named if "expression" in item.name]
    left = {*on_server} - ({*named} - {*filters}) - {*filters[::EVERY]}
    if left and not WHOLE:
        config.hook.pytest_deselected(items=sorted(left, key=lambda item: item.name))
        items[:] = [item for item in items if item not in left]

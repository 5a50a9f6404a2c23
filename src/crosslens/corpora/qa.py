"""Question–answer corpora: {qid, category, title, desc, answer} become products."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_question(row: Mapping[str, Any]) -> bool:
    """Say whether a row is a question with its answer."""
    return "answer" in row and ("qid" in row or "question" in row)


def as_product(row: Mapping[str, Any]) -> dict[str, Any]:
    """
    Understand a question: its title is the question, its description the answer.

    The question is the first of `question` and `title` that holds something, on one line;
    `category` is split at "-" into a list; everything else is kept.

    Raises:
        ValueError: the question or the answer is empty.
    """
    question = _one_line(row.get("question")) or _one_line(row.get("title"))
    answer = row.get("answer")
    if not question or not isinstance(answer, str) or not answer.strip():
        raise ValueError(f"{'answer' if question else 'question'} is empty")
    product = {name: value for name, value in row.items() if name not in {"question", "answer"}}
    if "qid" in product:
        product["id"] = product.pop("qid")
    category = row.get("category")
    if isinstance(category, str):
        product["category"] = [part.strip() for part in category.split("-") if part.strip()]
    return product | {"title": question, "description": answer}


def _one_line(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from crosslens.train.losses import (
    BELONGS,
    DIFFERS,
    both_ways,
    contrast,
    misnamed,
    name_attributes,
    same_meaning,
    same_product,
)  # fmt: skip

pytestmark = pytest.mark.train


def slow_contrast(scores: torch.Tensor, relation: torch.Tensor) -> float:
    rows = []
    for score, row in zip(scores.tolist(), relation.tolist(), strict=True):
        negatives = [torch.tensor(s).exp() for s, r in zip(score, row, strict=True) if r == -1]
        positives = [torch.tensor(s).exp() for s, r in zip(score, row, strict=True) if r == 1]
        each = [-torch.log(p / (p + sum(negatives))) for p in positives]
        if each:
            rows.append(float(sum(each) / len(each)))
    return sum(rows) / len(rows) if rows else 0.0


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_contrast_agrees_with_the_definition_written_out(rows: int, columns: int, seed: int):
    generator = torch.Generator().manual_seed(seed)
    scores = torch.randn(rows, columns, generator=generator) * 3
    relation = torch.randint(-1, 2, (rows, columns), generator=generator)
    assert float(contrast(scores, relation)) == pytest.approx(
        slow_contrast(scores, relation), abs=1e-4
    )


def test_contrast_ignores_the_scores_of_ignored_pairs():
    relation = torch.tensor([[BELONGS, 0, DIFFERS]])
    low, high = torch.tensor([[1.0, -9.0, 0.0]]), torch.tensor([[1.0, 9.0, 0.0]])
    assert contrast(low, relation) == contrast(high, relation)


def test_positives_do_not_compete_with_each_other():
    relation = torch.tensor([[BELONGS, BELONGS, DIFFERS]])
    alone = contrast(torch.tensor([[5.0, 5.0, 0.0]]), relation)
    assert float(alone) == pytest.approx(math.log1p(math.exp(-5.0)))


def test_a_batch_without_negatives_or_positives_costs_nothing_and_has_a_gradient():
    for kind in (BELONGS, DIFFERS):
        scores = torch.zeros(3, 3, requires_grad=True)
        loss = both_ways(scores, torch.full((3, 3), kind))
        loss.backward()
        assert loss.item() == 0.0
        assert torch.isfinite(scores.grad).all()


def test_two_pictures_of_a_product_are_told_from_those_of_its_twins():
    vectors = torch.nn.functional.normalize(torch.eye(4), dim=1)
    shuffled = vectors[[1, 0, 3, 2]]
    assert same_product(vectors, vectors) < same_product(vectors, shuffled)


def test_paraphrases_are_drawn_to_one_point():
    vectors, relation = torch.eye(3), 2 * torch.eye(3, dtype=torch.long) - 1
    scale = torch.tensor(10.0)
    same = same_meaning(vectors, vectors, relation, scale=scale)
    assert same < same_meaning(vectors, vectors[[1, 2, 0]], relation, scale=scale)
    assert float(same) < 0.01


def test_unknown_attributes_count_nothing():
    guesses = {"colour": torch.zeros(3, 4), "form": torch.zeros(3, 2)}
    codes = torch.tensor([[0, -1], [1, -1], [-1, -1]])
    assert float(name_attributes(guesses, codes)) == pytest.approx(math.log(4))


def test_a_source_without_attributes_has_no_attribute_loss():
    assert float(name_attributes({}, torch.zeros(3, 0, dtype=torch.long))) == 0.0


def test_the_share_that_is_misnamed_counts_known_attributes_only():
    guesses = {"colour": torch.tensor([[2.0, 1], [0, 1]]), "kind": torch.tensor([[1.0, 0], [0, 1]])}
    assert misnamed(guesses, torch.tensor([[0, -1], [0, -1]])) == 0.5
    assert misnamed(guesses, torch.tensor([[0, 0], [-1, 0]])) == pytest.approx(1 / 3)

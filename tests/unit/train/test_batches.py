import threading
from pathlib import Path

import numpy as np
import pytest
import torch

from crosslens.train.batches import BatchMaker, ahead, vocabulary_texts
from crosslens.train.tokens import train_tokenizer
from unit.train.shops import tiny_config, toy_source

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def maker(tmp_path_factory: pytest.TempPathFactory) -> BatchMaker:
    folder: Path = tmp_path_factory.mktemp("toys")
    source = toy_source(folder / "cache")
    texts = vocabulary_texts(source, seed=1, count=200)
    tokenizer = train_tokenizer(texts, vocabulary=7500, max_tokens=12)
    return BatchMaker(source, tokenizer, tiny_config(folder / "run"))


def equal(first, second) -> bool:
    return all(torch.equal(getattr(first, n), getattr(second, n)) for n in first.__slots__)


def test_a_step_always_sees_the_same_batch(maker: BatchMaker):
    assert equal(maker.make(7), maker.make(7))
    assert not equal(maker.make(7), maker.make(8))


def test_a_batch_has_two_pictures_and_a_phrase_in_each_language_per_product(maker: BatchMaker):
    batch = maker.make(0)
    assert batch.pictures.shape == (24, 3, 64, 64)
    assert batch.relation.shape == (24, 12)
    assert batch.ids.shape == batch.mask.shape == (24 + len(batch.paraphrased), batch.ids.shape[1])
    assert batch.codes.shape == (12, 2)
    for place in range(12):
        assert batch.relation[2 * place : 2 * place + 2, place].tolist() == [1, 1]


def test_some_phrases_are_repeated_in_other_words_that_mean_the_same(maker: BatchMaker):
    batch = maker.make(0)
    assert 0 < len(batch.paraphrased) < 24
    assert batch.meaning.diagonal().tolist() == [1] * len(batch.paraphrased)


def test_hard_batches_hold_products_of_one_kind_that_agree_in_more(maker: BatchMaker):
    shelf = maker.source.shelf
    row = int(shelf.training[0])
    near = maker._near(row, np.random.default_rng(0))
    assert near[0] == row
    assert len(set(near.tolist())) == len(near) == 4
    assert set(shelf.kinds[near]) == {shelf.kinds[row]}
    assert (shelf.codes[near[1]] == shelf.codes[row]).all()


def test_batches_made_ahead_come_in_order(maker: BatchMaker):
    found = list(ahead(maker, 3, 6))
    assert [equal(batch, maker.make(step)) for step, batch in enumerate(found, 3)] == [True] * 3


def test_leaving_early_ends_the_thread(maker: BatchMaker):
    before = threading.active_count()
    batches = ahead(maker, 0, 1000)
    next(batches)
    batches.close()
    assert threading.active_count() == before


def test_an_error_in_the_thread_reaches_the_loop(maker: BatchMaker):
    class Broken(BatchMaker):
        def make(self, step: int):
            raise OSError("the disk is gone")

    broken = Broken(maker.source, maker.tokenizer, maker.config)
    with pytest.raises(OSError, match="the disk is gone"):
        next(ahead(broken, 0, 5))


def test_held_out_products_are_never_in_a_batch(maker: BatchMaker):
    shelf = maker.source.shelf
    held = {tuple(codes) for codes in shelf.codes[shelf.validation].tolist()}
    for step in range(20):
        assert not held & {tuple(codes) for codes in maker.make(step).codes.tolist()}

import numpy as np
import pytest

from crosslens.train.validate import recall

pytestmark = pytest.mark.train


def test_recall_counts_questions_whose_right_answer_is_first_or_among_ten():
    scores = np.array([[9, 1, 2], [1, 9, 2], [1, 9, 2]], np.float32)
    right = np.eye(3, dtype=bool)
    found = recall(scores, right)
    assert found.at_1 == pytest.approx(2 / 3)
    assert found.at_10 == 1.0


def test_any_right_answer_will_do_and_ties_count_against_us():
    right = np.array([[True, True, False]])
    assert recall(np.array([[1, 5, 4]], np.float32), right).at_1 == 1.0
    assert recall(np.array([[1, 5, 5]], np.float32), right).at_1 == 0.0


def test_questions_without_an_answer_are_left_out():
    right = np.array([[False, False], [True, False]])
    assert recall(np.array([[1, 2], [2, 1]], np.float32), right).at_1 == 1.0
    assert recall(np.zeros((1, 2), np.float32), np.zeros((1, 2), bool)).at_1 == 0.0

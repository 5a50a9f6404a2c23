import os
import signal
import threading
from pathlib import Path

import pytest

from crosslens.train.config import TrainConfig
from crosslens.train.loop import learning_rate, until_interrupted

pytestmark = pytest.mark.train


def test_the_learning_rate_rises_then_falls_to_zero():
    config = TrainConfig(folder=Path("run"), steps=1000, warm_up=100, learning_rate=0.01)
    rates = [learning_rate(config, step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.0001)
    assert max(rates) == rates[99] == pytest.approx(0.01)
    assert rates[99:] == sorted(rates[99:], reverse=True)
    assert 0 <= rates[-1] < 1e-6


def test_a_short_run_warms_up_for_a_tenth_of_it_only():
    config = TrainConfig(folder=Path("run"), steps=20, warm_up=200, learning_rate=0.01)
    assert learning_rate(config, 2) == pytest.approx(0.01)
    assert learning_rate(TrainConfig(folder=Path("run"), steps=1, learning_rate=0.01), 0) == 0.01


def press(flag: threading.Event, times: int) -> None:
    for _ in range(times):
        os.kill(os.getpid(), signal.SIGINT)
        assert flag.is_set()


def test_the_first_ctrl_c_raises_a_flag_and_the_second_interrupts():
    with until_interrupted() as flag:
        press(flag, 1)
        with pytest.raises(KeyboardInterrupt):
            press(flag, 1)


def test_signals_are_left_alone_outside_the_main_thread():
    seen: list[bool] = []

    def work() -> None:
        with until_interrupted() as flag:
            seen.append(flag.is_set())

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [False]
    assert signal.getsignal(signal.SIGINT) is before

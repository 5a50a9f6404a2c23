import os
import signal
import threading

import pytest

from crosslens.train.machine import until_interrupted

pytestmark = pytest.mark.train


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

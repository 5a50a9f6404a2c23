"""Numbers of one page are asked for once, and costly ones seldom."""

from crosslens.api.metrics import Moment


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_takes_long_is_asked_for_a_twentieth_of_the_time_at_most() -> None:
    clock, asked = Clock(), []

    def ask() -> int:
        asked.append(clock.now)
        clock.now += 0.5
        return len(asked)

    moment = Moment(ask, clock=clock)
    assert (moment(), moment()) == (1, 1)
    clock.now = 9.9
    assert moment() == 1
    clock.now = 10.1
    assert moment() == 2

"""What is asked of a database server, and what its failures are in our words."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from crosslens.catalog.clock import SetClock
from crosslens.catalog.failures import in_our_words, translated
from crosslens.catalog.races import ATTEMPTS, until_won
from crosslens.catalog.servers import check_version, server_of
from crosslens.errors import InvalidRequest, LostRace, StorageFull, TooLarge, Unavailable


class TestVersions:
    @pytest.mark.parametrize(
        ("name", "version"),
        [
            ("MariaDB", (10, 5, 28)),
            ("MySQL", (8, 0, 0)),
            ("MySQL", (5, 7, 44)),
            ("PostgreSQL", (11, 22)),
        ],
    )
    def test_an_old_server_is_refused_by_name(self, name, version):
        with pytest.raises(Unavailable, match=f"is {name} {version[0]}.*needed is") as caught:
            check_version(name, version)
        assert "SKIP LOCKED" in (caught.value.hint or "")

    @pytest.mark.parametrize(
        ("name", "version"),
        [
            ("MariaDB", (10, 6)),
            ("MariaDB", (11, 4, 2, "MariaDB")),
            ("MySQL", (8, 0, 1)),
            ("PostgreSQL", (12,)),
        ],
    )
    def test_the_oldest_that_will_do_will_do(self, name, version):
        check_version(name, version)


class TestUrls:
    @pytest.mark.parametrize("kind", ["mysql", "mariadb"])
    def test_mysql_and_mariadb_go_through_one_driver(self, kind):
        assert server_of(make_url(f"{kind}://u:p@h/shop")).driver == "mysql+pymysql"

    @pytest.mark.parametrize("kind", ["postgres", "postgresql", "postgresql+psycopg"])
    def test_postgresql_has_two_names(self, kind):
        assert server_of(make_url(f"{kind}://u:p@h/shop")).driver == "postgresql+psycopg"

    @pytest.mark.parametrize(
        ("url", "complaint"),
        [
            ("oracle://u:p@h/shop", "begins with oracle:, allowed are sqlite:"),
            ("mysql+mysqldb://u:p@h/shop", "names the driver mysqldb"),
            ("mysql://u:p@h", "names no database"),
        ],
    )
    def test_what_cannot_be_spoken_to_is_refused(self, url, complaint):
        with pytest.raises(InvalidRequest, match=complaint):
            server_of(make_url(url))


class OfServer(Exception):
    """A failure as the drivers raise it."""

    def __init__(self, code: int | str, message: str) -> None:
        super().__init__(*((code, message) if isinstance(code, int) else (message,)))
        if isinstance(code, str):
            self.sqlstate = code


@pytest.mark.parametrize(
    ("code", "message", "kind", "says"),
    [
        (1213, "Deadlock found when trying to get lock", LostRace, "another writer was quicker"),
        ("40P01", "Verklemmung entdeckt", LostRace, "another writer was quicker"),
        (1205, "Lock wait timeout exceeded", Unavailable, "held by another writer"),
        (1114, "The table 'products' is full", StorageFull, "disk is full"),
        ("53100", "could not extend file", StorageFull, "disk is full"),
        ("53300", "zu viele Verbindungen", Unavailable, "no connection left"),
        (1290, "running with the --read-only option", Unavailable, "takes no writes now"),
        (1153, "Got a packet bigger than 'max_allowed_packet'", TooLarge, "takes at once"),
        (2006, "MySQL server has gone away", Unavailable, "does not answer"),
    ],
)
def test_each_failure_of_a_server_has_its_error(code, message, kind, says):
    error = in_our_words(OperationalError("SELECT 1", {}, OfServer(code, message)))
    assert type(error) is kind
    assert says in error.message
    assert error.hint


class TestRaces:
    def test_a_transaction_that_lost_is_done_again(self):
        outcomes = iter([LostRace("x"), LostRace("x"), None])
        assert until_won(lambda: lose(next(outcomes))) == "won"

    def test_one_that_always_loses_says_so(self):
        tried = []
        with pytest.raises(LostRace):
            until_won(lambda: lose(tried.append(1) or LostRace("x")))
        assert len(tried) == ATTEMPTS


def lose(outcome: Exception | None) -> str:
    if outcome is not None:
        raise outcome
    return "won"


def test_a_clock_that_was_set_does_not_follow_the_machines():
    wrong = datetime(2031, 1, 1, tzinfo=UTC)
    clock = SetClock(lambda: wrong)
    assert clock() == wrong
    right = datetime(2026, 1, 1, tzinfo=UTC)
    clock.set(right)
    assert right <= clock() < right + timedelta(seconds=5)
    assert 0 <= (wrong - right).total_seconds() - clock.ahead_s() < 5


def test_an_error_of_a_driver_that_sqlalchemy_lets_through_is_told_in_our_words() -> None:
    driver = pytest.importorskip("pymysql")
    with pytest.raises(Unavailable, match="does not answer"), translated():
        raise driver.err.OperationalError(2013, "Lost connection to MySQL server during query")
    with pytest.raises(ZeroDivisionError), translated():
        raise ZeroDivisionError

"""Private servers for tests: own folder, own loopback port, gone when the tests end."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from crosslens.catalog.clock import SetClock
from crosslens.catalog.connection import open_engine, writing
from crosslens.catalog.schema import counters, metadata

PASSWORD = "geheim-密码"  # not ASCII, so that quoting is tested too
SERVANT = "nobody"
PORTS = range(16_000, 32_000)  # below those that the system hands out
_databases = count(1)
_ports = count(os.getpid() * 2_971)  # processes that test side by side begin far from each other


class Absent(Exception):
    """The programs of a server are not on this machine."""


@dataclass(frozen=True, slots=True)
class SqlServer:
    """
    A running server.

    Attributes:
        admin_url: SQLAlchemy URL, of a user who may make databases.
        kind: mysql or postgresql, as the first part of a URL.
        command: what started it, and starts it again after a kill.
    """

    kind: str
    admin_url: str
    port: int
    process: subprocess.Popen[bytes]
    command: Sequence[str] = ()
    folder: Path = Path()

    @property
    def name(self) -> str:
        """Name of the fixture that started it."""
        return "postgres" if self.kind == "postgresql" else self.kind

    def url(self, database: str, *, user: str = "shop", password: str = PASSWORD) -> str:
        """Return the URL that a person would write for a database."""
        from urllib.parse import quote

        return f"{self.kind}://{user}:{quote(password)}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database and return its URL."""
        name = f"shop_{next(_databases)}"
        self.run(f"CREATE DATABASE {name}")
        if self.kind == "mysql":
            self.run(f"GRANT ALL ON {name}.* TO 'shop'@'%'")
        else:
            self.run(f"ALTER DATABASE {name} OWNER TO shop")
        return self.url(name)

    def inside(self, database: str) -> SqlServer:
        """Return the same server, where statements run in a database of it."""
        parsed = make_url(self.admin_url).set(database=database)
        return replace(self, admin_url=parsed.render_as_string(hide_password=False))

    def run(self, *statements: str) -> None:
        """Run statements as the administrator, each on its own."""
        engine = create_engine(self.admin_url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


@contextmanager
def mariadb(*, durable: bool = False) -> Iterator[SqlServer]:
    """
    Run MariaDB from Debian's package; a durable one loses nothing that it acknowledged at a kill.

    Raises:
        Absent: it is not installed.
    """
    install, server = _program("mariadb-install-db"), _program("mariadbd")
    with private_folder() as folder:
        data, door, port = folder / "data", folder / "door", free_port()
        who = [f"--user={SERVANT}"] if os.geteuid() == 0 else []
        # a server removes temporary tables that it finds at its start, those of others too
        scratch = servants(folder / "scratch")
        own = ["--no-defaults", f"--datadir={data}", f"--tmpdir={scratch}", *who]
        quick = ["--skip-test-db", "--auth-root-authentication-method=normal"]
        _finish([install, *own, *quick], folder)
        kept = f"--innodb-flush-log-at-trx-commit={1 if durable else 0}"
        limits = ["--skip-log-bin", kept, "--skip-name-resolve"]
        small = ["--innodb-buffer-pool-size=32M", "--max-connections=200", "--bind=127.0.0.1"]
        # what a careless server has, so that nothing depends on a careful one
        careless = ["--character-set-server=latin1", "--sql-mode="]
        at = [f"--socket={door}", f"--port={port}", f"--pid-file={folder / 'pid'}"]
        command = [server, *own, *limits, *small, *careless, *at]
        with running(command, folder) as process:
            admin = f"mysql+pymysql://root@localhost/?unix_socket={door}"
            ready = SqlServer("mysql", admin, port, process, command, folder)
            _await(ready, folder)
            ready.run(f"CREATE USER 'shop'@'%' IDENTIFIED BY '{PASSWORD}'")
            yield ready


@contextmanager
def postgres() -> Iterator[SqlServer]:
    """
    Run PostgreSQL from Debian's package.

    Raises:
        Absent: it is not installed.
    """
    install, server = _program("initdb"), _program("postgres")
    with private_folder() as folder:
        data, port = folder / "data", free_port()
        locale = ["--encoding=UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256"]
        secret = folder / "secret"
        secret.write_text("admin", "ascii")
        secret.chmod(0o644)
        first = [f"--pwfile={secret}", "--username=admin", "--no-sync"]
        _finish([*_as_servant(), install, f"--pgdata={data}", *locale, *first], folder)
        careless = ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        small = ["shared_buffers=16MB", "max_connections=200", "listen_addresses=127.0.0.1"]
        set_ = [word for pair in (*careless, *small) for word in ("-c", pair)]
        command = [*_as_servant(), server, "-D", str(data), "-k", str(folder), "-p", str(port)]
        with running([*command, *set_], folder, stop=signal.SIGQUIT) as process:
            admin = f"postgresql+psycopg://admin:admin@127.0.0.1:{port}/postgres"
            ready = SqlServer("postgresql", admin, port, process)
            _await(ready, folder)
            ready.run(f"CREATE ROLE shop LOGIN PASSWORD '{PASSWORD}'")
            yield ready


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running store that speaks S3."""

    endpoint: str
    process: subprocess.Popen[bytes]

    def new_bucket(self) -> str:
        """Make an empty bucket and return its place."""
        name = f"shop-{next(_databases)}"
        self.client().create_bucket(Bucket=name)
        return f"s3://{name}"

    def client(self) -> Any:
        """Return a client of Amazon's own library, to look at what is stored."""
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1")


@contextmanager
def s3() -> Iterator[S3Server]:
    """Run moto's server, and show its key to whoever asks the environment."""
    with private_folder() as folder, pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ACCESS_KEY_ID", "key")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        port = free_port()
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        with running(command, folder) as process:
            server = S3Server(f"http://127.0.0.1:{port}", process)
            await_port(port, process, folder)
            yield server


def empty(url: str) -> None:
    """Delete every row of a catalogue's database, if it has its tables yet."""
    engine = open_engine(url, busy_s=30, clock=SetClock(), connections=1)
    with writing(engine).begin() as connection:
        for table in reversed(metadata.sorted_tables):
            if table is not counters:
                connection.execute(table.delete())
        connection.execute(counters.update().values(value=0))
    engine.dispose()


def free_port() -> int:
    """
    Return a port of the loopback that nobody has right now, and that nobody is given by chance.

    A port of the system's own choice may be given to another before a server listens at it.
    """
    while True:
        port = PORTS[next(_ports) % len(PORTS)]
        with socket.socket() as door, suppress(OSError):
            door.bind(("127.0.0.1", port))
            return port


def _program(name: str) -> str:
    usual = Path("/usr")  # neither folder is in everyone's PATH
    places = [*usual.glob(f"lib/postgresql/*/bin/{name}"), *usual.glob(f"sbin/{name}")]
    found = shutil.which(name) or max(map(str, places), default=None)
    if found is None:
        raise Absent(f"{name} is not on this machine; `make servers` installs it from Debian")
    return found


def _as_servant() -> list[str]:
    """PostgreSQL refuses to run as root; a signal to `setpriv` is one to the server."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", f"--reuid={SERVANT}", "--regid=nogroup", "--clear-groups"]


@contextmanager
def private_folder() -> Iterator[Path]:
    """A folder that the servant owns, and with a name short enough for a socket in it."""
    folder = servants(Path(tempfile.mkdtemp(prefix="crosslens-", dir="/tmp")))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def servants(folder: Path) -> Path:
    """Make a folder that the servant owns."""
    folder.mkdir(exist_ok=True)
    if os.geteuid() == 0:
        servant = pwd.getpwnam(SERVANT)
        os.chown(folder, servant.pw_uid, servant.pw_gid)
    return folder


def _finish(command: Sequence[str], folder: Path) -> None:
    ran = subprocess.run(
        command, check=False, cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, f"{command[0]}: {ran.stdout[-2000:]}{ran.stderr[-2000:]}"


@contextmanager
def running(
    command: Sequence[str], folder: Path, *, stop: signal.Signals = signal.SIGKILL
) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await(server: SqlServer, folder: Path) -> None:
    await_port(server.port, server.process, folder)
    until = time.monotonic() + 30
    while True:
        try:
            return server.run("SELECT 1")
        except SQLAlchemyError:  # it listens, but is not ready
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def await_port(port: int, process: subprocess.Popen[bytes], folder: Path) -> None:
    until = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < until:
        try:
            return socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
    said = (folder / "log").read_text("utf-8", "replace")
    raise RuntimeError(f"the server does not start:\n{said[-2_000:]}")

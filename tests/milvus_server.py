"""A real Milvus for tests: 2.3.5, which its makers packed for PyPI, in a folder of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crosslens.vectors.index import IndexSpec
from crosslens.vectors.milvus import Access, MilvusStore
from servers import Absent, free_port, private_folder

PROGRAM = Path(sys.prefix) / ".milvus"  # `make servers` puts it there
TOKEN = "root:Milvus"
READY_S = 60


@dataclass
class MilvusServer:
    """
    A server that asks for a token, and speaks TLS with a certificate of our own.

    Every port it opens was free; the one that matters is `port`.

    Attributes:
        missed_s: seconds after which it notices that a killed one was its predecessor; on a busy
            machine a server that is slower than that takes itself for dead.
    """

    folder: Path
    missed_s: int = 30
    port: int = field(default_factory=free_port)
    status_port: int = field(default_factory=free_port)
    running: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        """Where it is, for the client."""
        return f"https://localhost:{self.port}"

    @property
    def certificate(self) -> Path:
        """What it shows."""
        return self.folder / "server.pem"

    @property
    def settings(self) -> dict[str, str]:
        """What a crosslens needs to use it."""
        return {
            "index_url": f"milvus:{self.uri}",
            "milvus_token": TOKEN,
            "milvus_ca": str(self.certificate),
        }

    def store(self, spec: IndexSpec, *, prefix: str = "contract") -> MilvusStore:
        """Open an index store at it."""
        return MilvusStore(self.uri, spec, access=self.access, prefix=prefix)

    @property
    def access(self) -> Access:
        """How to speak with it."""
        return Access(TOKEN, self.certificate, timeout_s=20)

    def prepare(self) -> None:
        """Write its certificate and settings."""
        key, name = self.folder / "server.key", "/CN=localhost"
        also = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
        named = ["-subj", name, "-addext", also, "-keyout", str(key), "-out", self.certificate]
        subprocess.run([*command, *named], check=True, capture_output=True)
        (self.folder / "configs").mkdir()
        shutil.copy(PROGRAM / "milvus" / "data" / "glog.conf", self.folder / "configs")
        (self.folder / "configs" / "milvus.yaml").write_text(yaml.safe_dump(self._settings()))
        client, peer = (f"http://127.0.0.1:{free_port()}" for _ in range(2))
        etcd = {
            "unsafe-no-fsync": True,  # a killed process loses nothing by it
            "listen-client-urls": client,
            "advertise-client-urls": client,
            "listen-peer-urls": peer,
            "initial-advertise-peer-urls": peer,
            "initial-cluster": f"default={peer}",
        }
        (self.folder / "configs" / "etcd.yaml").write_text(yaml.safe_dump(etcd))

    def start(self) -> float:
        """Start it and return the seconds until it is well."""
        begun = time.monotonic()
        own = {
            "LD_LIBRARY_PATH": str(PROGRAM / "bin"),
            "DEPLOY_MODE": "STANDALONE",
            "METRICS_PORT": str(self.status_port),
            "MILVUS_RUN_DIR": str(self.folder / "run"),
        }
        with (self.folder / "log").open("ab") as log:
            self.running = subprocess.Popen(
                [str(PROGRAM / "bin" / "milvus"), "run", "standalone"],
                cwd=self.folder,
                env=dict(os.environ) | own,  # noqa: TID251 - of the child
                stdout=log,
                stderr=log,
            )
        while not self._well():
            if self.running.poll() is not None or time.monotonic() - begun > READY_S:
                self.kill()
                said = (self.folder / "log").read_text("utf-8", "replace")
                raise RuntimeError(f"Milvus does not start:\n{said[-2_000:]}")
            time.sleep(0.05)
        return time.monotonic() - begun

    def kill(self) -> None:
        """End it as a failure of power does."""
        if self.running is not None:
            self.running.kill()
            self.running.wait()

    def _well(self) -> bool:
        try:
            url = f"http://127.0.0.1:{self.status_port}/healthz"
            with urllib.request.urlopen(url, timeout=5) as answer:
                return b"OK" in answer.read()
        except (OSError, urllib.error.URLError):
            return False

    def _settings(self) -> dict[str, Any]:
        """Fill in what its makers left open, and make it small and quick."""
        data = self.folder / "data"
        given: dict[str, object] = {
            "proxy_port": self.port,
            "etcd_data_dir": data / "etcd",
            "local_storage_dir": data,
            "rocksmq_data_dir": data / "queue",
            "etcd_log_path": self.folder / "etcd.log",
            "etcd_log_level": "error",
            "system_log_path": self.folder / "logs",
            "server_pem_path": self.certificate,
            "server_key_path": self.folder / "server.key",
            "ca_pem_path": self.certificate,
            "authorization_enabled": "true",
            "tls_mode": 1,
        }

        def filled(found: re.Match[str]) -> str:
            name = found[1]
            return str(given.get(name) or (free_port() if name.endswith("_port") else "none"))

        template = (PROGRAM / "milvus" / "data" / "config.yaml.template").read_text("utf-8")
        settings: dict[str, Any] = yaml.safe_load(re.sub(r"{{ *(\w+).*?}}", filled, template))
        for role in settings.values():
            if isinstance(role, dict) and "ip" in role:
                role["ip"] = "127.0.0.1"
        settings["proxy"]["timeTickInterval"] = 20  # a strong read waits for the next one
        settings["common"]["session"]["ttl"] = self.missed_s
        settings["etcd"]["config"] = {"path": str(self.folder / "configs" / "etcd.yaml")}
        settings["log"]["level"] = "error"
        return settings


@contextmanager
def milvus(*, missed_s: int = 30) -> Iterator[MilvusServer]:
    """
    Run Milvus; see MilvusServer.

    Raises:
        Absent: it is not installed.
    """
    if not (PROGRAM / "bin" / "milvus").exists():
        raise Absent("milvus 2.3.5 is not on this machine; `make servers` installs it from PyPI")
    with private_folder() as folder:
        server = MilvusServer(folder, missed_s)
        server.prepare()
        server.start()
        try:
            yield server
        finally:
            server.kill()

"""Leave with 0 if a process of this container answers on one of the ports that they have."""

from __future__ import annotations

import sys
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

API, WORKER, ENCODER, PAGE = 6008, 6009, 6011, 6006


def is_alive(port: int) -> bool:
    """Ask one port, within two seconds."""
    path = "_stcore/health" if port == PAGE else "health"
    try:
        with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=2) as answer:
            return bool(answer.status == 200)
    except HTTPError:
        return False
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    ports = [int(port) for port in sys.argv[1:]] or [API, WORKER, ENCODER, PAGE]
    sys.exit(not any(map(is_alive, ports)))

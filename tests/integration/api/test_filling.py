"""A service whose index stands in for a damaged one answers, and says how far it is."""

from __future__ import annotations

from pathlib import Path

from doubtful import DoubtfulStore
from house import House
from service import served


def test_readiness_says_how_far_the_index_is_and_why(tmp_path: Path) -> None:
    house = House()
    for n in range(4):
        house.add(f"shirt {n}")
    house.store = store = DoubtfulStore(house.spec)
    store.begin_anew("it could not be read")
    house.worker()._catalog.lease(limit=3, lease_s=60, owner="somebody else")
    house.worker().drain()
    with served(tmp_path, house=house, work=lambda stop: stop.wait()) as shop:
        answer = shop.http.get("/ready")
        assert answer.status_code == 200
        assert answer.json()["checks"]["index"] == {
            "ok": True,
            "products": 1,
            "pictures": 0,
            "filling": {"share": 0.25, "indexed": 1, "of": 4, "reason": "it could not be read"},
        }
        store.trust()
        assert shop.http.get("/ready").json()["checks"]["index"] == {
            "ok": True,
            "products": 1,
            "pictures": 0,
        }

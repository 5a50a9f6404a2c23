from __future__ import annotations

import json
from importlib.resources import files

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crosslens.capacity.indexes import INDEXES
from crosslens.capacity.measured import Line, Measured, Speed, measured
from crosslens.capacity.plan import BUSY, FULL, Plan, Wish, plan
from crosslens.errors import InvalidRequest
from crosslens.settings import Settings

ROUND = Measured(
    zvec_memory=Line(100, 6, 200),
    zvec_disk=Line(100, 5, 200),
    zvec_build_us=1_000,
    catalog=Line(200, 0, 1_000),
    kept=Line(80, 2, 0),
    encoders={"one": Speed(512, 10, 100, "here"), "words": Speed(512, 0, 100, "here")},
    about="round numbers",
)
COUNTS = st.integers(1, 10**10)
WISHES = st.builds(
    Wish,
    products=COUNTS,
    pictures_per_product=st.floats(0, 20),
    dim=st.integers(8, 4_096),
    replicas=st.integers(1, 5),
    machine_gib=st.floats(4, 2_048),
    days=st.floats(0.1, 365),
)


def sizes(made: Plan) -> list[float]:
    """List everything that there can be more of."""
    indexes = [
        number
        for one in made.indexes
        for number in (one.memory, one.disk, one.shards, one.machines)
    ]
    fleet = [number for one in made.encoders for number in (one.core_hours, one.cores)]
    return [*indexes, made.catalog, made.kept, made.media, *fleet]


def more(wish: Wish, **changes: object) -> Wish:
    told = {name: getattr(wish, name) for name in Wish.__dataclass_fields__}
    return Wish(**(told | changes))  # type: ignore[arg-type]


@given(WISHES, COUNTS)
def test_more_products_need_no_less_of_anything(wish: Wish, further: int) -> None:
    larger = more(wish, products=wish.products + further)
    for few, many in zip(sizes(plan(wish, ROUND)), sizes(plan(larger, ROUND)), strict=True):
        assert few <= many


@given(WISHES, st.floats(0.1, 20), st.integers(1, 1_000))
def test_more_pictures_and_wider_vectors_need_no_less(
    wish: Wish, pictures: float, components: int
) -> None:
    for larger in (
        more(wish, pictures_per_product=wish.pictures_per_product + pictures),
        more(wish, dim=wish.dim + components),
        more(wish, text_spaces=2, picture_spaces=2),
    ):
        before, after = plan(wish, ROUND), plan(larger, ROUND)
        for few, many in zip(before.indexes, after.indexes, strict=True):
            assert few.memory <= many.memory
            if few.index.name != "diskann":  # its nodes fill sectors, now well, now badly
                assert few.disk <= many.disk
        assert before.kept <= after.kept


@given(WISHES)
def test_shards_hold_what_they_must(wish: Wish) -> None:
    for one in plan(wish, ROUND).indexes:
        room = wish.machine_gib * 2**30 * FULL
        if one.fits:
            assert one.memory <= one.shards * room * (1 + 1e-9)
        if not one.index.alone:
            assert one.machines == one.shards * wish.replicas
            assert one.shards == 1 or one.memory > (one.shards - 1) * room * (1 - 1e-9)


@given(WISHES)
def test_a_fleet_is_done_in_time_and_less_haste_needs_fewer(wish: Wish) -> None:
    hurried, calm = plan(wish, ROUND), plan(more(wish, days=wish.days * 2), ROUND)
    for one, slow in zip(hurried.encoders, calm.encoders, strict=True):
        assert one.core_hours <= one.cores * wish.days * 24 * BUSY * (1 + 1e-9)
        assert slow.cores <= one.cores
        assert slow.core_hours == one.core_hours


@given(WISHES)
def test_codes_take_less_memory_than_vectors_and_graphs_more(wish: Wish) -> None:
    memory = {one.index.name: one.memory for one in plan(wish, ROUND).indexes}
    assert memory["diskann"] < memory["flat"]
    assert memory["flat"] <= memory["ivf_flat"]
    assert memory["flat"] < memory["hnsw"]
    assert memory["ivf_sq8"] < memory["ivf_flat"]


def test_an_hnsw_of_milvus_is_as_large_as_it_was_measured_to_be() -> None:
    """A graph of M = 16 over 100,000 × 512 was 209 MiB on disk, in faiss as in Milvus."""
    [hnsw] = plan(Wish(products=100_000, pictures_per_product=0), ROUND, indexes=["hnsw"]).indexes
    beside = 100_000 * ROUND.zvec_disk.per_product
    assert hnsw.memory - beside == pytest.approx(209 * 2**20, rel=0.03)


def test_figures_of_a_round_catalogue() -> None:
    made = plan(Wish(products=1_000_000, days=1.0), ROUND, indexes=["zvec"])
    [zvec] = made.indexes
    assert zvec.memory == 1e6 * 200 + 2e6 * (100 + 512 * 6)
    assert made.catalog == 1e6 * 1_000 + 1e6 * 200
    assert made.kept == 2e6 * (80 + 512 * 2)
    assert made.media == 1e11
    assert made.encoders[0].core_hours == pytest.approx((1e5 + 1e4) / 3_600)
    assert made.encoders[0].cores == 2
    assert made.encoders[1].core_hours == pytest.approx(1e4 / 3_600)


def test_what_one_process_cannot_hold_does_not_fit_it() -> None:
    one = plan(Wish(products=1_000_000), ROUND, indexes=["zvec"]).indexes[0]
    many = plan(Wish(products=100_000_000), ROUND, indexes=["zvec"]).indexes[0]
    assert (one.fits, many.fits) == (True, False)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("products", 0),
        ("pictures_per_product", -1),
        ("dim", 0),
        ("text_spaces", 3),
        ("replicas", 0),
        ("machine_gib", float("nan")),
        ("picture_kb", float("inf")),
        ("days", 0),
    ],
)
def test_a_number_out_of_its_range_is_named(name: str, value: float) -> None:
    with pytest.raises(InvalidRequest, match=name):
        Wish(**{"products": 1, name: value})  # type: ignore[arg-type]


def test_an_unknown_index_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="hnsw"):
        plan(Wish(products=1), ROUND, indexes=["annoy"])


def test_every_index_that_milvus_can_be_set_to_has_a_plan() -> None:
    allowed = Settings.model_fields["milvus_graph"].annotation.__args__  # type: ignore[union-attr]
    assert {name.lower() for name in allowed} - {"autoindex"} == set(INDEXES) - {"zvec"}


def test_what_was_measured_is_what_the_lines_say() -> None:
    told = json.loads(files("crosslens.capacity").joinpath("measured.json").read_text("utf-8"))
    own = measured()
    for run in told["runs"]:
        of = {"products": run["products"], "rows": run["rows"], "dim": run["dim"]}
        assert own.zvec_disk.of(**of) == pytest.approx(run["disk"], rel=0.2), run
        assert own.zvec_memory.of(**of) == pytest.approx(run["memory"], rel=0.2), run
    assert own.catalog.per_product > 100
    assert own.kept.per_component >= 2
    assert all(speed.texts > 0 for speed in own.encoders.values())

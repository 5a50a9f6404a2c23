import json
from pathlib import Path

import pytest

from crosslens.errors import InvalidRequest
from crosslens.train.config import ModelConfig, TrainConfig
from crosslens.train.generator_config import FlowConfig

pytestmark = pytest.mark.train


def test_a_config_survives_json():
    config = TrainConfig(folder=Path("run"), steps=9, start_from=Path("old"), precision="bfloat16")
    assert TrainConfig.from_json(json.loads(json.dumps(config.to_json()))) == config


@pytest.mark.parametrize(
    ("name", "value"),
    [("steps", 0), ("products", 1), ("learning_rate", 0.0), ("precision", "int3"),
     ("ema_decay", 1.0), ("seed", -1), ("small_px", 100), ("focus", 2.0), ("steps", 1.5)],
)  # fmt: skip
def test_a_setting_that_is_not_allowed_is_named(name: str, value: object):
    with pytest.raises(InvalidRequest, match=f"{name} is .*allowed"):
        TrainConfig(folder=Path("run"), **{name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [("picture_px", 100), ("picture_px", 32), ("text_heads", 5), ("picture_widths", (8, 8)),
     ("dim", 0), ("max_tokens", 1)],
)  # fmt: skip
def test_a_shape_that_cannot_be_built_is_named(name: str, value: object):
    with pytest.raises(InvalidRequest, match=f"{name} is .*allowed"):
        ModelConfig(**{name: value})


def test_teaching_words_alone_needs_a_start(tmp_path: Path):
    with pytest.raises(InvalidRequest, match="start_from names nothing"):
        TrainConfig(folder=tmp_path, words_only=True)


def test_an_unknown_setting_is_refused():
    with pytest.raises(InvalidRequest, match="setting is 'stepps'"):
        TrainConfig.from_json({"folder": "run", "stepps": 3})


def test_pictures_are_small_in_the_first_part_of_a_run():
    config = TrainConfig(folder=Path("run"), steps=10, small_share=0.6)
    assert [config.px_at(step) for step in (0, 5, 6, 9)] == [96, 96, 128, 128]
    tiny = TrainConfig(folder=Path("run"), model=ModelConfig(picture_px=64))
    assert tiny.px_at(0) == 64


def test_the_learning_rate_rises_then_falls_to_zero():
    config = TrainConfig(folder=Path("run"), steps=1000, warm_up=100, learning_rate=0.01)
    rates = [config.rate_at(step) for step in range(1000)]
    assert rates[0] == pytest.approx(0.0001)
    assert max(rates) == rates[99] == pytest.approx(0.01)
    assert rates[99:] == sorted(rates[99:], reverse=True)
    assert 0 <= rates[-1] < 1e-6


def test_a_short_run_warms_up_for_a_tenth_of_it_only():
    config = TrainConfig(folder=Path("run"), steps=20, warm_up=200, learning_rate=0.01)
    assert config.rate_at(2) == pytest.approx(0.01)
    assert TrainConfig(folder=Path("run"), steps=1, learning_rate=0.01).rate_at(0) == 0.01


@pytest.mark.parametrize(("fall", "until"), [(0.2, 800), (0.5, 500)])
def test_the_rate_of_a_flow_stays_and_falls_in_the_share_that_is_asked_for(fall: float, until: int):
    config = FlowConfig(
        folder=Path("run"), words_from=Path("words"), steps=1000, fall=fall, learning_rate=0.01
    )
    rates = [config.rate_at(step) for step in range(1000)]
    assert set(rates[100 : until + 1]) == {0.01}
    assert rates[until:] == sorted(rates[until:], reverse=True)
    assert rates[until + 1] < 0.01
    assert rates[-1] == pytest.approx(0.0002)


def test_a_flow_refuses_a_share_that_is_none():
    with pytest.raises(InvalidRequest, match="fall"):
        FlowConfig(folder=Path("run"), words_from=Path("words"), fall=1.5)

"""From nothing to a generator that draws, in the shell: each part alone, and what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from crosslens.train import generator
from shell import Shell

pytestmark = pytest.mark.train
FEW = ("--rendered", 16, "--held-out", 16, "--threads", 1, "--validate-every", 1)


def test_codec_critic_and_flow_are_trained_one_by_one_and_the_bundle_draws(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    run = tmp_path / "run"

    def train(part: str, *more: object) -> tuple[object, ...]:
        return ("train", "generator", run, *FEW, "--only", part, *more)

    assert shell.json(*train("codec", "--codec-steps", 1))["finished"]
    refused = shell(*train("flow", "--steps", 1))
    assert (refused.code, "at least 30" in refused.err) == (2, True)
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)  # what one step reaches is less
    refused = shell(*train("flow", "--steps", 1, "--batch", 2))
    assert (refused.code, "there is no critic" in refused.err) == (2, True)
    assert "misnamed" in shell.json(*train("critic", "--critic-steps", 1))["figures"]
    assert "looks" in shell.json(*train("flow", "--steps", 1, "--batch", 2))["figures"]
    again = shell(*train("flow", "--steps", 2, "--batch", 2))
    assert (again.code, "already holds" in again.err) == (1, True)
    further = shell.json(*train("flow", "--steps", 2, "--batch", 2, "--resume"))
    assert (further["step"], further["finished"]) == (2, True)
    shell.json("train", "export-generator", run, "own")
    drawn = shell.json(
        "generate", "red mug", "--generator", "own", "--steps", 1, "--out", tmp_path / "out"
    )
    assert drawn
    assert list((tmp_path / "out").glob("*.png"))


def test_without_the_eye_of_a_critic_a_flow_needs_none(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)
    few = ("--codec-steps", 1, "--steps", 1, "--batch", 2, "--perceptual", 0)
    ended = shell.json("train", "generator", tmp_path / "run", *FEW, *few)
    assert ended["finished"]
    assert "looks" not in ended["figures"]
    assert not (tmp_path / "run" / "critic").exists()


def test_what_ships_is_taught_on_by_its_name(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(generator, "LEAST_PSNR", 0.0)  # few pictures say little of a codec
    few = ("--codec-steps", 1, "--critic-steps", 1, "--steps", 1, "--batch", 2)
    begun = ("train", "generator", tmp_path / "run", *FEW, *few)
    refused = shell(*begun, "--start-from", "nobody")
    assert (refused.code, "crosslens-sketch" in refused.err) == (1, True)
    assert not (tmp_path / "run").exists()
    taught = shell.json(*begun, "--start-from", "crosslens-sketch")["figures"]
    # What is new knows no more than the best linear guess, whose loss is about 1.
    assert taught["loss/0.5"] < 0.5

"""Pipelines in the layout of diffusers, with random weights of a few kilobytes."""

import json
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crosslens.errors import CannotDraw, CrosslensError, InvalidRequest, NotFound
from crosslens.generate.families import family_of
from crosslens.generate.pipelines import Offload, Pipeline, PipelineGenerator, load
from crosslens.generate.wish import Wish

pytestmark = [
    pytest.mark.skipif(
        find_spec("diffusers") is None, reason="needs the extra generate: diffusers"
    ),
    pytest.mark.filterwarnings("ignore"),  # of diffusers and transformers about each other
]
SIDES = (16, 32)


def tokenizer(folder: Path) -> Any:
    from transformers import CLIPTokenizer

    letters = [chr(code) for code in range(97, 123)]
    names = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{x}</w>" for x in letters)]
    folder.mkdir(parents=True)
    (folder / "vocab.json").write_text(json.dumps({n: i for i, n in enumerate(names)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"),
                         model_max_length=16)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Stable Diffusion of random weights, as its authors lay it out."""
    import torch
    from diffusers import (
        AutoencoderKL,
        DDIMScheduler,
        StableDiffusionPipeline,
        UNet2DConditionModel,
    )
    from transformers import CLIPTextConfig, CLIPTextModel

    place = tmp_path_factory.mktemp("pipelines")
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipe = StableDiffusionPipeline(
            vae=AutoencoderKL(
                block_out_channels=(8, 8), norm_num_groups=4, latent_channels=4,
                down_block_types=("DownEncoderBlock2D",) * 2,
                up_block_types=("UpDecoderBlock2D",) * 2,
            ),
            text_encoder=CLIPTextModel(
                CLIPTextConfig(
                    hidden_size=8, intermediate_size=16, num_attention_heads=2,
                    num_hidden_layers=1, vocab_size=54, max_position_embeddings=16,
                    bos_token_id=0, eos_token_id=1, pad_token_id=1,
                )
            ),
            tokenizer=tokenizer(place / "tokens"),
            unet=UNet2DConditionModel(
                block_out_channels=(8, 16), layers_per_block=1, sample_size=8, norm_num_groups=4,
                cross_attention_dim=8, attention_head_dim=4,
                down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
                up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            ),
            scheduler=DDIMScheduler(clip_sample=False),
            safety_checker=None, feature_extractor=None, requires_safety_checker=False,
        )  # fmt: skip
    pipe.save_pretrained(place / "tiny-sd", safe_serialization=True)
    return place / "tiny-sd"


@pytest.fixture(scope="module")
def draws(folder: Path) -> PipelineGenerator:
    return load(Pipeline(str(folder)), sides=SIDES)


def drawn(draws: PipelineGenerator, **wish: Any) -> list[np.ndarray]:
    given = {"prompt": "red shoe", "size": 16, "steps": 2, **wish}
    return [each.pixels for each in draws.draw(Wish(**given))]


def test_a_folder_is_loaded_and_draws(draws: PipelineGenerator):
    assert draws.about.name == "tiny-sd"
    assert set(SIDES) < set(draws.about.sizes)
    [picture] = drawn(draws, size=32)
    assert (picture.shape, picture.dtype) == ((32, 32, 3), np.uint8)


def test_the_same_seed_gives_the_same_picture_whatever_the_batch(draws: PipelineGenerator):
    together = drawn(draws, n=2, seed=4)
    assert (drawn(draws, seed=5)[0] == together[1]).all()
    assert not (together[0] == together[1]).all()


def test_a_negative_prompt_and_guidance_reach_the_pipeline(draws: PipelineGenerator):
    plain = drawn(draws)[0]
    assert not (drawn(draws, negative="blue")[0] == plain).all()
    assert not (drawn(draws, guidance=1.5)[0] == plain).all()


def test_a_negative_prompt_that_nothing_would_hear_is_refused(draws: PipelineGenerator):
    with pytest.raises(InvalidRequest, match="negative is given, but guidance is 1"):
        drawn(draws, negative="blue", guidance=1.0)


@pytest.fixture(scope="module")
def adapter(folder: Path) -> Path:
    """LoRA weights that fit the pipeline."""
    pytest.importorskip("peft")
    import torch
    from diffusers import StableDiffusionPipeline
    from peft import LoraConfig
    from peft.utils import get_peft_model_state_dict

    pipe = StableDiffusionPipeline.from_pretrained(str(folder))
    torch.manual_seed(1)
    wanted = LoraConfig(r=2, init_lora_weights=False, target_modules=["to_q", "to_v"])
    pipe.unet.add_adapter(wanted)
    place = folder.parent / "adapter"
    pipe.save_lora_weights(str(place), unet_lora_layers=get_peft_model_state_dict(pipe.unet))
    return next(place.glob("*.safetensors"))


def test_an_adapter_changes_the_picture_be_it_named_by_file_or_folder(
    draws: PipelineGenerator, folder: Path, adapter: Path
):
    plain = drawn(draws)[0].astype(int)
    by_file, by_folder = (
        drawn(load(Pipeline(str(folder), lora=str(place)), sides=SIDES))[0]
        for place in (adapter, adapter.parent)
    )
    assert abs(by_file - plain).mean() > 1
    assert (by_file == by_folder).all()


WRONG = {
    "no-adapter": {"x": (2, 2)},
    "of-another-pipeline": {
        "transformer.lora_A.weight": (2, 2),
        "transformer.lora_B.weight": (2, 2),
    },
    "of-other-blocks": {f"unet.no.to_q.lora_{side}.weight": (2, 2) for side in "AB"},
}


@pytest.mark.parametrize("wrong", [*WRONG, "of-another-width", "junk"])
def test_an_adapter_that_does_not_fit_is_refused_and_never_left_out_silently(
    folder: Path, adapter: Path, tmp_path: Path, wrong: str
):
    import torch
    from safetensors.torch import load_file, save_file

    file = tmp_path / f"{wrong}.safetensors"
    if wrong == "junk":
        file.write_bytes(b"no weights")
    else:
        shapes = WRONG.get(wrong) or dict.fromkeys(load_file(adapter), (7, 7))
        save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, file)
    with pytest.raises(InvalidRequest, match=r"generator_lora is .*, which does not fit"):
        load(Pipeline(str(folder), lora=str(file)))


def test_an_adapter_that_is_not_here_is_named(folder: Path):
    with pytest.raises(NotFound, match="generator_lora is 'somebody/lora'"):
        load(Pipeline(str(folder), lora="somebody/lora"))


def test_offload_draws_the_same_picture(draws: PipelineGenerator, folder: Path):
    pytest.importorskip("accelerate")
    spared = load(Pipeline(str(folder), offload=Offload.MODEL), sides=SIDES)
    for seed in (0, 1):
        assert (drawn(spared, seed=seed)[0] == drawn(draws, seed=seed)[0]).all()


def test_sequential_offload_on_a_cpu_is_refused_by_the_names_of_the_settings():
    with pytest.raises(InvalidRequest, match="generator_offload is sequential, but generator_dev"):
        Pipeline("x", offload=Offload.SEQUENTIAL)


def test_it_tells_its_steps_and_is_broken_off_by_what_they_raise(draws: PipelineGenerator):
    class Enough(CrosslensError):
        pass

    told: list[tuple[int, int]] = []

    def step(done: int, total: int) -> None:
        told.append((done, total))
        if done == 2:
            raise Enough("enough")

    with pytest.raises(Enough):
        list(draws.draw(Wish("red shoe", size=16, steps=5), step))
    assert told == [(0, 5), (1, 5), (2, 5)]
    assert drawn(draws)


def test_a_model_that_is_not_here_is_not_fetched(tmp_path: Path):
    with pytest.raises(NotFound, match="is not on this machine"):
        load(Pipeline("nobody/nothing"))


def test_a_folder_without_a_pipeline_is_refused(tmp_path: Path):
    with pytest.raises(InvalidRequest, match="cannot be loaded as a pipeline"):
        load(Pipeline(str(tmp_path)))


def test_weights_that_can_run_code_are_refused(folder: Path, tmp_path: Path):
    import shutil

    import torch

    shutil.copytree(folder, tmp_path / "pickled")
    unet = tmp_path / "pickled" / "unet"
    (unet / "diffusion_pytorch_model.safetensors").unlink()
    torch.save({}, unet / "diffusion_pytorch_model.bin")
    with pytest.raises(InvalidRequest, match="safetensors"):
        load(Pipeline(str(tmp_path / "pickled")))


def test_a_device_that_is_not_there_is_refused(folder: Path):
    with pytest.raises(InvalidRequest, match="cannot be loaded as a pipeline on cuda"):
        load(Pipeline(str(folder), device="cuda", dtype="float32"))


@pytest.mark.parametrize("wrong", [{"dtype": "int3"}, {"offload": "some"}])
def test_settings_are_checked_before_anything_is_loaded(wrong: dict[str, Any]):
    with pytest.raises(InvalidRequest, match=f"{next(iter(wrong))} is"):
        Pipeline("x", **wrong)


class Failing:
    """A pipeline that fails as large ones do, and notes what it was called with."""

    def __init__(self, failure: Exception | None = None, unsafe: bool = False) -> None:
        self.failure, self.unsafe = failure, unsafe
        self.asked: dict[str, Any] = {}

    def __call__(
        self,
        prompt: str,
        height: int,
        width: int,
        output_type: str,
        negative_prompt: str | None = None,
        true_cfg_scale: float = 1.0,
    ) -> Any:
        self.asked = {"negative_prompt": negative_prompt, "true_cfg_scale": true_cfg_scale}
        if self.failure:
            raise self.failure
        black = np.zeros((1, height, width, 3), np.float32)
        return type("Out", (), {"images": black, "nsfw_content_detected": [self.unsafe]})


@pytest.mark.parametrize(
    ("pipe", "kind", "said"),
    [
        (Failing(RuntimeError("CUDA out of memory. Tried to …")), CannotDraw, "not enough memory"),
        (Failing(MemoryError()), CannotDraw, "not enough memory"),
        (Failing(RuntimeError("shapes differ")), CannotDraw, "failed to draw: shapes differ"),
        (Failing(ValueError("too many steps")), CannotDraw, "failed to draw: too many steps"),
        (Failing(TypeError()), CannotDraw, "failed to draw: TypeError"),
        (Failing(unsafe=True), InvalidRequest, "the safety checker refuses"),
    ],
)
def test_a_failure_or_a_blackened_picture_is_an_error(
    pipe: Failing, kind: type[CrosslensError], said: str
):
    draws = PipelineGenerator(pipe, family_of("", "tiny"), name="tiny", sides=SIDES)
    with pytest.raises(kind, match=said):
        drawn(draws)
    pipe.failure, pipe.unsafe = None, False
    assert drawn(draws), "the next one is drawn"


def test_guidance_of_qwen_image_takes_effect_without_a_negative_prompt():
    pipe = Failing()
    family = family_of("QwenImagePipeline", "tiny")
    drawn(PipelineGenerator(pipe, family, name="tiny", sides=SIDES))
    assert pipe.asked == {"negative_prompt": " ", "true_cfg_scale": 4.0}


@pytest.mark.parametrize(
    ("kind", "model", "expected"),
    [
        ("StableDiffusionPipeline", "stable-diffusion-v1-5", (512, 25, 7.5)),
        ("StableDiffusionXLPipeline", "stabilityai/sdxl-turbo", (512, 1, 0.0)),
        ("KolorsPipeline", "Kwai-Kolors/Kolors-diffusers", (1024, 25, 5.0)),
        ("QwenImagePipeline", "Qwen/Qwen-Image", (1024, 50, 4.0)),
    ],
)
def test_families_draw_as_their_makers_say(kind: str, model: str, expected: tuple[object, ...]):
    family = family_of(kind, model)
    assert (family.native_px, family.steps, family.guidance) == expected
    assert "zh" in family_of("StableDiffusionPipeline", "IDEA-CCNL/Taiyi-1B").languages

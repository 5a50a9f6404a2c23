"""What pipelines are called with unless told, by family; checked against diffusers 0.42."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Family:
    """
    How a kind of pipeline is used.

    Attributes:
        native_px: side that it was trained on.
        steps, guidance: as its makers recommend.
        languages: of prompts.
        guided_by: name of the argument for the guidance.
        needs_negative: whether guidance takes effect only beside a negative prompt.
    """

    native_px: int
    steps: int
    guidance: float
    languages: tuple[str, ...]
    guided_by: str = "guidance_scale"
    needs_negative: bool = False


STABLE = Family(512, 25, 7.5, ("en",))
FAMILIES = {
    "StableDiffusionPipeline": STABLE,
    "StableDiffusionXLPipeline": Family(1024, 30, 5.0, ("en",)),
    "KolorsPipeline": Family(1024, 25, 5.0, ("zh", "en")),
    "HunyuanDiTPipeline": Family(1024, 25, 5.0, ("zh", "en")),
    "QwenImagePipeline": Family(
        1024, 50, 4.0, ("zh", "en"), guided_by="true_cfg_scale", needs_negative=True
    ),
}


def family_of(kind: str, model: str) -> Family:
    """
    Choose by the class of a pipeline, and by the name of the model where that says more.

    Turbo models draw in one step without guidance; Taiyi reads Chinese.
    """
    family, name = FAMILIES.get(kind, STABLE), model.lower()
    if "turbo" in name:
        return replace(family, native_px=512, steps=1, guidance=0.0)
    if "taiyi" in name:
        return replace(family, languages=("zh", "en"))
    return family

"""Pictures from a pipeline of the diffusers library: Stable Diffusion, Kolors, Qwen-Image …"""

from __future__ import annotations

import importlib
import inspect
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from crosslens.errors import (
    CannotDraw,
    CrosslensError,
    InvalidRequest,
    MissingExtra,
    NotFound,
)
from crosslens.generate.families import Family, family_of
from crosslens.generate.generator import About, Drawn, Pixels, Step, silent, size_of
from crosslens.generate.scaling import scaled
from crosslens.generate.wish import Wish

SIDES = (256, 512, 768, 1024)
_NO_ROOM = ("out of memory", "can't allocate memory", "not enough memory")


class Offload(StrEnum):
    """What rests in the machine's memory while it is not needed on the GPU."""

    NONE = "none"
    MODEL = "model"
    SEQUENTIAL = "sequential"


@dataclass(frozen=True, slots=True)
class Pipeline:
    """
    Which pipeline, and how it runs.

    Attributes:
        model: folder in the layout of diffusers, or a name on the hub.
        device: cpu or cuda.
        dtype: float32, float16, bfloat16; auto is float32 on a CPU, float16 elsewhere.
        lora: folder or file of adapter weights; empty: none.
        safety: keep the safety checker of models that have one.
        download: fetch what is not on this machine; otherwise nothing is fetched.
        pickles: accept weights that are not safetensors, which can run code as they are read.

    Raises:
        InvalidRequest: a value is not allowed.
    """

    model: str
    device: str = "cpu"
    dtype: str = "auto"
    offload: Offload = Offload.NONE
    lora: str = ""
    safety: bool = True
    download: bool = False
    pickles: bool = False

    def __post_init__(self) -> None:
        allowed = ("auto", "float32", "float16", "bfloat16")
        if self.dtype not in allowed:
            raise InvalidRequest(f"dtype is {self.dtype!r}, allowed: {', '.join(allowed)}")
        if self.offload not in list(Offload):
            raise InvalidRequest(f"offload is {self.offload!r}, allowed: {', '.join(Offload)}")
        object.__setattr__(self, "offload", Offload(self.offload))
        if self.offload is Offload.SEQUENTIAL and self.device == "cpu":
            raise InvalidRequest(
                "generator_offload is sequential, but generator_device is cpu, where nothing can "
                "be spared by it",
                hint="set generator_offload to none, or generator_device to cuda",
            )


class PipelineGenerator:
    """A `Generator` around a loaded pipeline; one drawing at a time."""

    def __init__(self, pipe: Any, family: Family, *, name: str, sides: tuple[int, ...]) -> None:
        self._pipe = pipe
        self._family = family
        self._takes = set(inspect.signature(pipe.__call__).parameters)
        self._one = threading.Lock()
        self.about = About(
            name=name,
            languages=family.languages,
            native_px=family.native_px,
            sizes=tuple(sorted({*sides, family.native_px})),
            steps=family.steps,
            guidance=family.guidance,
        )

    def draw(self, wish: Wish, step: Step = silent) -> Iterator[Drawn]:
        """
        Draw, one picture after the other; see `Generator`.

        Raises:
            InvalidRequest: a negative prompt that the pipeline would not hear, or the safety
                checker refuses what was drawn.
            CannotDraw: not enough memory, or the pipeline failed.
        """
        size = size_of(wish, self.about)
        self._require_heard(wish)
        steps = wish.steps or self._family.steps
        for number in range(wish.n):
            before, total = number * steps, wish.n * steps
            step(before, total)
            with self._one:
                pixels = self._once(wish, size, number, _telling(step, before, total))
            yield Drawn(number, wish.seed_of(number), scaled(pixels, size))
            step(before + steps, total)

    def _guidance(self, wish: Wish) -> float:
        return self._family.guidance if wish.guidance is None else wish.guidance

    def _require_heard(self, wish: Wish) -> None:
        if not wish.negative:
            return
        if "negative_prompt" not in self._takes:
            raise InvalidRequest(f"negative is given, but {self.about.name} takes none")
        if self._guidance(wish) <= 1:
            raise InvalidRequest(
                f"negative is given, but guidance is {self._guidance(wish):g}, and only from above "
                "1 on it leads away from anything"
            )

    def _once(self, wish: Wish, size: int, number: int, tell: Callable[..., Any]) -> Pixels:
        wanted: dict[str, Any] = {
            "prompt": wish.prompt,
            "num_inference_steps": wish.steps or self._family.steps,
            self._family.guided_by: self._guidance(wish),
            "height": size, "width": size, "output_type": "np",
            "generator": _library("torch").Generator("cpu").manual_seed(wish.seed_of(number)),
            "callback_on_step_end": tell,
        }  # fmt: skip
        if wish.negative or self._family.needs_negative:
            wanted["negative_prompt"] = wish.negative or " "
        try:
            found = self._pipe(**{k: v for k, v in wanted.items() if k in self._takes})
        except CrosslensError:
            raise
        except Exception as exc:
            raise _failed(self.about.name, size, exc) from exc
        if any(getattr(found, "nsfw_content_detected", None) or ()):
            raise InvalidRequest("the safety checker refuses what was drawn for this prompt")
        return _pixels(found.images[0], self.about.name)


def load(pipeline: Pipeline, *, sides: tuple[int, ...] = SIDES) -> PipelineGenerator:
    """
    Load a pipeline.

    Raises:
        MissingExtra: the extra `generate` is not installed.
        NotFound: the model or the adapter is not on this machine, and `download` is off.
        InvalidRequest: the folder holds no pipeline, the adapter does not fit it, or the device
            is not there.
    """
    diffusers, torch = _library("diffusers"), _library("torch")
    options: dict[str, Any] = {
        "torch_dtype": _dtype(pipeline, torch), "local_files_only": not pipeline.download,
        "use_safetensors": None if pipeline.pickles else True,
    }  # fmt: skip
    if not pipeline.safety:
        options |= {"safety_checker": None, "requires_safety_checker": False}
    try:
        pipe = diffusers.AutoPipelineForText2Image.from_pretrained(pipeline.model, **options)
        _adapt(pipe, pipeline)
        _place(pipe, pipeline)
    except (OSError, ValueError, AssertionError, RuntimeError) as exc:
        raise _explained(pipeline, exc) from exc
    pipe.set_progress_bar_config(disable=True)
    kind = type(pipe).__name__
    name = Path(pipeline.model).name if Path(pipeline.model).exists() else pipeline.model
    return PipelineGenerator(pipe, family_of(kind, pipeline.model), name=name, sides=sides)


def _adapt(pipe: Any, pipeline: Pipeline) -> None:
    """Put the adapter's weights in; diffusers only warns where nothing of a file fits."""
    if not pipeline.lora:
        return
    if not Path(pipeline.lora).exists() and not pipeline.download:
        raise NotFound(
            f"generator_lora is {pipeline.lora!r}, which is not on this machine",
            hint="name a file or folder, or allow the download",
        )
    _library("peft")
    place = Path(pipeline.lora)
    named = {"weight_name": place.name} if place.is_file() else {}
    try:
        pipe.load_lora_weights(
            str(place.parent) if named else pipeline.lora,
            local_files_only=not pipeline.download,
            use_safetensors=None if pipeline.pickles else True,
            **named,
        )
        fits = any(pipe.get_list_adapters().values())
        reason = "nothing in it belongs to a part of this pipeline"
    except Exception as exc:  # noqa: BLE001 - every kind of broken file has an error of its own
        fits, reason = False, _first_line(exc)
    if not fits:
        raise InvalidRequest(
            f"generator_lora is {pipeline.lora!r}, which does not fit {pipeline.model}: {reason}",
            hint="it must be safetensors, made for this very kind of pipeline",
        )


def _place(pipe: Any, pipeline: Pipeline) -> None:
    if pipeline.offload is not Offload.NONE:
        _library("accelerate")
    if pipeline.offload is Offload.MODEL:
        pipe.enable_model_cpu_offload(device=pipeline.device)
    elif pipeline.offload is Offload.SEQUENTIAL:
        pipe.enable_sequential_cpu_offload(device=pipeline.device)
    else:
        pipe.to(pipeline.device)


def _dtype(pipeline: Pipeline, torch: Any) -> Any:
    if pipeline.dtype == "auto":
        return torch.float32 if pipeline.device == "cpu" else torch.float16
    return getattr(torch, pipeline.dtype)


def _explained(pipeline: Pipeline, exc: Exception) -> Exception:
    model, reason = pipeline.model, _first_line(exc)
    if not Path(model).exists() and not pipeline.download:
        return NotFound(
            f"{model} is not on this machine: {reason}",
            hint="name a folder, or allow the download",
        )
    return InvalidRequest(
        f"{model} cannot be loaded as a pipeline on {pipeline.device}: {reason}",
        hint="the folder needs a model_index.json and safetensors weights",
    )


def _first_line(exc: BaseException) -> str:
    return next(iter(str(exc).strip().splitlines()), type(exc).__name__)[:300]


def _failed(name: str, size: int, exc: Exception) -> CannotDraw:
    """Explain what a pipeline raised, and give back what it left behind on a GPU."""
    if not (isinstance(exc, MemoryError) or any(s in str(exc).lower() for s in _NO_ROOM)):
        return CannotDraw(f"{name} failed to draw: {_first_line(exc)}")
    cuda = _library("torch").cuda
    if cuda.is_available():
        cuda.empty_cache()
    return CannotDraw(
        f"{name} has not enough memory for {size} × {size}",
        hint="ask for smaller pictures, or set offload",
    )


def _telling(step: Step, before: int, total: int) -> Callable[..., Any]:
    """Give what diffusers calls after each step; what it raises ends the drawing."""

    def tell(pipe: Any, taken: int, time: Any, values: dict[str, Any]) -> dict[str, Any]:
        del pipe, time
        step(min(before + taken + 1, total), total)
        return values

    return tell


def _pixels(values: Any, name: str) -> Pixels:
    """Turn [H, W, 3] in [0, 1] into uint8."""
    array = np.asarray(values, np.float32)
    if array.ndim != 3 or array.shape[2] != 3 or not np.isfinite(array).all():
        raise CannotDraw(f"{name} gave something that is no picture", hint="try dtype float32")
    levels = np.rint(np.clip(array, 0, 1) * 255)
    return np.asarray(levels, np.uint8)


def _library(name: str) -> Any:
    """Import what only this module needs, when it is needed: serving runs without it."""
    try:
        return importlib.import_module(name)
    except ImportError as exc:
        raise MissingExtra(
            f"{name} is not installed", hint="pip install 'crosslens[generate]'"
        ) from exc

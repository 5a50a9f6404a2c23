"""What there is to draw with: bundles by name, a pipeline, a service."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from crosslens.encode.cards import CARD
from crosslens.errors import NotFound
from crosslens.generate.generator import Generator

PIPELINE = "diffusers:"
SERVICES = ("http://", "https://")


@dataclass(frozen=True, slots=True)
class Means:
    """
    What draws, as the settings say.

    Attributes:
        named: name or folder of a bundle, `diffusers:` and a folder or name, or a URL; empty: none
            in particular.
        folders: where bundles lie, one folder each; the first that has a name wins.
        threads: cores that draw; 0: all.
        key, model, timeout_s: of the service.
        device, dtype, offload, lora, safety, download: of the pipeline.
    """

    named: str
    folders: Sequence[Path]
    threads: int = 1
    key: str = ""
    model: str = ""
    timeout_s: float = 120.0
    device: str = "cpu"
    dtype: str = "auto"
    offload: str = "none"
    lora: str = ""
    safety: bool = True
    download: bool = False


def makers(means: Means) -> dict[str, Callable[[], Generator]]:
    """Say what loads each generator, the one that the settings name first."""
    bundles = {
        path.parent.name: partial(_bundle, path.parent, means.threads)
        for folder in reversed(means.folders)
        for path in sorted(folder.glob(f"*/{CARD}"))
    }
    named = means.named
    if not named:
        return dict(bundles)
    first = _named(means, bundles)
    return {named: first, **{k: v for k, v in bundles.items() if k != named}}


def _named(means: Means, bundles: dict[str, partial[Generator]]) -> Callable[[], Generator]:
    if means.named.startswith(PIPELINE):
        return partial(_pipeline, means)
    if means.named.startswith(SERVICES):
        return partial(_service, means)
    if means.named in bundles:
        return bundles[means.named]
    return partial(_bundle, Path(means.named).expanduser(), means.threads)


def _bundle(folder: Path, threads: int) -> Generator:
    from crosslens.generate.onnx import load_checked

    if not folder.is_dir():
        raise NotFound(
            f"there is no generator {str(folder)!r}",
            hint="name a folder that `crosslens train export-generator` wrote",
        )
    return load_checked(folder, threads=threads)


def _service(means: Means) -> Generator:
    from crosslens.generate.remote import RemoteGenerator, Service

    service = Service(url=means.named, key=means.key, model=means.model, timeout_s=means.timeout_s)
    return RemoteGenerator(service)


def _pipeline(means: Means) -> Generator:
    from crosslens.generate.pipelines import Offload, Pipeline, load

    return load(
        Pipeline(
            model=means.named.removeprefix(PIPELINE),
            device=means.device,
            dtype=means.dtype,
            offload=Offload(means.offload),
            lora=means.lora,
            safety=means.safety,
            download=means.download,
        )
    )

"""What a training runs on: its threads, its arithmetic, and the Ctrl-C that ends it."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator

import torch

from crosslens.errors import InvalidRequest
from crosslens.train.config import Precision, Training

_BFLOAT16 = ("amx_bf16", "avx512_bf16")  # what a CPU calls its instructions for it


def prepare_torch(config: Training) -> None:
    """
    Set threads and seed.

    Raises:
        InvalidRequest: the device is not there.
    """
    try:
        torch.empty(1, device=config.device)
    except (RuntimeError, AssertionError) as exc:
        raise InvalidRequest(
            f"device is {config.device!r}, which PyTorch cannot use here: {exc}",
            hint="use cpu, or cuda where a GPU and its PyTorch are installed",
        ) from exc
    if config.threads:
        torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)


def uses_bfloat16(config: Training) -> bool:
    """Whether the forward pass runs in bfloat16: unless said, where there are units for it."""
    if config.precision is not Precision.AUTO:
        return config.precision is Precision.BFLOAT16
    if config.device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    # Where a CPU has no instructions for it, bfloat16 is slower than float32.
    known = torch.cpu.get_capabilities()
    return config.device == "cpu" and any(known.get(name) for name in _BFLOAT16)


@contextlib.contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """
    Turn the first Ctrl-C into a flag, so that a step is never cut in half; the second interrupts.

    In a thread other than the main one, signals are none of ours and the flag stays down.
    """
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield flag
        return

    def raise_flag(signum: int, frame: object) -> None:
        flag.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, raise_flag)
    try:
        yield flag
    finally:
        signal.signal(signal.SIGINT, before)

"""What a piece of work costs: seconds, memory, operations; and what a larger one would, at the speed of a smaller."""

import ctypes
import gc
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psutil
import torch
from torch.utils.flop_counter import FlopCounterMode

_SAMPLING_SECONDS = 0.002


@dataclass(frozen=True)
class Cost:
    """Of one call."""

    seconds: float
    peak_gb: float  # the most memory at any moment above what was in use before; 2^30 bytes


def measure_cost(work: Callable[[], object], device: torch.device) -> Cost:
    """Call `work` once and look: wall seconds, and peak memory of the GPU, or else of this process.

    A process is looked at every 2 ms, so shorter peaks may be missed, which makes the figure a lower bound. What nobody
    refers to any more and what the allocator keeps is given back first, or `work` would be seen to take less.
    """
    gc.collect()
    _trim_heap()
    if device.type == "cuda":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        before, begun = torch.cuda.memory_allocated(), time.perf_counter()
        work()
        torch.cuda.synchronize()
        return Cost(time.perf_counter() - begun, (torch.cuda.max_memory_allocated() - before) / 2**30)
    process, stop = psutil.Process(), threading.Event()
    before = highest = process.memory_info().rss

    def watch() -> None:
        nonlocal highest
        while not stop.wait(_SAMPLING_SECONDS):
            highest = max(highest, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    begun = time.perf_counter()
    try:
        work()
    finally:
        seconds = time.perf_counter() - begun
        highest = max(highest, process.memory_info().rss)
        stop.set()
        watcher.join()
    return Cost(seconds, (highest - before) / 2**30)


def _trim_heap() -> None:
    """Give free memory of the C library's heap back to the system, where the library can."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):  # not glibc
        pass


def operations(work: Callable[[], object]) -> int:
    """Floating-point operations of convolutions, matrix products and attention in one call of `work`.

    A multiplication and an addition are two. Works on the device "meta" too, where nothing is computed.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


def sizes_within(
    seconds: float, sides: Sequence[int], measure: Callable[[int], float], work: Callable[[int], int]
) -> None:
    """Measure growing sizes until the next one would not fit.

    `measure(side)` runs and returns the seconds that it took, `work(side)` the operations that it takes; the time of
    the next side is extrapolated from the last one's speed. The first is always measured.
    """
    left, speed = seconds, None
    for side in sides:
        if speed is not None and work(side) / speed > left:
            return
        took = measure(side)
        left, speed = left - took, work(side) / max(took, 1e-9)

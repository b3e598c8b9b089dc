"""Seconds, memory and operations of work whose cost is known; and sizes that stay within the time."""

import gc
import subprocess
import sys
import time

import numpy as np
import torch

from vctlib.metrics.cost import measure_cost, operations, sizes_within
from vctlib.networks.maisi import LATENT, WINDOW, Maisi, n_windows

CPU = torch.device("cpu")


def test_time_and_memory_are_those_of_the_work():
    def work():
        kept = np.ones(2**25)  # 256 MiB, all of it touched
        time.sleep(0.05)
        return kept.sum()

    begun = time.perf_counter()
    cost = measure_cost(work, CPU)
    assert 0.05 <= cost.seconds <= time.perf_counter() - begun
    assert 0.2 <= cost.peak_gb < 0.5


def test_what_was_garbage_before_hides_nothing():
    garbage = [np.ones(2**25)]
    garbage.append(garbage)  # only the collector of cycles finds it
    gc.disable()
    try:
        del garbage
        cost = measure_cost(lambda: (gc.collect(), np.ones(2**25).sum()), CPU)
    finally:
        gc.enable()
    assert 0.2 <= cost.peak_gb < 0.5


KEPT = """
import ctypes, numpy, torch
from vctlib.metrics.cost import measure_cost
library = ctypes.CDLL(None)
assert library.mallopt(-3, 2**30) and library.mallopt(-1, 2**31 - 1)  # keep what is freed, as some libraries ask for
numpy.ones(2**25).sum()
print(measure_cost(lambda: numpy.ones(2**25).sum(), torch.device("cpu")).peak_gb)
"""


def test_what_the_allocator_keeps_is_given_back_first():
    done = subprocess.run([sys.executable, "-c", KEPT], capture_output=True, text=True, check=True)
    assert 0.2 <= float(done.stdout) < 0.5


def test_operations_of_a_product_and_a_convolution():
    assert operations(lambda: torch.ones(3, 5, device="meta") @ torch.ones(5, 7, device="meta")) == 2 * 3 * 5 * 7
    convolution = torch.nn.Conv3d(2, 3, 3, padding=1, device="meta")
    assert operations(lambda: convolution(torch.ones(1, 2, 4, 4, 4, device="meta"))) == 2 * 27 * 2 * 3 * 64


def test_sizes_grow_until_the_next_would_not_fit():
    measured = []

    def run(seconds: float) -> list[int]:
        measured.clear()
        sizes_within(seconds, [1, 2, 3, 4], lambda side: measured.append(side) or side**3, lambda side: side**3)
        return measured

    assert run(0) == [1]  # the smallest always
    assert run(9) == [1, 2] and run(8.9) == [1]  # 1 + 8 seconds
    assert run(1000) == [1, 2, 3, 4]


def test_peer_at_its_preset_costs_more_with_its_size():
    """On the device "meta" the networks of the full preset cost nothing to ask."""
    shapes = Maisi.build("meta")
    assert 100e6 < shapes.parameters < 500e6
    assert shapes.denoise((8, 8, 8)).shape == (1, 4, 8, 8, 8) and shapes.decode((8, 8, 8)).shape == (1, 1, 32, 32, 32)
    small, large = (operations(lambda side=side: shapes.decode((side,) * 3)) for side in (8, 16))
    assert large == 8 * small  # convolutions alone
    small, large = (operations(lambda side=side: shapes.denoise((side,) * 3)) for side in (8, 16))
    assert 6 * small < large < 64 * small  # attention adds to them, embeddings do not grow
    assert n_windows() == 12 and all(window < size for window, size in zip(WINDOW, LATENT, strict=True))

"""Independent pieces of work in several processes."""

import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from threadpoolctl import threadpool_limits

Item = TypeVar("Item")
Result = TypeVar("Result")


def n_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _begin_worker(parent: int) -> None:
    """One thread for linear algebra, for there is a process a core; and no life after the parent's."""
    threadpool_limits(1, user_api="blas")

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def run_in_processes(
    work: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    n_workers: int | None = None,
    deadline: float | None = None,
) -> Iterator[tuple[Item, Result]]:
    """Yield (item, work(item)) as each is ready, in any order; `work` and its results travel by pickle.

    After `deadline` (of `time.monotonic`) nothing new is begun, though always one item a worker. One worker means this
    very process. Raises what `work` raises, and RuntimeError where a worker was killed.
    """
    items = list(items)
    n_workers = min(n_workers or n_cores(), len(items))
    if n_workers <= 1:
        for number, item in enumerate(items):
            if number and deadline is not None and time.monotonic() > deadline:
                return
            with threadpool_limits(1, user_api="blas"):  # as in a worker: with more threads, last digits differ
                result = work(item)
            yield item, result
        return
    # Forked workers start at once and run in notebooks and scripts alike. They only use NumPy and SciPy, whose thread
    # pools survive a fork; macOS has libraries that do not, and gets fresh processes.
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(n_workers, context, _begin_worker, (os.getpid(),)) as pool:
        running = {pool.submit(work, item): item for item in items[:n_workers]}
        waiting = items[n_workers:][::-1]
        try:
            while running:
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    item = running.pop(future)
                    result = future.result()
                    if waiting and (deadline is None or time.monotonic() <= deadline):
                        following = waiting.pop()
                        running[pool.submit(work, following)] = following
                    yield item, result
        except BrokenProcessPool:
            raise RuntimeError("a worker process was killed, perhaps for want of memory; try fewer workers") from None

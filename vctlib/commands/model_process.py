"""Somebody else's model, run in a process of its own: it may raise, hang or crash, and the trial goes on.

A model is named `package.module:function` or `path/to/file.py:function`, a callable from (CT in HU, int16 (x, y, z);
affine, 4x4 in mm) to one number, or `path/to/model.onnx`, a graph from float32 HU (1, 1, x, y, z) to one number. Only a
model that its user names is ever run; it can do whatever Python code can do.
"""

import importlib
import importlib.util
import multiprocessing
import sys
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

import numpy as np

from vctlib.cohort import read_volume
from vctlib.errors import InputError
from vctlib.files import sha256

_SECONDS_TO_START = 300.0  # for imports and weights
Model = Callable[[np.ndarray, np.ndarray], float]


class Answer(NamedTuple):
    """What the model said of one image."""

    value: float  # NaN where it said nothing that counts
    problem: str  # why not, or ""
    seconds: float


def load_model(name: str) -> Model:
    """The callable that a name stands for. Raises InputError where there is none."""
    if name.endswith(".onnx"):
        return _onnx_model(Path(name))
    place, _, function = name.rpartition(":")
    if not place or not function:
        raise InputError(f"--model {name}: write package.module:function, file.py:function or model.onnx")
    try:
        module = _module_of_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except Exception as error:
        raise InputError(f"--model {name}: {place} cannot be imported ({_told(error)})") from None
    model = getattr(module, function, None)
    if not callable(model):
        raise InputError(f"--model {name}: {place} has no function {function}")
    return model


def _module_of_file(path: Path):
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")
    sys.path.insert(0, str(path.parent.resolve()))  # what lies beside it can be imported
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _onnx_model(path: Path) -> Model:
    if not path.is_file():
        raise InputError(f"--model {path}: no such file")
    import onnxruntime

    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:
        raise InputError(f"--model {path}: not a readable ONNX model ({_told(error)})") from None
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != 5 or inputs[0].type != "tensor(float)":
        found = ", ".join(f"{each.name} {each.type} {each.shape}" for each in inputs)
        raise InputError(f"--model {path}: needs one input, tensor(float) of shape (1, 1, x, y, z); it has {found}")

    def model(hu: np.ndarray, affine: np.ndarray) -> np.ndarray:
        return session.run(None, {inputs[0].name: hu[None, None].astype(np.float32)})[0]

    return model


def source_of(name: str) -> Path | None:
    """The file that holds the model, where it can be told; finds a module without importing it."""
    place = name if name.endswith(".onnx") else name.rpartition(":")[0]
    if place.endswith((".onnx", ".py")):
        return Path(place)
    try:
        spec = importlib.util.find_spec(place)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin) if spec and spec.origin and Path(spec.origin).is_file() else None


def fingerprint(name: str) -> str:
    """Changes with the name and with the file behind it."""
    source = source_of(name)
    return f"{name} {sha256(source) if source and source.is_file() else ''}"


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]


def _number(value) -> tuple[float, str]:
    """One finite number of what a model returned, or why it is none."""
    try:
        array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value, dtype=float)
    except (TypeError, ValueError):
        return float("nan"), f"answered with {type(value).__name__} in place of a number"
    if array.size != 1:
        return float("nan"), f"answered with {array.size} numbers in place of one"
    number = float(array.reshape(()))
    if not np.isfinite(number):
        return float("nan"), "answered with NaN" if np.isnan(number) else "answered with infinity"
    return number, ""


def _serve(name: str, search: list[str], pipe: Connection) -> None:
    """In the model's process: answer paths of volumes until the pipe closes."""
    sys.path[:] = search
    try:
        model = load_model(name)
    except InputError as error:
        pipe.send(str(error))
        return
    pipe.send("")
    while True:
        try:
            path = pipe.recv()
        except EOFError:
            return
        try:
            value, problem = _number(model(*read_volume(Path(path), np.int16)))
        except InputError as error:
            value, problem = float("nan"), f"could not be read ({error})"
        except Exception as error:
            value, problem = float("nan"), f"raised {_told(error)}"
        pipe.send((value, problem))


class ModelProcess:
    """The model of that name behind a process; `with` it, so that it ends with the trial."""

    def __init__(self, name: str, seconds: float) -> None:
        """`seconds`: how long one image may take. Raises InputError where the model cannot be loaded."""
        self.name, self.seconds = name, seconds
        self._process = self._pipe = None
        self._start()

    def __enter__(self) -> "ModelProcess":
        return self

    def __exit__(self, *reason) -> None:
        self._stop()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork of a process with threads may hang
        self._pipe, theirs = context.Pipe()
        search = [str(Path.cwd()), *sys.path]
        self._process = context.Process(target=_serve, args=(self.name, search, theirs), daemon=True)
        self._process.start()
        theirs.close()
        if not self._pipe.poll(_SECONDS_TO_START):
            self._stop()
            raise InputError(f"--model {self.name}: not loaded after {_SECONDS_TO_START:g} s")
        try:
            problem = self._pipe.recv()
        except EOFError:
            self._process.join()
            problem = f"--model {self.name}: its process ended while loading (exit code {self._process.exitcode})"
        if problem:
            self._stop()
            raise InputError(problem)

    def _stop(self) -> None:
        if self._process is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._process = None

    def answer(self, volume: Path) -> Answer:
        """The model's answer to one NIfTI file."""
        begun = time.monotonic()
        if self._process is None:
            try:
                self._start()
            except InputError as error:
                return Answer(float("nan"), str(error), time.monotonic() - begun)
        try:
            self._pipe.send(str(volume))
            if not self._pipe.poll(self.seconds):
                self._stop()
                return Answer(float("nan"), f"no answer after {self.seconds:g} s", time.monotonic() - begun)
            value, problem = self._pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join()
            code = self._process.exitcode
            self._stop()
            return Answer(float("nan"), f"its process ended (exit code {code})", time.monotonic() - begun)
        return Answer(value, problem, time.monotonic() - begun)

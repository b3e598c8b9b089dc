"""Models of somebody else: how they are named, and ONNX files."""

import numpy as np
import pytest

from vctlib.cohort import write_volume
from vctlib.commands.model_process import ModelProcess, load_model
from vctlib.errors import InputError


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no_colon", "write package.module:function"),
        ("no.such.package:predict", "cannot be imported .ModuleNotFoundError"),
        ("absent.py:predict", "no file absent.py"),
        ("absent.onnx", "no such file"),
    ],
)
def test_a_wrong_name_says_how_to_write_it(name, words):
    with pytest.raises(InputError, match=words):
        load_model(name)


def onnx_model(path, shape):
    """A graph that answers with the mean of its input."""
    from onnx import TensorProto, helper, save

    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, None)
    node = helper.make_node("ReduceMean", ["image"], ["answer"], keepdims=0)
    graph = helper.make_graph([node], "mean", [image], [answer])
    save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)


def test_an_onnx_file_is_a_model(tmp_path):
    onnx_model(tmp_path / "mean.onnx", [1, 1, "x", "y", "z"])
    hu = np.zeros((4, 4, 4), np.int16)
    hu[:3, 0, 0] = 25, 30, 5
    write_volume(tmp_path / "P5.nii.gz", hu, np.eye(4))
    with ModelProcess(str(tmp_path / "mean.onnx"), 30.0) as process:
        answer = process.answer(tmp_path / "P5.nii.gz")
        assert answer.value == pytest.approx((25 + 30 + 5) / 64) and answer.problem == ""
        damaged = tmp_path / "P0.nii.gz"
        damaged.write_bytes(b"not a volume")
        assert "could not be read" in process.answer(damaged).problem
    onnx_model(tmp_path / "flat.onnx", [1, 3])
    with pytest.raises(InputError, match="needs one input, tensor.float. of shape .1, 1, x, y, z.; it has image"):
        load_model(str(tmp_path / "flat.onnx"))
    (tmp_path / "broken.onnx").write_bytes(b"nothing")
    with pytest.raises(InputError, match="not a readable ONNX model"):
        load_model(str(tmp_path / "broken.onnx"))

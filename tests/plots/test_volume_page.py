"""The volume inside a page: what the page carries is the body, and nothing comes from outside."""

import base64
import gzip
import json
import re

import nibabel as nib
import numpy as np

from vctlib.plots.volume_page import volume_html


def carried(page):
    """The volumes that a page holds, by file name."""
    found = re.search(r"const volumes = (\[.*?\]);\n", page, re.S)
    return {v["name"]: nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(v["base64"])))
            for v in json.loads(found[1])}  # fmt: skip


def test_the_page_holds_the_body_in_its_place():
    rng = np.random.default_rng(0)
    hu, labels = rng.uniform(-1024, 2000, (6, 7, 8)).astype(np.float32), rng.integers(0, 17, (6, 7, 8))
    affine = np.diag([8.0, 8, 8, 1])
    affine[:3, 3] = -20, 5, 7
    volumes = carried(volume_html("one", "A body", hu, affine, labels))
    assert list(volumes) == ["ct.nii.gz", "labels.nii.gz"]
    assert np.abs(np.asarray(volumes["ct.nii.gz"].dataobj) - hu).max() <= 2.01
    np.testing.assert_array_equal(np.asarray(volumes["labels.nii.gz"].dataobj), labels)
    for image in volumes.values():
        np.testing.assert_allclose(image.affine, affine)


def test_the_same_body_makes_the_same_page_and_words_are_escaped():
    hu = np.zeros((3, 3, 3), np.float32)
    page = volume_html("one", 'A "tall" <man>', hu, np.eye(4))
    assert page == volume_html("one", 'A "tall" <man>', hu, np.eye(4))
    assert "<man>" not in page and "A &quot;tall&quot; &lt;man&gt;" in page
    assert "$" not in page.replace("${what}", "")


def test_nothing_comes_from_outside():
    page = volume_html("one", "A body", np.zeros((3, 3, 3), np.float32), np.eye(4))
    assert not re.search(r"https?://|//cdn", page)
    assert re.findall(r'<script src="([^"]+)"', page) == ["_static/niivue/niivue.umd.js"]

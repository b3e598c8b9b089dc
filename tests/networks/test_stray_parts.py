"""Organs of one piece are left in one piece, and nothing else is touched."""

import numpy as np
import torch

from vctlib.anatomy import PAPER16, ids_of
from vctlib.networks.stray_parts import without_stray_parts

LIVER, AORTA, BONE = (ids_of(PAPER16, name)[0] for name in ("liver", "aorta", "bone"))
SHAPE = (24, 12, 12)


def drawn(*boxes: tuple[int, tuple[slice, ...]]) -> tuple[np.ndarray, torch.Tensor]:
    """A label map of boxes, and logits of which it is the largest; bone is the second likeliest everywhere."""
    labels = np.zeros(SHAPE, np.uint8)
    for number, box in boxes:
        labels[box] = number
    logits = torch.zeros(len(PAPER16) + 1, *SHAPE)
    logits[BONE] = 1
    logits.scatter_(0, torch.from_numpy(labels.astype(np.int64))[None], 2.0)
    return labels, logits


WHOLE = (slice(2, 8), slice(2, 8), slice(2, 8))
APART = (slice(14, 18), slice(4, 8), slice(0, 4))


def test_a_second_liver_becomes_what_is_likeliest_without_it():
    labels, logits = drawn((LIVER, WHOLE), (LIVER, APART))
    before = logits.clone()
    cleaned = without_stray_parts(labels, logits)
    assert (cleaned[WHOLE] == LIVER).all() and (cleaned[APART] == BONE).all()
    untouched = np.ones(SHAPE, bool)
    untouched[APART] = False
    assert np.array_equal(cleaned[untouched], labels[untouched])
    assert torch.equal(logits, before)


def test_parts_two_voxels_apart_are_one_and_vessels_may_break():
    near = (slice(10, 12), slice(2, 8), slice(2, 8))
    labels, logits = drawn((LIVER, WHOLE), (LIVER, near))
    assert np.array_equal(without_stray_parts(labels, logits), labels)
    labels, logits = drawn((AORTA, WHOLE), (AORTA, APART))
    assert np.array_equal(without_stray_parts(labels, logits), labels)


def test_nothing_is_found_where_there_is_nothing():
    labels, logits = drawn()
    assert np.array_equal(without_stray_parts(labels, logits), labels)

"""Rare structures weigh more in the cross-entropy, by the root of how rare they are."""

import numpy as np
import pytest
import torch

from vctlib.training.class_weights import DiceAndCrossEntropy, class_weights


def test_weights_go_with_the_root_of_rarity_from_one_to_ten():
    labels = np.zeros((2, 100, 10, 10), np.uint8)
    flat = labels.reshape(2, -1)
    for number, (begin, count) in {1: (0, 4000), 2: (4000, 400), 3: (4400, 100), 4: (4500, 1)}.items():
        flat[:, begin : begin + count] = number
    found = class_weights(labels, 6)  # nobody has the fifth; the median structure has 250 voxels
    assert found[:4].tolist() == pytest.approx([1, 1, 1, np.sqrt(2.5)])
    assert found[4] == 10 and found[5] == 1
    assert class_weights(np.zeros((1, 2, 2, 2), np.uint8), 3).tolist() == [1, 1, 1]


def test_a_weighted_class_counts_more_and_a_share_of_zero_is_dice_alone():
    labels = torch.tensor([0, 0, 0, 1]).view(1, 1, 4, 1, 1)
    unsure = torch.zeros(1, 2, 4, 1, 1)
    unsure[:, 0] = 2.0  # takes everything for background
    plain, weighted, dice = (
        DiceAndCrossEntropy(share, torch.tensor([1.0, weight]))(unsure, labels).item()
        for share, weight in ((1.0, 1.0), (1.0, 9.0), (0.0, 9.0))
    )
    right, wrong = np.log(1 + np.exp(-2.0)), np.log(1 + np.exp(2.0))
    assert plain - dice == pytest.approx((3 * right + wrong) / 4, rel=1e-5)
    assert weighted - dice == pytest.approx((3 * right + 9 * wrong) / 12, rel=1e-5)

"""The principal components of a `BlockStage`, from blocks of training people."""

from collections.abc import Callable

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from vctlib.errors import InputError
from vctlib.networks.block_stage import BlockStage

_PEOPLE, _BLOCKS = 128, 16000  # at most; blocks evenly from evenly chosen people


def fit_components(
    stage: BlockStage, volume: Callable[[int], Tensor], mask: Callable[[int], np.ndarray], n_people: int, seed: int
) -> None:
    """Solve for the components of a stage.

    `volume(i)` is the standardised volume (channel, x, y, z) of person i; only blocks that `mask(i)` (bool, x, y, z)
    touches are looked at, because most of a grid is air. Raises InputError where there are fewer such blocks than
    components.
    """
    chosen = np.unique(np.linspace(0, n_people - 1, min(_PEOPLE, n_people)).astype(int))
    most = _BLOCKS // len(chosen)
    found = []
    for person in chosen:
        inside = _blocks(torch.from_numpy(mask(person))[None], stage.downsampling).any(1).nonzero()[:, 0].numpy()
        rng = np.random.default_rng([seed, person])
        kept = np.sort(rng.choice(inside, min(most, len(inside)), replace=False))
        found.append(_blocks(volume(person), stage.downsampling)[torch.from_numpy(kept)])
    blocks = torch.cat(found).numpy()
    if len(blocks) <= stage.latent_channels:
        raise InputError(f"{len(blocks)} blocks are too few for {stage.latent_channels} principal components")
    pca = PCA(stage.latent_channels, random_state=seed).fit(blocks)
    scale = np.sqrt(pca.explained_variance_)
    scale = scale.clip(1e-3 * scale.max() + 1e-6)  # a component of nothing must not be blown up to unit variance
    stage.set_components(*(torch.from_numpy(part).float() for part in (pca.mean_, pca.components_, scale)))


def _blocks(volume: Tensor, block: int) -> Tensor:
    """(channel, x, y, z) -> (blocks, channel * block^3), blocks in the order of the grid."""
    cubes = volume.unfold(1, block, block).unfold(2, block, block).unfold(3, block, block)
    return cubes.permute(1, 2, 3, 0, 4, 5, 6).reshape(-1, volume.shape[0] * block**3)

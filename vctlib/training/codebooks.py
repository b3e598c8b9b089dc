"""Codebooks for the latents of an autoencoder that has none.

They are means of k-means, which makes the mean squared distance of latents to their codes as small as it gets, up to
local optima: what is lost with them is about the least that codebooks of that size lose on these latents.
"""

from collections.abc import Iterable

import numpy as np
import torch
from sklearn.cluster import MiniBatchKMeans

from vctlib.errors import InputError
from vctlib.networks.quantised import codebook, quantise

_BATCH = 8192  # latents


def fit_codebooks(latents: np.ndarray, sizes: Iterable[int], seed: int = 0) -> list[torch.Tensor]:
    """Codebooks of `sizes` codes, (codes, channel) float32 each; every one is fitted to what those before it leave.

    latents: (n, channel). Of latents that are equal, as those of air, one counts. Raises InputError where there are
    fewer different latents than codes.
    """
    left = torch.from_numpy(np.unique(np.asarray(latents, np.float32), axis=0))
    books: list[torch.Tensor] = []
    for size in sizes:
        if not 0 < size <= len(left):
            raise InputError(f"{size} codes need as many different latents; there are {len(left)}: take more people")
        means = MiniBatchKMeans(size, batch_size=_BATCH, n_init=1, random_state=seed, compute_labels=False)
        books.append(torch.from_numpy(means.fit(left.numpy()).cluster_centers_.astype(np.float32)))
        left = left - quantise(left, [codebook(books[-1])])
    return books

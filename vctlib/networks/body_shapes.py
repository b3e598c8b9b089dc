"""What shape bodies have: everybody's displacement from one template, and the directions in which people differ.

In a frame that goes with the body (`vctlib.networks.body_frame`) like lies near like; deformed to a template, like lies
on like. What is left is what bodies look like, and a sum of such bodies is sharp. How somebody is deformed is a few
numbers of her, as her height is.

Source: Cootes et al. 2001 (active appearance models: principal components of shapes, and of what bodies of one shape
look like).
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vctlib.errors import InputError
from vctlib.intensity import compand, denormalise_hu, expand, normalise_hu
from vctlib.network_config import DeformationConfig
from vctlib.networks.registration import register
from vctlib.networks.resampling import at_points, spline, straight

_HALF, _LATTICE = 2, 4  # voxels of the frame: of images that are registered, and of displacements that are kept
# A displacement is inverted by steps towards a fixed point, each of a share of what is missed: whole steps diverge
# where neighbours move apart by more than their distance, as in the fat of heavy people.
_STEP_SHARE = 0.7
_TOLERANCE = 0.02  # of two voxels; reached after 7 to 26 steps
_MAX_STEPS = 50  # a draw that folds space has no inverse


class BodyShapes(nn.Module):
    """A template, and displacements from it on a lattice of every fourth voxel, in voxels of the frame: their mean and
    `config.n_shapes` principal components of standard deviation 1 in training people."""

    def __init__(self, config: DeformationConfig, grid: tuple[int, int, int]):
        super().__init__()
        self.config, self.grid = config, grid
        lattice = [size // _LATTICE for size in grid]
        self.register_buffer("template", torch.zeros([size // _HALF for size in grid]))  # companded
        self.register_buffer("mean", torch.zeros(3, *lattice))
        self.register_buffer("components", torch.zeros(config.n_shapes, 3, *lattice))

    def displacement(self, small: np.ndarray) -> np.ndarray:
        """Of the template to a CT in the frame, as `halved` gives it: (3, lattice), float32."""
        field = register(self.template.cpu().numpy(), small, self.config.iterations, self.config.smoothing)
        return _HALF * F.avg_pool3d(torch.from_numpy(field), _LATTICE // _HALF).numpy()

    def need_people(self, count: int) -> None:
        """Raises InputError for too few people to learn these shapes from."""
        if count <= (least := self.config.n_shapes):
            raise InputError(f"{least} shapes need more than {least} people, not {count}; lower n_shapes")

    @torch.no_grad()
    def fit(self, displacements: np.ndarray) -> None:
        """Learn mean and components from training people's displacements (n, 3, lattice).

        Raises InputError for no more people than components.
        """
        count, people = self.config.n_shapes, len(displacements)
        self.need_people(people)
        rows = torch.from_numpy(np.array(displacements, np.float32)).flatten(1)
        self.mean.copy_(rows.mean(0).view_as(self.mean))
        rows = rows - rows.mean(0)
        wide = rows.double()
        vectors = torch.linalg.eigh(wide @ wide.T)[1].flip(1)[:, :count]
        components = (vectors / (people - 1) ** 0.5).T.float() @ rows  # each of length SD
        self.components.copy_(components.view_as(self.components))

    def coefficients(self, framed_hu: np.ndarray) -> tuple[float, ...]:
        """How a CT (x, y, z) in HU in the frame is deformed: `n_shapes` numbers of about unit variance."""
        return self.project(self.displacement(halved(framed_hu)))

    def project(self, displacement: np.ndarray) -> tuple[float, ...]:
        """The components' coefficients of a displacement (3, lattice)."""
        components = self.components.flatten(1).double().cpu()
        left = torch.from_numpy(displacement).flatten().double() - self.mean.flatten().double().cpu()
        sizes = components.square().sum(1)
        return tuple((components @ left / sizes.clamp_min(1e-6 * sizes.max())).tolist())

    def displacements_at(self, coefficients: tuple[float, ...]) -> np.ndarray:
        """Of the template's voxels (3, x, y, z), in voxels of the frame, of who has these coefficients."""
        return _between(self._kept(coefficients), _LATTICE, [np.arange(size) for size in self.grid])

    def back_from(self, coefficients: tuple[float, ...], positions: list[np.ndarray]) -> np.ndarray:
        """Where in the template somebody's points lie (3, x', y', z'), given as positions in the frame along each
        axis, in voxels."""
        half = [np.arange(size // _HALF) * _HALF + (_HALF - 1) / 2 for size in self.grid]
        forth = torch.from_numpy(_between(self._kept(coefficients), _LATTICE, half)) / _HALF
        own = straight([np.arange(len(axis)) for axis in half]).astype(np.float32)
        ends = np.array([len(axis) - 1.0 for axis in half], np.float32).reshape(3, 1, 1, 1)
        back = np.zeros_like(own)
        for _ in range(_MAX_STEPS):
            missed = back + at_points(forth, (own + back).clip(0, ends), order=1).numpy()
            if np.abs(missed).max() < _TOLERANCE:
                break
            back -= _STEP_SHARE * missed
        return straight(positions) + _between(_HALF * back, _HALF, positions)

    def deformed_template(self, coefficients: tuple[float, ...]) -> np.ndarray:
        """The template (x, y, z) as who has these coefficients would show it, in HU, at every second voxel of the
        frame."""
        half = [np.arange(size // _HALF) * _HALF + (_HALF - 1) / 2 for size in self.grid]
        points = (self.back_from(coefficients, half) - (_HALF - 1) / 2) / _HALF
        return denormalise_hu(expand(at_points(self.template.cpu(), points, order=1).numpy()))

    def _kept(self, coefficients: tuple[float, ...]) -> np.ndarray:
        weights = torch.tensor(coefficients, dtype=torch.float32, device=self.mean.device)
        return (self.mean + torch.tensordot(weights, self.components, dims=1)).cpu().numpy()


def halved(framed_hu: np.ndarray) -> np.ndarray:
    """A CT (x, y, z) in HU in the frame, companded, means of two voxels along each axis."""
    scaled: Tensor = compand(normalise_hu(torch.from_numpy(np.asarray(framed_hu, np.float32))))
    return F.avg_pool3d(scaled[None, None], _HALF)[0, 0].numpy()


def _between(field: np.ndarray, spacing: int, positions: list[np.ndarray]) -> np.ndarray:
    """A field (3, x, y, z) whose samples are means of `spacing` voxels along each axis, by cubic splines at positions
    in voxels; beyond them as at their end."""
    scaled = [
        ((along - (spacing - 1) / 2) / spacing).clip(-0.49, size - 0.51)
        for along, size in zip(positions, field.shape[1:], strict=True)
    ]
    x, y, z = (spline(size, along, 3) for size, along in zip(field.shape[1:], scaled, strict=True))
    return np.einsum("ax,by,cz,kxyz->kabc", x, y, z, field, optimize=True)

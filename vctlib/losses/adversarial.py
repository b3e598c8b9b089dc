"""The adversarial loss of the autoencoders: a 3-D patch discriminator with the least-squares criterion.

Source: killeen2025 equation 2 (L_GAN); Isola et al. 2017 (patches); Mao et al. 2017 (least squares).
"""

import torch
from monai.losses import PatchAdversarialLoss
from monai.networks.nets import PatchDiscriminator
from torch import nn


class AdversarialLoss:
    """MONAI's discriminator and the two losses around it.

    The discriminator is passed to each call because the one in training may be wrapped. It has instance norm: batches
    hold one or two patches, and no running statistics need a place in checkpoints. Patches need 12 voxels an axis.

    `patch` is the shortest side of a patch in voxels. Below 20, two strided layers would leave the last convolution
    fewer voxels than its kernel of four; oneDNN's bfloat16 then returns weight gradients from memory that was never
    written (torch 2.13), so such patches get one layer.
    """

    def __init__(self, channels: int, patch: int, features: int = 32):
        layers = 2 if patch >= 20 else 1
        self.discriminator = PatchDiscriminator(
            spatial_dims=3, in_channels=channels, channels=features, num_layers_d=layers, norm="INSTANCE"
        )
        # by default MONAI puts a leaky ReLU before the squares, which is not the least-squares GAN
        self._criterion = PatchAdversarialLoss(criterion="least_squares", no_activation_leastsq=True)

    def generator(self, discriminator: nn.Module, reconstruction: torch.Tensor) -> torch.Tensor:
        """Mean of (D(reconstruction) - 1)^2, which the autoencoder descends."""
        return self._criterion(_judgement(discriminator, reconstruction), True, for_discriminator=False)

    def discriminating(
        self, discriminator: nn.Module, reconstruction: torch.Tensor, real: torch.Tensor
    ) -> torch.Tensor:
        """Half of the means of D(reconstruction)^2 and (D(real) - 1)^2, which the discriminator descends."""
        fake = self._criterion(_judgement(discriminator, reconstruction.detach()), False, for_discriminator=True)
        return (fake + self._criterion(_judgement(discriminator, real), True, for_discriminator=True)) / 2


def _judgement(discriminator: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The last of MONAI's outputs; those before are intermediate features."""
    return discriminator(x.float())[-1].float()

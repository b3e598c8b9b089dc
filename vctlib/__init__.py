"""Virtual clinical trials of radiology AI with conditional generative modelling."""

__version__ = "0.1.0"

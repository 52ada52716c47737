"""Rows of networks that spandrel does not know, given as code: the paper's own examples and their kin."""

from row import Row

_SIGNED, _BYTES = (-1.0, 1.0), (0.0, 255.0)

ROWS = (
    Row("paper-SRResNet", None, "SRResNet"),
    Row("paper-SRResNet-plain", None, "SRResNet", {"features": 12, "blocks": 1, "norm": False}),
    Row("paper-DnCNN", None, "DnCNN"),
    Row("paper-DnCNN-grey", None, "DnCNN", {"features": 8, "layers": 4, "channels": 1}),
    Row("paper-CycleGAN", None, "CycleGAN", value_range=_SIGNED),
    Row("paper-pix2pix-6", None, "Pix2Pix", {"downs": 6}, value_range=_SIGNED),
    Row("paper-pix2pix-8", None, "Pix2Pix", value_range=_SIGNED),
    Row("paper-pix2pix-6-instance", None, "Pix2Pix", {"downs": 6, "norm": "instance"}, value_range=_SIGNED),
    Row("paper-pix2pix-8-instance", None, "Pix2Pix", {"norm": "instance"}, value_range=_SIGNED),
    Row("paper-Johnson", None, "Johnson", value_range=_BYTES),
)

"""Deep Network Interpolation, from checkpoints to production.

    dni_deploy.export(["A.pth", "B.pth"], "model.onnx", alpha_input=True)
    theta = dni_deploy.blend(["A.pth", "B.pth"], alpha=0.3)

The models run with `dni_runtime`. PyTorch is imported by the first call of `blend`, `export`,
`fit` or `write_blend`, not by importing this package.
"""

from dni_exporters import blend, export, fit, write_blend

from .calibrating import CalibrationReport, calibrate
from .films.enhance_film import enhance_film
from .films.making.report import FilmReport
from .image_files.read_write import read_image, write_image
from .photographs.contact_sheet import contact_sheet
from .photographs.enhance_files import enhance_files
from .photographs.planned import EnhancedFile

__all__ = [
    "CalibrationReport",
    "EnhancedFile",
    "FilmReport",
    "blend",
    "calibrate",
    "contact_sheet",
    "enhance_files",
    "enhance_film",
    "export",
    "fit",
    "read_image",
    "write_blend",
    "write_image",
]

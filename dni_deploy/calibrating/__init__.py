"""`dni calibrate`: which alpha fits which noise, or which quality of a JPEG, found with the model on clean photographs.

    report = calibrate(Path("model.onnx"), Path("photos"), noise=[5, 15, 25, 50])

`clean` cuts photographs, `degrade` spoils them, `best` finds the alpha that brings each nearest to what it was, and
`store` puts it into the model's file.
"""

from .job import CalibrationReport, calibrate

__all__ = ["CalibrationReport", "calibrate"]

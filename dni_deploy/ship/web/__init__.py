"""Models as a static page: ONNX Runtime in the browser, a slider for alpha, and the module that other pages import.

ship_web([Path("denoise.onnx")], Path("site"))   # then: any static host, or `dni ship web -o site --serve`
"""

from .serve import serve_site
from .site import WebReport, ship_web

__all__ = ["WebReport", "serve_site", "ship_web"]

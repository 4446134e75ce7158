"""The pages a person sees, rendered on the server. Pure: values in, HTML out.

Routes load the values of `views`, call one of these functions, and add `SECURITY_HEADERS`.
"""

from chalicelib.web.cursor import LiveCursor
from chalicelib.web.layout import SECURITY_HEADERS, STATIC, static_file
from chalicelib.web.pipeline import live_update, render_pipeline
from chalicelib.web.pipelines import render_pipelines
from chalicelib.web.plain import render_error, render_login
from chalicelib.web.views import JobView, PipelineView

__all__ = [
    "SECURITY_HEADERS",
    "STATIC",
    "JobView",
    "LiveCursor",
    "PipelineView",
    "live_update",
    "render_error",
    "render_login",
    "render_pipeline",
    "render_pipelines",
    "static_file",
]

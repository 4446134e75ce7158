"""The one table of images: what a config may ask for → the image a container is copied from.

Adding an image to an installation adds its lines here. Nothing else belongs in this file.
"""

__all__ = ["DEFAULT_IMAGE", "IMAGES"]

DEFAULT_IMAGE = "base"
"""For `machine: true`, and for a job that names no executor.

CircleCI refuses a job without an executor. Berth lets it be, deliberately: here every job runs in
a system container, so there is nothing that the writer has to choose.
"""

IMAGES = {
    "berth/base": "base",
    "debian:12": "base",
    "debian:bookworm": "base",
}

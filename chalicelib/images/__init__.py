"""Images for jobs' containers, one file each, as host specs: languages, databases, tools.

>>> from chalicelib.images import find_image, image_names
>>> "base" in image_names(), find_image("base").parent
(True, None)
"""

from chalicelib.images.image import Image, find_image, image_names

__all__ = ["Image", "find_image", "image_names"]

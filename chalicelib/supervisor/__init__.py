"""What runs on the host beside one attempt. Standard library only; shipped as one file.

`bundle.bundle()` makes that file; `wire.md` of this package is `chalicelib/model/attempt.py`, the
other end. Nothing here may import anything else of `chalicelib`, or anything that Python 3.9 lacks.
This module stays empty, so that importing one part on the host costs only that part.
"""

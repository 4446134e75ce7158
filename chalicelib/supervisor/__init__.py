"""What runs on the host beside one attempt. Standard library only; shipped as one file.

`bundle.bundle()` makes that file; `chalicelib/model/attempt.py` is the other end of what it says.
Nothing here may import anything else of `chalicelib`, or anything that Python 3.9 lacks.
This module stays empty, so that importing one part on the host costs only that part.
"""

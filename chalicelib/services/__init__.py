"""One use case per file: load, call pure code, save. Settings and drivers come as arguments."""

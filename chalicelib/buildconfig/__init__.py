"""The config compiler: text in, jobs out. Pure."""

"""Ready-made groups of resources: functions with arguments, one file each, named as the file.

`./berth host plan CRATE` takes any of them by its name. Crates that ask for the same package or
folder go together; see `build_host`.
"""

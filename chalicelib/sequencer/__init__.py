"""Starting what runs by itself: planners and executions of `run_job`. See `protocol`."""

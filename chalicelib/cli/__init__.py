"""The command line, `./berth`."""

"""The whole cloud on one machine. Never packaged for Lambda."""

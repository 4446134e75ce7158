"""What runs on the host beside one attempt. Standard library only; shipped as one file."""

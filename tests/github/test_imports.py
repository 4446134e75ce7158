import subprocess
import sys
from pathlib import Path


def test_reading_deliveries_imports_no_heavy_library() -> None:
    """The webhook function's cold start pays for what this package imports."""
    program = "import sys, chalicelib.github; print('\\n'.join(sys.modules))"

    loaded = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
    ).stdout.split()

    assert "chalicelib.github.webhook" in loaded
    assert {"yaml", "boto3", "botocore", "pynamodb", "urllib3", "http.client"} & set(
        loaded
    ) == set()

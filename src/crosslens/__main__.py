"""`python -m crosslens` and the `crosslens` command."""

from __future__ import annotations

from crosslens.cli.main import run


def main() -> None:
    """Run the command line and leave with its exit code."""
    raise SystemExit(run())


if __name__ == "__main__":
    main()

"""Speed and memory, measured against peers and limits in the same run: `python -m benchmarks`."""

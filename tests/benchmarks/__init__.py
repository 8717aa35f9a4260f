"""Speed and recall, as ratios measured in one run; ``python -m tests.benchmarks``."""

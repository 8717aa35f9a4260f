"""Speed and recall, as ratios measured in one run; ``python -m tests.benchmarks``."""

# Ahead of numpy: a device's processes import it first, and it settles numpy's threads.
import edge  # noqa: F401

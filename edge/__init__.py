"""The device: crops in, decisions out, with an inference runtime and never torch.

numpy's matrix products run on one thread here. They are small, the other cores belong to decoding
and inference, and a second BLAS thread that waits for a busy core makes a search ten times slower.
OpenBLAS reads this when numpy is first imported, so it is said before anything else of the package.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

"""What needs a GPU: run it with ``python -m tests.gpu`` on a machine that has one."""

"""Intrinsics: a lens from views of a board, and how far it can be trusted."""

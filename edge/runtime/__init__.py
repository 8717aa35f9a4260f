"""Inference backends behind one seam: crops in, unit embeddings out."""

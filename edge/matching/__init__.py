"""From embeddings to decisions: indices over centroids, consensus, the full check, routing."""

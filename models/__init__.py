"""The shared ground of trainer and device: what a model is, how it decides and how it travels."""

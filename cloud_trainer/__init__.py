"""The trainer: product photos in, trained, measured and thresholded bundles out."""

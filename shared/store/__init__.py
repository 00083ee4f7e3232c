"""Documents, blobs and the repositories on them."""

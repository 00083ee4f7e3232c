"""The embedded default: documents, blobs and queues in one SQLite file."""

"""MongoDB: the document port on pymongo, blobs in GridFS."""

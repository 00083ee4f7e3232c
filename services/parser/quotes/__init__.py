"""Finds quoted text in a mail: attributions, header blocks, markers, signatures, mark-up."""

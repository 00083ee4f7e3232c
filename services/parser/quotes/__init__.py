"""Where a mail stops being the sender's own words: attributions, header blocks, markers, signatures, mark-up."""

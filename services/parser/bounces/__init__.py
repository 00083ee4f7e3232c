"""What a delivery report says: machine-readable fields, private prose, and the codes in both."""

"""What a mail means: pure functions from facts to a decision. Nothing here reads or writes a store."""

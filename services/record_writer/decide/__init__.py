"""The decision about a mail: pure functions from facts to a decision. Nothing here reads or writes a store."""

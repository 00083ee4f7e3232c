"""The configuration: its model, and how a file is read, checked and written. `shared.store.configuration` keeps it."""

"""The configuration as people work with it: check, apply, versions, and a form for each thing."""

"""The decision about a mail: pure functions from facts to a decision. Nothing here reads or writes a store.

`plan` has the order of the steps, `facts` and `lookups` what they read, `model` what they return. Each kind of mail
that needs a decision of its own has a module here; what the kinds share is in one folder for each topic.
"""

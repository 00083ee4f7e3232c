"""What the desk does by itself when a record changes: rules, service levels, approvals. Pure."""

"""HTTP intake: raw mail by POST, from integrators and from the forms of mail services (decision 0170)."""

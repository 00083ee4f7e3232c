"""What all connections to mail servers share: connections, logins, results of connection tests."""

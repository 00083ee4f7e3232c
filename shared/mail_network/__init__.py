"""What every conversation with a mail server needs: connections, logins, results of connection tests."""

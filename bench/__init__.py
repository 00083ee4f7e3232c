"""How fast, at what cost, and is it all there? `python -m bench` measures whole processes on whole mails."""

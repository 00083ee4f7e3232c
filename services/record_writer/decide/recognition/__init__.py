"""How the record that a mail is about is recognised: by token, conversation id, number or thread. Pure."""

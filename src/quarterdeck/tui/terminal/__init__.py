"""How the console is brought to its terminal: what is sent, how fast, in which signs, and what comes back."""

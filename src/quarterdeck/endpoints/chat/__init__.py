"""Prompts and their answers as streams, in every engine's own interface. Only `quarterdeck.engine.chat.sending` calls it."""

"""The line mode (`quarterdeck --reader`): what a screen reader, a braille line or a dumb terminal can follow. Whole lines, in words."""

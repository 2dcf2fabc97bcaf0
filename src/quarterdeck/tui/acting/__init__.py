"""From a key, a menu or the palette to a job: what can be done to the selected rows, and what is asked before it is done."""

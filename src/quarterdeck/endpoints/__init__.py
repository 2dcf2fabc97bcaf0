"""One adapter per kind of model server, behind one small protocol. A poll always ends in a Reading, never in an exception."""

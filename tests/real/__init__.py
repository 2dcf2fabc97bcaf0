"""Tests against real model servers. They run one at a time, alone on the machine: `make real`."""

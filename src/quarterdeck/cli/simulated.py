"""The options of `demo` and `tour`."""

from __future__ import annotations

import argparse


def demo(parser: argparse.ArgumentParser, *, ascii_help: str, reader_help: str) -> None:
    """`quarterdeck demo`."""
    parser.add_argument("--serve", action="store_true", help="run only the servers, and print a JSON line for each")
    text = "another load; the same number gives the same one"
    parser.add_argument("--seed", type=int, default=0, metavar="N", help=text)
    parser.add_argument("--calm", action="store_true", help="without the trouble")
    text = "also record what is seen, to be played by `replay`"
    parser.add_argument("--record", metavar="FILE", default=argparse.SUPPRESS, help=text)
    tour(parser, ascii_help=ascii_help)
    parser.add_argument("--reader", action="store_true", default=argparse.SUPPRESS, help=reader_help)


def tour(parser: argparse.ArgumentParser, *, ascii_help: str) -> None:
    """`quarterdeck tour`: how it looks."""
    text = "theme of the console, for this run"
    parser.add_argument("--theme", metavar="NAME", default=argparse.SUPPRESS, help=text)
    parser.add_argument("--ascii", action="store_true", default=argparse.SUPPRESS, help=ascii_help)

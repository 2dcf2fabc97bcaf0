"""How far a prompt travels when it is sent to a URL, where the fleet file doesn't say.

=========================================================================  ==========
host of the URL                                                            boundary
=========================================================================  ==========
localhost, \\*.localhost, 127.0.0.0/8, ::1, and 0.0.0.0 or :: (this machine)  local
10/8, 172.16/12, 192.168/16, 169.254/16, 100.64/10 (carrier NAT and
overlay networks), fc00::/7, fe80::/10                                     vpc
a name without a dot, and names under .local or .internal                  vpc
everything else, names that aren't plain ASCII or end in a dot included    external
=========================================================================  ==========

It is a guess from the address alone: when in doubt it is ``external``, the boundary with most protection.
"""

from __future__ import annotations

from quarterdeck.config.problem import BadValueError
from quarterdeck.config.urls import http_url
from quarterdeck.model.fleet import Boundary

_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "fc00::/7", "fe80::/10")
_PRIVATE_SUFFIXES = (".local", ".internal")


def default_boundary(url: str) -> Boundary:
    """The boundary of a URL by the table above; a URL that can't be read is ``external``."""
    try:
        host = http_url(url).host
    except BadValueError:
        return Boundary.EXTERNAL
    if host == "localhost" or host.endswith(".localhost") or (host.startswith("127.") and _is_address(host)):
        return Boundary.LOCAL
    if ":" in host or _is_address(host):
        return _of_address(host)
    if host.isascii() and ("." not in host or host.endswith(_PRIVATE_SUFFIXES)):
        return Boundary.VPC
    return Boundary.EXTERNAL


def _is_address(host: str) -> bool:
    """Enough for a host that ``http_url`` let through: there, only an IPv4 address ends in a digit-only label."""
    return host.rpartition(".")[2].isdecimal()


def _of_address(host: str) -> Boundary:
    import ipaddress

    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback or address.is_unspecified:
        return Boundary.LOCAL
    if any(address in ipaddress.ip_network(network) for network in _PRIVATE):
        return Boundary.VPC
    return Boundary.EXTERNAL

"""The signals of AXI4 and AXI4-Lite as this project uses them (Arm IHI 0022)."""

from __future__ import annotations

from typing import Any

from amaranth.lib.wiring import In, Out

from archmodel.records.base import SpecError
from archmodel.records.engines.systolic import Hardware

ID_BITS = 1
OKAY, SLVERR = 0b00, 0b10
INCR = 0b01
CACHE = 0b0011
"""Normal, non-cacheable, bufferable."""
MOST_BEATS = 256
BOUNDARY = 4096
"""Bytes: no burst crosses a multiple of it."""
WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Bytes that the data of AXI4 may have."""
ADDRESS_BITS = (32, 64)


def check(hardware: Hardware, address_bits: int) -> None:
    """Raises SpecError where AXI4 has no port like that of ``hardware``."""
    if hardware.port_bytes not in WIDTHS:
        wider = [width for width in WIDTHS if width < hardware.port_bytes]
        raise SpecError(f"systolic engine behind AXI4: port_bytes {hardware.port_bytes}, expected a power of two up to {WIDTHS[-1]}; "
                        f"{wider[-1]} is the next below")  # fmt: skip
    if address_bits not in ADDRESS_BITS:
        raise SpecError(f"systolic engine behind AXI4: addresses of {address_bits} bits, expected 32 or 64")


def manager(data_bytes: int, address_bits: int) -> dict[str, Any]:
    """Ports of an AXI4 manager, `m_axi_*`."""
    request = {"id": ID_BITS, "addr": address_bits, "len": 8, "size": 3, "burst": 2, "lock": 1, "cache": 4, "prot": 3, "qos": 4}
    ports: dict[str, Any] = {}
    for channel in ("aw", "ar"):
        ports |= {f"{channel}{name}": Out(bits) for name, bits in request.items()}
        ports |= {f"{channel}valid": Out(1), f"{channel}ready": In(1)}
    ports |= {"wdata": Out(8 * data_bytes), "wstrb": Out(data_bytes), "wlast": Out(1), "wvalid": Out(1), "wready": In(1),
              "bid": In(ID_BITS), "bresp": In(2), "bvalid": In(1), "bready": Out(1),
              "rid": In(ID_BITS), "rdata": In(8 * data_bytes), "rresp": In(2), "rlast": In(1), "rvalid": In(1),
              "rready": Out(1)}  # fmt: skip
    return {f"m_axi_{name}": port for name, port in ports.items()}


def subordinate(address_bits: int) -> dict[str, Any]:
    """Ports of an AXI4-Lite subordinate with 32 bits of data, `s_axi_*`."""
    ports = {
        "awaddr": In(address_bits), "awprot": In(3), "awvalid": In(1), "awready": Out(1),
        "wdata": In(32), "wstrb": In(4), "wvalid": In(1), "wready": Out(1),
        "bresp": Out(2), "bvalid": Out(1), "bready": In(1),
        "araddr": In(address_bits), "arprot": In(3), "arvalid": In(1), "arready": Out(1),
        "rdata": Out(32), "rresp": Out(2), "rvalid": Out(1), "rready": In(1),
    }  # fmt: skip
    return {f"s_axi_{name}": port for name, port in ports.items()}

"""The smallest machine that says everything itself, for tests of the reader and of the schema."""

SMALL = """\
node: 16 nm
clock: 1 GHz
memories:
  buffer: {technology: sram, size: 64 KiB}
  dram: {technology: lpddr4, size: 1 GiB, bandwidth: 8 GB/s, latency: 100 ns}
engines:
  array: {type: systolic, clock: core, buffer: buffer, port: dram, rows: 8, cols: 8, port_bytes: 8}
"""

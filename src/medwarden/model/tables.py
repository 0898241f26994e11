"""Column layouts of telemetry: what the flow core emits and the lake keeps.

Signed integers only (Iceberg has no others). Addresses are text: few per flow, and every reader
wants them so.
"""

from __future__ import annotations

import pyarrow as pa

FLOW_SCHEMA = pa.schema(
    [
        pa.field("flow_id", pa.int64(), nullable=False),  # unique within one input
        pa.field("start_ns", pa.int64(), nullable=False),
        pa.field("end_ns", pa.int64(), nullable=False),
        pa.field("client_mac", pa.string()),
        pa.field("server_mac", pa.string()),
        pa.field("client_ip", pa.string()),
        pa.field("server_ip", pa.string()),
        pa.field("client_port", pa.int32(), nullable=False),
        pa.field("server_port", pa.int32(), nullable=False),
        pa.field("ip_protocol", pa.int16(), nullable=False),  # IANA number; -1: not IP
        pa.field("vlan", pa.int32()),  # outermost 802.1Q id
        pa.field("tunnel", pa.string()),  # null, vxlan:VNI, gre, erspan:ID
        pa.field("packets_out", pa.int64(), nullable=False),  # client to server
        pa.field("packets_in", pa.int64(), nullable=False),
        pa.field("bytes_out", pa.int64(), nullable=False),  # IP length on the wire
        pa.field("bytes_in", pa.int64(), nullable=False),
        pa.field("payload_out", pa.int64(), nullable=False),  # transport payload
        pa.field("payload_in", pa.int64(), nullable=False),
        pa.field("tcp_flags_out", pa.int16(), nullable=False),  # union of flags seen
        pa.field("tcp_flags_in", pa.int16(), nullable=False),
        pa.field("ttl_out", pa.int16(), nullable=False),  # of the first packet; 0: none seen
        pa.field("ttl_in", pa.int16(), nullable=False),
        pa.field("syn_out", pa.string()),  # ttl:window:mss:options as laid out in the SYN
        pa.field("syn_in", pa.string()),
        pa.field("end_reason", pa.string(), nullable=False),  # idle, active, fin, rst, evicted, end
    ]
)
"""One two-way flow as the flow core exports it. Active expiry exports a flow in pieces with the
same ``flow_id``; counters of the pieces add up."""

FLOW_LAKE_SCHEMA = pa.schema(
    [
        pa.field("tenant", pa.string(), nullable=False),
        pa.field("site", pa.string(), nullable=False),
        pa.field("sensor", pa.string(), nullable=False),
        pa.field("batch", pa.string(), nullable=False),
        *FLOW_SCHEMA,
        pa.field("application", pa.string()),  # as recognised, e.g. dicom, tls, http
        pa.field("client_device", pa.string()),  # device ids at the time of writing
        pa.field("server_device", pa.string()),
    ]
)

EVIDENCE_LAKE_SCHEMA = pa.schema(
    [
        pa.field("tenant", pa.string(), nullable=False),
        pa.field("site", pa.string(), nullable=False),
        pa.field("sensor", pa.string(), nullable=False),
        pa.field("batch", pa.string(), nullable=False),
        pa.field("ts_ns", pa.int64(), nullable=False),
        pa.field("mac", pa.string()),
        pa.field("ip", pa.string()),
        pa.field("vlan", pa.int32()),
        pa.field("field", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
        pa.field("last_ns", pa.int64(), nullable=False),
        pa.field("device", pa.string()),
    ]
)

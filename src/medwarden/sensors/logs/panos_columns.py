"""The order of the columns in PAN-OS logs, and its fields under other names in CEF and LEEF.

Palo Alto Networks, "Syslog Field Descriptions" (PAN-OS 7.1 to 11.1) and, for CEF as its log service forwards
it, "Log Forwarding Schema Reference". Newer versions add columns at the end;
GLOBALPROTECT has had its present form since 9.1.3. Names are PAN-OS's own variables; an empty name is a
column that is not read.
"""

from __future__ import annotations

_HEAD = ("", "receive_time", "serial", "type", "subtype", "", "time_generated")
_SESSION = (
    *("src", "dst", "natsrc", "natdst", "rule", "srcuser", "dstuser", "app", "vsys", "from", "to"),
    *("inbound_if", "outbound_if", "logset", "", "sessionid", "repeatcnt", "sport", "dport", "natsport"),
    *("natdport", "flags", "proto", "action"),
)
_DEVICES = tuple(
    f"{side}_{what}"
    for side in ("src", "dst")
    for what in ("category", "profile", "model", "vendor", "osfamily", "osversion", "host", "mac")
)
_GROUPS = ("", "", "", "", "vsys_name", "device_name")

COLUMNS: dict[str, tuple[str, ...]] = {
    "TRAFFIC": (
        *_HEAD,
        *_SESSION,
        *("bytes", "bytes_sent", "bytes_received", "packets", "start", "elapsed", "category", "", "seqno"),
        *("actionflags", "srcloc", "dstloc", "", "pkts_sent", "pkts_received", "session_end_reason"),
        *_GROUPS,
        *(
            "action_source",
            "",
            "",
            "tunnelid",
            "monitortag",
            "parent_session_id",
            "parent_start_time",
            "tunnel",
        ),
        *("", "", "", "", "rule_uuid", "http2_connection", "", "", "", "", "", "", "", "dynusergroup_name"),
        "xff_ip",
        *_DEVICES,
    ),
    "THREAT": (
        *_HEAD,
        *_SESSION,
        *(
            "misc",
            "threatid",
            "category",
            "severity",
            "direction",
            "seqno",
            "actionflags",
            "srcloc",
            "dstloc",
        ),
        *("", "contenttype", "pcap_id", "filedigest", "cloud", "url_idx", "user_agent", "filetype", "xff"),
        *("referer", "sender", "subject", "recipient", "reportid"),
        *_GROUPS,
        *("", "", "", "http_method", "tunnel_id", "monitortag", "parent_session_id", "parent_start_time"),
        *(
            "tunnel",
            "thr_category",
            "contentver",
            "",
            "",
            "",
            "http_headers",
            "url_category_list",
            "rule_uuid",
        ),
        *("http2_connection", "dynusergroup_name", "xff_ip"),
        *_DEVICES,
    ),
    "GLOBALPROTECT": (
        *_HEAD,
        *("vsys", "eventid", "stage", "auth_method", "tunnel_type", "srcuser", "srcregion", "machinename"),
        *("public_ip", "public_ipv6", "private_ip", "private_ipv6", "hostid", "serialnumber", "client_ver"),
        *("client_os", "client_os_ver", "repeatcnt", "reason", "error", "opaque", "status", "location"),
        *("login_duration", "connect_method", "error_code", "portal", "seqno", "actionflags"),
    ),
    "HIPMATCH": (
        *_HEAD,
        *("srcuser", "vsys", "machinename", "os", "src", "matchname", "repeatcnt", "matchtype", "", ""),
        *("seqno", "actionflags"),
        *_GROUPS,
        *("vsys_id", "srcipv6", "hostid", "serialnumber", "mac"),
    ),
    "USERID": (
        *_HEAD,
        *("vsys", "ip", "user", "datasourcename", "eventid", "repeatcnt", "timeout", "beginport", "endport"),
        *("datasource", "datasourcetype"),
    ),
    "SYSTEM": (
        *_HEAD,
        *("vsys", "eventid", "object", "", "", "module", "severity", "opaque", "seqno", "actionflags"),
    ),
}
COLUMNS["HIP-MATCH"] = COLUMNS["HIPMATCH"]

CEF_NAMES = {
    "src": "src",
    "dst": "dst",
    "spt": "sport",
    "dpt": "dport",
    "proto": "proto",
    "act": "action",
    "app": "app",
    "in": "bytes_received",
    "out": "bytes_sent",
    "suser": "srcuser",
    "duser": "dstuser",
    "sourceTranslatedAddress": "natsrc",
    "destinationTranslatedAddress": "natdst",
    "deviceInboundInterface": "inbound_if",
    "deviceOutboundInterface": "outbound_if",
    "cs4": "from",
    "cs5": "to",
    "cn3": "elapsed",
    "PanOSPacketsSent": "pkts_sent",
    "PanOSPacketsReceived": "pkts_received",
    "reason": "session_end_reason",
    "rt": "time_generated",
    "start": "start",
    "request": "misc",
    "requestClientApplication": "user_agent",
    "shost": "machinename",
    "smac": "src_mac",
    **{
        f"PanOS{words}Device{word}": f"{side}_{word.lower()}"
        for side, words in (("src", "Source"), ("dst", "Destination"))
        for word in ("Category", "Profile", "Model", "Vendor", "OSFamily", "OSVersion", "Host", "Mac")
    },
}
LEEF_NAMES = {
    "src": "src",
    "dst": "dst",
    "srcPort": "sport",
    "dstPort": "dport",
    "proto": "proto",
    "action": "action",
    "Application": "app",
    "srcBytes": "bytes_sent",
    "dstBytes": "bytes_received",
    "usrName": "srcuser",
    "srcPostNAT": "natsrc",
    "dstPostNAT": "natdst",
    "SourceZone": "from",
    "DestinationZone": "to",
    "IngressInterface": "inbound_if",
    "EgressInterface": "outbound_if",
    "ElapsedTime": "elapsed",
    "srcPackets": "pkts_sent",
    "dstPackets": "pkts_received",
    "SessionEndReason": "session_end_reason",
    "StartTime": "start",
    "devTime": "time_generated",
    "cat": "type",
    "Type": "type",
    "Subtype": "subtype",
    "Miscellaneous": "misc",
    "UserAgent": "user_agent",
}

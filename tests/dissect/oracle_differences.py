"""Where tshark and we differ over all captures, and why: side, field, value, reason."""

from __future__ import annotations

import re

OURS, THEIRS = "only ours", "only tshark's"
DIFFERENCES = (
    (
        (OURS,),
        r"^(?:mqtt|ssh|http|ssdp)\.|^syslog\.host_name|^tls\.sni",
        ".",
        "known by content, on any port",
    ),
    ((OURS,), "syslog.app_name", ".", "tshark reads it of RFC 5424 alone"),
    (
        (OURS,),
        "dns.query",
        "^[!-~]+$",
        "of mDNS we also count names that a host claims and services it offers",
    ),
    ((OURS,), "nbns.name", ".", "tshark shows what kind a name is in answers alone"),
    (
        (OURS,),
        "smb.native_lanman",
        "Windows Server 2003 R2",
        "tshark does not show the second text of a request",
    ),
    ((OURS,), "ntlmssp", ".", "tshark gives up on a segment that it has not seen begin"),
    ((OURS,), "browser.host_name", ".", "of a domain we tell the host that announces it"),
    (
        (OURS,),
        r"^tls\.(?!sni)",
        ".",
        "of messages that share a record or a frame tshark's fields do not part",
    ),
    ((OURS,), "snmp.community", "^set$", "of a community that is a secret we tell that there is one"),
    (
        (OURS, THEIRS),
        r"^modbus\.",
        "^(?:unity|90|255)$",
        "Schneider's name of function 90; a unit of another connection",
    ),
    ((OURS,), "ntp.reference_id", ".", "an address whose octets are letters, too"),
    ((OURS,), "tftp.file", "zz", "of a read request on a port that tshark does not take for TFTP"),
    (
        (THEIRS,),
        "browser.host_name",
        "^(?:WORKGROUP|TESTDOMAIN)$",
        "the name of a domain is not that of a host",
    ),
    ((THEIRS,), "nbns.name", "^(?:WORKGROUP|LP-RKERUR-OSX)$", "a group; a name that is given up"),
    (
        (THEIRS,),
        "http.host",
        r"^(?:239\.255\.255\.250|\[FF0[25]::C\]):1900$",
        "the group that SSDP is sent to",
    ),
    ((THEIRS,), "ntp.stratum", ".", "the stratum a client claims says nothing of a server"),
    ((THEIRS,), "ntp.version", "^2$", "a private message (mode 7)"),
    (
        (THEIRS,),
        "dcerpc.uses",
        "^(?:drsuapi|lsarpc|mgmt|samr|spoolss)$",
        "inside pipes of SMB, or begun before",
    ),
    (
        (THEIRS,),
        "ntlmssp|kerberos.realm",
        ".",
        "inside pipes or log-ins of SMB and LDAP, read up to the negotiation",
    ),
    ((THEIRS,), "dns.query", "^<root>$", "the root is asked for by resolvers and says nothing"),
    (
        (THEIRS,),
        "dns.query",
        r"\.arpa$|^_dns-sd\._udp$",
        "questions for a name of an address, or all services",
    ),
    ((OURS, THEIRS), "dns.query", r"[^ -~]|\\", "octets beyond ASCII, which tshark's output replaces"),
    (
        (THEIRS,),
        "dns.nxdomain",
        r"\.(?:dla\.mil|irs\.gov|libertypr\.net)$",
        "datagrams of which only the head was captured",
    ),
    (
        (THEIRS,),
        r"^dhcp\.",
        ".",
        "in big-endian pcapng with times of the year 150,000, which we refuse by name",
    ),
    (
        (THEIRS,),
        r"^tls\.(?:sni|ja4)$",
        "(?i)hardening|^t11d070600_",
        "TLS inside the packets of RDP over UDP",
    ),
    (
        (THEIRS,),
        r"^tls\.(?:ja4|cipher)$",
        "^t10i160100_|^TLS_DHE_RSA_WITH_AES_256_CBC_SHA$",
        "TLS that begins within a connection after a program was sent",
    ),
    ((THEIRS,), "tls.ja4", "^t11d340100_", "a ClientHello whose extensions do not end with it"),
    ((THEIRS,), "tls.ja4", "_f37e75b10bcc$", "its second half was captured first, and nothing before it"),
    ((THEIRS,), "snmp.community", ".", "a community is a password: only those that everybody knows are told"),
    ((THEIRS,), "snmp.engine_id", "(?i)^<missing>$", "tshark's word for none"),
    ((THEIRS,), "smb.native_os", r"\\", "octets of an exploit that are no text"),
)


def explained(side: str, field: str, value: str) -> bool:
    return any(
        side in where and re.search(fields, field) and re.search(pattern, value)
        for where, fields, pattern, _ in DIFFERENCES
    )

"""Operating systems as the network sees them: TCP options, time to live, DHCP habits, TLS offers, builds.

What published passive fingerprinting tables (p0f, Satori, fingerbank) and the makers' documents say of each
stack. The order of DHCP options and the parameter request list (RFC 2132, option 55) are those that the
clients are known for.
"""

# ruff: noqa: E501 - tables are read by columns
from __future__ import annotations

import struct

import msgspec

_MSS = struct.pack(">BBH", 2, 4, 1460)
_SACK, _NOP, _STAMP = b"\x04\x02", b"\x01", b"\x08\x0a"


class System(msgspec.Struct, frozen=True, kw_only=True):
    """One operating system: ``name`` and ``version`` as people call them, the rest as packets show it.

    ``options`` is the layout of TCP options in a SYN: m(ss), s(ack), t(imestamps), w(indow scale), n(op),
    e(nd). ``dhcp_order`` lists the options of a request in the order sent; ``dhcp_asks`` is option 55.
    ``joins`` tells whether such a machine is usually a member of the Windows domain.
    """

    id: str
    name: str
    version: str = ""
    ttl: int = 64
    window: int = 64240
    options: str = "mstnw"
    scale: int = 7
    dhcp_order: tuple[int, ...] = (53, 61, 12, 55)
    dhcp_asks: tuple[int, ...] = (1, 28, 2, 3, 15, 6, 12)
    dhcp_class: str = ""
    tls: str = "openssl111"
    build: str = ""
    agent: str = ""
    joins: bool = False
    chatter: str = ""
    ssh: str = ""

    def syn_options(self, stamp: int, echo: int) -> bytes:
        """Return the TCP options of a SYN with the given timestamps."""
        parts = {
            "m": _MSS,
            "s": _SACK,
            "n": _NOP,
            "e": b"\0",
            "w": bytes((3, 3, self.scale)),
            "t": _STAMP + struct.pack(">II", stamp, echo),
        }
        return b"".join(parts[letter] for letter in self.options)

    @property
    def stamps(self) -> bool:
        """Tell whether the stack uses TCP timestamps (RFC 7323)."""
        return "t" in self.options


_WINDOWS_ASKS = (1, 3, 6, 15, 31, 33, 43, 44, 46, 47, 119, 121, 249, 252)
_OLD_WINDOWS_ASKS = (1, 15, 3, 6, 44, 46, 47, 31, 33, 121, 249, 43)
_XP_ASKS = (1, 15, 3, 6, 44, 46, 47, 31, 33, 249, 43)
_DHCLIENT_ASKS = (1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42)
_UDHCPC_ASKS = (1, 3, 6, 12, 15, 28, 42)
_APPLE_ASKS = (1, 121, 3, 6, 15, 108, 114, 119, 252)
_ANDROID_ASKS = (1, 3, 6, 15, 26, 28, 51, 58, 59, 43)
_WINDOWS_ORDER = (53, 61, 12, 60, 55)
_EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36 Edg/120.0.2210.91"
_IE11 = "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko"
_IE8 = "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1; Trident/4.0)"


def _windows(
    name: str, version: str, build: str, key: str, agent: str, tls: str, joins: bool = True
) -> System:
    return System(
        id=key, name=name, version=version, ttl=128, window=8192 if build.startswith("6.") else 64240,
        options="mnwnns", scale=8, dhcp_order=_WINDOWS_ORDER,
        dhcp_asks=_OLD_WINDOWS_ASKS if build.startswith("6.") else _WINDOWS_ASKS,
        dhcp_class="MSFT 5.0", tls=tls, build=build, agent=agent, joins=joins, chatter="windows",
    )  # fmt: skip


_ALL = (
    System(
        id="windows_xp", name="Windows", version="XP", ttl=128, window=64240, options="mnns", scale=0,
        dhcp_order=_WINDOWS_ORDER, dhcp_asks=_XP_ASKS, dhcp_class="MSFT 5.0", tls="schannel_xp",
        build="5.1.2600", agent=_IE8, chatter="windows_old",
    ),
    System(
        id="windows_2003", name="Windows Server", version="2003", ttl=128, window=64240, options="mnns", scale=0,
        dhcp_order=_WINDOWS_ORDER, dhcp_asks=_XP_ASKS, dhcp_class="MSFT 5.0", tls="schannel_xp",
        build="5.2.3790", agent=_IE8, chatter="windows_old",
    ),
    System(
        id="windows_ce", name="Windows CE", version="6.0", ttl=128, window=32768, options="mnns", scale=0,
        dhcp_order=(53, 61, 50, 12, 55), dhcp_asks=(1, 3, 6, 15, 44, 46, 47), tls="schannel_xp",
        agent="Mozilla/4.0 (compatible; MSIE 6.0; Windows CE; IEMobile 7.11)",
    ),
    _windows("Windows", "7", "6.1.7601", "windows_7", _IE11, "schannel_7"),
    _windows("Windows", "8.1", "6.3.9600", "windows_81", _IE11.replace("6.1", "6.3"), "schannel_8"),
    _windows("Windows", "10 1809", "10.0.17763", "windows_10_ltsc", _EDGE, "schannel_10"),
    _windows("Windows", "10 22H2", "10.0.19045", "windows_10", _EDGE, "schannel_10"),
    _windows("Windows", "11 23H2", "10.0.22631", "windows_11", _EDGE, "schannel_11"),
    _windows("Windows Server", "2008 R2", "6.1.7601", "server_2008r2", _IE11, "schannel_7"),
    _windows("Windows Server", "2012 R2", "6.3.9600", "server_2012r2", _IE11, "schannel_8"),
    _windows("Windows Server", "2016", "10.0.14393", "server_2016", _EDGE, "schannel_10"),
    _windows("Windows Server", "2019", "10.0.17763", "server_2019", _EDGE, "schannel_10"),
    _windows("Windows Server", "2022", "10.0.20348", "server_2022", _EDGE, "schannel_11"),
    System(
        id="debian_11", name="Debian", version="11", window=64240, dhcp_order=(53, 50, 12, 55),
        dhcp_asks=_DHCLIENT_ASKS, ssh="SSH-2.0-OpenSSH_8.4p1 Debian-5+deb11u1", agent="curl/7.74.0",
    ),
    System(
        id="debian_8", name="Debian", version="8", window=29200, dhcp_order=(53, 50, 12, 55),
        dhcp_asks=_DHCLIENT_ASKS, tls="openssl101", ssh="SSH-2.0-OpenSSH_6.7p1 Debian-5+deb8u4",
        agent="curl/7.38.0",
    ),
    System(
        id="ubuntu_1804", name="Ubuntu", version="18.04", window=29200, dhcp_order=(53, 61, 55, 57, 12),
        dhcp_asks=(1, 3, 12, 15, 6, 33, 121, 42), ssh="SSH-2.0-OpenSSH_7.6p1 Ubuntu-4ubuntu0.7", agent="curl/7.58.0",
    ),
    System(
        id="ubuntu_2204", name="Ubuntu", version="22.04", dhcp_order=(53, 61, 55, 57, 12),
        dhcp_asks=(1, 3, 12, 15, 6, 33, 121, 42, 108), ssh="SSH-2.0-OpenSSH_8.9p1 Ubuntu-3ubuntu0.6",
        agent="curl/7.81.0", tls="openssl3",
    ),
    System(
        id="rhel_7", name="Red Hat Enterprise Linux", version="7", window=29200, dhcp_order=(53, 12, 55),
        dhcp_asks=_DHCLIENT_ASKS, tls="openssl102", ssh="SSH-2.0-OpenSSH_7.4", agent="curl/7.29.0",
    ),
    System(
        id="rhel_8", name="Red Hat Enterprise Linux", version="8", window=29200, dhcp_order=(53, 12, 55),
        dhcp_asks=_DHCLIENT_ASKS, ssh="SSH-2.0-OpenSSH_8.0", agent="curl/7.61.1",
    ),
    System(
        id="embedded_linux", name="Embedded Linux", window=14600, scale=4, dhcp_order=(53, 61, 57, 55, 60),
        dhcp_asks=_UDHCPC_ASKS, dhcp_class="udhcp 1.24.1", tls="mbedtls", ssh="SSH-2.0-dropbear_2016.74",
    ),
    System(
        id="embedded_linux_old", name="Embedded Linux", window=5840, scale=2, dhcp_order=(53, 61, 60, 57, 55),
        dhcp_asks=(1, 3, 6, 12, 15, 28, 40, 41, 42), dhcp_class="udhcp 1.15.2", tls="openssl098",
        ssh="SSH-2.0-dropbear_0.52",
    ),
    System(
        id="vxworks", name="VxWorks", version="6.9", window=60000, options="mnwnnt", scale=0,
        dhcp_order=(53, 61, 55, 57), dhcp_asks=(1, 3, 6, 15, 28, 51, 54), tls="mbedtls",
    ),
    System(
        id="vxworks_5", name="VxWorks", version="5.5", window=8192, options="m", scale=0,
        dhcp_order=(53, 55, 61), dhcp_asks=(1, 3, 54, 51), tls="openssl098",
    ),
    System(
        id="qnx", name="QNX", version="6.5", window=32768, options="mnwnnt", scale=0,
        dhcp_order=(53, 61, 12, 55), dhcp_asks=(1, 28, 3, 15, 6, 12), tls="openssl101",
    ),
    System(
        id="lwip", name="RTOS", ttl=255, window=5840, options="m", scale=0, dhcp_order=(53, 57, 55, 12),
        dhcp_asks=(1, 3, 28, 6), tls="mbedtls",
    ),
    System(
        id="rtos", name="RTOS", ttl=64, window=8760, options="m", scale=0, dhcp_order=(53, 61, 55),
        dhcp_asks=(1, 3, 6), tls="mbedtls",
    ),
    System(
        id="threadx", name="RTOS", ttl=128, window=8192, options="m", scale=0, dhcp_order=(53, 55, 12, 61),
        dhcp_asks=(1, 3, 6, 15), tls="mbedtls",
    ),
    System(
        id="android", name="Android", version="11", window=65535, scale=8, dhcp_order=(53, 61, 57, 60, 55),
        dhcp_asks=_ANDROID_ASKS, dhcp_class="android-dhcp-11", tls="android", chatter="android",
        agent="Dalvik/2.1.0 (Linux; U; Android 11)",
    ),
    System(
        id="android_8", name="Android", version="8", window=65535, scale=8, dhcp_order=(53, 61, 57, 60, 12, 55),
        dhcp_asks=_ANDROID_ASKS, dhcp_class="android-dhcp-8.1.0", tls="android", chatter="android",
        agent="Dalvik/2.1.0 (Linux; U; Android 8.1.0)",
    ),
    System(
        id="ios", name="iOS", version="16", window=65535, options="mnwnntsee", scale=6,
        dhcp_order=(53, 55, 57, 61, 51, 12), dhcp_asks=_APPLE_ASKS, tls="apple", chatter="apple",
        agent="Mozilla/5.0 (iPhone; CPU iPhone OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    ),
    System(
        id="ipados", name="iPadOS", version="16", window=65535, options="mnwnntsee", scale=6,
        dhcp_order=(53, 55, 57, 61, 51, 12), dhcp_asks=_APPLE_ASKS, tls="apple", chatter="apple",
        agent="Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    ),
    System(
        id="macos", name="macOS", version="13", window=65535, options="mnwnntsee", scale=6,
        dhcp_order=(53, 55, 57, 61, 51, 12), dhcp_asks=(1, 121, 3, 6, 15, 119, 252, 95, 44, 46), tls="apple",
        agent="Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15", chatter="apple",
    ),
    System(
        id="thinos", name="ThinOS", ttl=64, window=65535, dhcp_order=(53, 61, 12, 60, 55),
        dhcp_asks=(1, 3, 6, 12, 15, 161, 162, 181, 182, 184), dhcp_class="wyse-5000", tls="openssl102",
    ),
    System(
        id="igel", name="IGEL OS", window=29200, dhcp_order=(53, 50, 12, 60, 55), dhcp_asks=_DHCLIENT_ASKS,
        dhcp_class="igel-tc",
    ),
    System(
        id="cisco_ios", name="Cisco IOS", version="15.2(7)E3", ttl=255, window=4128, options="m", scale=0,
        tls="openssl098", ssh="SSH-2.0-Cisco-1.25",
    ),
    System(id="aruba_os", name="ArubaOS", window=29200, dhcp_class="ArubaAP", dhcp_order=(53, 60, 55, 61)),
    System(
        id="cisco_ap", name="Cisco IOS", version="15.3(3)JF", ttl=255, window=4128, options="m", scale=0,
        dhcp_order=(53, 57, 61, 12, 55, 60), dhcp_asks=(1, 66, 6, 3, 15, 150, 43), tls="openssl098",
        dhcp_class="Cisco AP c3800", ssh="SSH-2.0-Cisco-1.25",
    ),
    System(id="panos", name="PAN-OS", window=29200, ssh="SSH-2.0-OpenSSH_12.1"),
    System(id="fortios", name="FortiOS", window=29200, ssh="SSH-2.0-xxxxxxx"),
    System(id="esxi", name="VMware ESXi", version="6.7", window=65535, options="mnwst", scale=9,
           ssh="SSH-2.0-OpenSSH_7.9", dhcp_asks=(1, 3, 6, 12, 15)),
    System(id="ontap", name="ONTAP", version="9.7P5", window=65535, options="mnwst", scale=8,
           ssh="SSH-2.0-OpenSSH_7.4"),
    System(
        id="phone_cisco", name="RTOS", window=5840, options="mstnw", scale=0, dhcp_order=(53, 61, 12, 55, 60),
        dhcp_asks=(1, 66, 6, 3, 15, 150, 35, 151), dhcp_class="Cisco Systems, Inc. IP Phone CP-8841",
        tls="openssl102",
    ),
    System(
        id="phone_poly", name="RTOS", window=5840, scale=0, dhcp_order=(53, 60, 55, 61),
        dhcp_asks=(1, 28, 66, 67, 43, 160, 3, 15, 6, 42), dhcp_class="Polycom-VVX410", tls="openssl102",
    ),
    System(
        id="phone_yealink", name="Embedded Linux", window=5840, scale=2, dhcp_order=(53, 61, 12, 60, 55),
        dhcp_asks=(1, 3, 6, 15, 42, 43, 66, 67, 120), dhcp_class="yealink", tls="openssl102",
    ),
    System(
        id="webos", name="webOS", window=29200, dhcp_order=(53, 61, 12, 60, 55), dhcp_asks=_DHCLIENT_ASKS,
        agent="Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36", chatter="media",
    ),
    System(
        id="tizen", name="Tizen", window=29200, dhcp_order=(53, 61, 57, 55), dhcp_asks=_UDHCPC_ASKS,
        agent="Mozilla/5.0 (SMART-TV; LINUX; Tizen 5.0) AppleWebKit/537.36", chatter="media",
    ),
    System(id="internet", name="", ttl=53, window=65535, options="mstnw", scale=8),
)  # fmt: skip

SYSTEMS = {system.id: system for system in _ALL}
"""All systems by id."""

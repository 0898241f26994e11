# cython: language_level=3, initializedcheck=False, embedsignature=False, cdivision=True
"""What every payload goes through before and around its dissector, and the formats heard most.

:mod:`medwarden.dissect.connection`, :mod:`medwarden.dissect.observer` and :mod:`medwarden.dissect.recall` say what
stands here is for; the parts are included into this one file so that the compiler sees them together. Python's
checks of bounds stay on; where memory is read by pointer, the lines before it say what lies within.
"""

from __future__ import annotations

cimport cython
from cpython.bytearray cimport PyByteArray_AS_STRING, PyByteArray_GET_SIZE, PyByteArray_Resize
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.object cimport PyObject
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memchr, memcmp, memcpy

import html
import struct
import zlib
from collections import deque
from functools import lru_cache
from ipaddress import ip_address

import msgspec

from medwarden.dissect.dcerpc_interfaces import INTERFACES
from medwarden.dissect.http_login import login_in_query
from medwarden.dissect.http_paths import public_path
from medwarden.dissect.registrable import registrable_domain
from medwarden.dissect.tls_names import ALERTS, cipher_name, version_name
from medwarden.flowcore import LIVE_COURSE, OVER_COURSE, Course, Step
from medwarden.kernel.errors import InternalError, MalformedInput
from medwarden.model.evidence import MAX_VALUE, Evidence, clean
from medwarden.model.segment import Segment, Transport

cdef object TCP = Transport.TCP
cdef object UDP = Transport.UDP
cdef object ETHERNET = Transport.ETHERNET

include "structs.pxi"
include "octets.pxi"
include "connection.pxi"
include "dispatch.pxi"
include "recalling.pxi"
include "dns.pxi"
include "mdns.pxi"
include "http_message.pxi"
include "http.pxi"
include "dhcp.pxi"
include "dcerpc.pxi"
include "tls.pxi"

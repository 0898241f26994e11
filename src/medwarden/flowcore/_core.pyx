# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
# cython: initializedcheck=False, embedsignature=False
"""The flow core: packets in memory to two-way flows and payload hand-offs.

Everything that runs once per packet is C without the interpreter's lock; the parts are included
into this one file so that the compiler sees them together.
"""

from __future__ import annotations

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytearray cimport PyByteArray_AS_STRING
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.dict cimport PyDict_GetItem
from cpython.ref cimport Py_INCREF, Py_XDECREF, PyObject
from cpython.unicode cimport PyUnicode_AsUTF8AndSize

import os

import pyarrow as pa

from medwarden.kernel.errors import InternalError, MalformedInput
from medwarden.model.batch import Fact
from medwarden.model.evidence import Evidence
from medwarden.model.segment import Segment, Transport
from medwarden.model.tables import FLOW_SCHEMA

from medwarden.flowcore.config import FlowCoreConfig

include "types.pxi"
include "fields.pxi"
include "decode.pxi"
include "handoff.pxi"
include "reassembly.pxi"
include "fragments.pxi"
include "shares.pxi"
include "table.pxi"
include "capture.pxi"
include "ring.pxi"
include "text.pxi"
include "arrow.pxi"
include "columns.pxi"
include "lifecycle.pxi"
include "segments.pxi"
include "hello.pxi"
include "interface.pxi"
include "recall.pxi"

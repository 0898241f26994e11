# Arrow columns read, and written from facts, without an object per value between.

cdef enum:
    MOST_TEXT = 2147483647


cdef class Column:
    """The memory of an Arrow buffer, held while it is read."""

    cdef Py_buffer view
    cdef const char *memory
    cdef Py_ssize_t size

    def __cinit__(self, buffer, Py_ssize_t least):
        if buffer is None:
            if least:
                raise InternalError("a column has no memory")
            return
        PyObject_GetBuffer(buffer, &self.view, PyBUF_SIMPLE)
        self.memory = <const char *>self.view.buf
        self.size = self.view.len
        if self.size < least:
            raise InternalError(f"a column of {self.size} bytes should have {least}")

    def __dealloc__(self):
        PyBuffer_Release(&self.view)  # does nothing where none was got


cdef class Numbers:
    """A column of numbers of a table that another process has sent; rows asked for lie within it."""

    cdef Column numbers
    cdef Column valid
    cdef Py_ssize_t offset

    def __cinit__(self, table, str name, Py_ssize_t width):
        self.hold(whole_column(table, name), width)

    cdef int hold(self, object array, Py_ssize_t width) except -1:
        cdef Py_ssize_t end
        self.offset = array.offset
        end = self.offset + len(array)
        buffers = array.buffers()
        self.numbers = Column(buffers[1], width * end)
        self.valid = Column(buffers[0], (end + 7) // 8) if array.null_count else None
        return 0

    cdef bint is_valid(self, Py_ssize_t row) noexcept:
        row += self.offset
        return self.valid is None or <uint8_t>self.valid.memory[row >> 3] >> (row & 7) & 1

    cdef int64_t long_at(self, Py_ssize_t row) noexcept:
        return (<int64_t *>self.numbers.memory)[self.offset + row]

    cdef int32_t short_at(self, Py_ssize_t row) noexcept:
        return (<int32_t *>self.numbers.memory)[self.offset + row]


cdef class Words:
    """A column of text in a dictionary, each word one object however often it is said."""

    cdef list words
    cdef Numbers indices

    def __cinit__(self, table, str name):
        array = whole_column(table, name)
        self.words = array.dictionary.to_pylist()
        self.indices = Numbers.__new__(Numbers, table, name, 0)
        self.indices.hold(array.indices, 4)

    cdef object at(self, Py_ssize_t row):
        cdef int32_t word
        if not self.indices.is_valid(row):
            return None
        word = self.indices.short_at(row)
        if not 0 <= word < len(self.words):
            raise InternalError("a word of a column is not in its dictionary")
        return self.words[word]


cdef object whole_column(object table, str name):
    """Return a column as one array. Raises InternalError where it has not as many rows as the table."""
    array = table.column(name).combine_chunks()
    if len(array) != table.num_rows:
        raise InternalError(f"the column {name} has {len(array)} rows of {table.num_rows}")
    return array


cdef class TextWriter:
    """One column of text under way."""

    cdef uint8_t *text
    cdef size_t used
    cdef size_t size
    cdef Py_ssize_t nulls
    cdef bytearray offsets
    cdef bytearray valid
    cdef Py_ssize_t rows

    def __cinit__(self, Py_ssize_t rows):
        self.rows = rows
        self.offsets = bytearray(4 * (rows + 1))
        self.valid = bytearray((rows + 7) // 8)

    def __dealloc__(self):
        free(self.text)

    cdef int put(self, Py_ssize_t row, object text) except -1:
        """Write the value of a row, which is below ``rows``: rows come one after another."""
        cdef Py_ssize_t length = 0
        cdef const char *octets
        if text is None:
            self.nulls += 1
        else:
            octets = PyUnicode_AsUTF8AndSize(text, &length)
            if self.used + <size_t>length > MOST_TEXT:
                raise OverflowError("facts of more than 2 GiB of text in one batch")
            if self.used + <size_t>length > self.size and not grow(&self.text, &self.size, self.used + length):
                raise MemoryError("no memory left to write facts")
            memcpy(self.text + self.used, octets, <size_t>length)
            self.used += <size_t>length
            set_valid(<uint8_t *>PyByteArray_AS_STRING(self.valid), <size_t>row)
        (<int32_t *>PyByteArray_AS_STRING(self.offsets))[row + 1] = <int32_t>self.used
        return 0

    cdef object column(self):
        mask = pa.py_buffer(self.valid) if self.nulls else None
        data = PyBytes_FromStringAndSize(<char *>self.text, <Py_ssize_t>self.used)
        buffers = [mask, pa.py_buffer(self.offsets), pa.py_buffer(data)]
        return pa.Array.from_buffers(pa.string(), self.rows, buffers, null_count=self.nulls)


cdef Py_ssize_t FACT_EVIDENCE = field_at(Fact, "evidence")
cdef Py_ssize_t FACT_LAST = field_at(Fact, "last_ns")
cdef Py_ssize_t FACT_COUNT = field_at(Fact, "count")


def fact_columns(facts):
    cdef list rows = list(facts)
    cdef Py_ssize_t n = len(rows)
    cdef Py_ssize_t row
    cdef bytearray first = bytearray(8 * n)
    cdef bytearray last = bytearray(8 * n)
    cdef bytearray count = bytearray(8 * n)
    cdef TextWriter mac = TextWriter(n)
    cdef TextWriter ip = TextWriter(n)
    cdef TextWriter field = TextWriter(n)
    cdef TextWriter value = TextWriter(n)
    cdef TextWriter source = TextWriter(n)
    cdef list vlans = [None] * n
    cdef bint tagged = False
    for row in range(n):
        fact = rows[row]
        if type(fact) is not Fact:
            raise TypeError(f"a fact is wanted, not {type(fact).__name__}")
        evidence = of(fact, FACT_EVIDENCE)
        if type(evidence) is not Evidence:
            raise TypeError(f"evidence is wanted, not {type(evidence).__name__}")
        (<int64_t *>PyByteArray_AS_STRING(first))[row] = of(evidence, FACT_TS)
        (<int64_t *>PyByteArray_AS_STRING(last))[row] = of(fact, FACT_LAST)
        (<int64_t *>PyByteArray_AS_STRING(count))[row] = of(fact, FACT_COUNT)
        mac.put(row, of(evidence, FACT_MAC))
        ip.put(row, of(evidence, FACT_IP))
        field.put(row, of(evidence, FACT_FIELD))
        value.put(row, of(evidence, FACT_VALUE))
        source.put(row, of(evidence, FACT_SOURCE))
        vlan = of(evidence, FACT_VLAN)
        if vlan is not None:
            vlans[row] = vlan
            tagged = True
    return {
        "ts_ns": pa.Array.from_buffers(pa.int64(), n, [None, pa.py_buffer(first)]),
        "mac": mac.column(),
        "ip": ip.column(),
        "vlan": pa.array(vlans, pa.int32()) if tagged else pa.nulls(n, pa.int32()),
        "field": field.column(),
        "value": value.column(),
        "source": source.column(),
        "count": pa.Array.from_buffers(pa.int64(), n, [None, pa.py_buffer(count)]),
        "last_ns": pa.Array.from_buffers(pa.int64(), n, [None, pa.py_buffer(last)]),
    }

# Fields of frozen structs, read where they lie instead of asked for by name.

cdef extern from *:
    """
    #include "structmember.h"

    static Py_ssize_t field_offset(PyObject *descriptor) {
        PyMemberDef *member;
        if (Py_TYPE(descriptor) != &PyMemberDescr_Type)
            return -1;
        member = ((PyMemberDescrObject *)descriptor)->d_member;
        return member->type == T_OBJECT_EX ? member->offset : -1;
    }

    #define FIELD(object, offset) (*(PyObject **)((char *)(object) + (offset)))
    """
    Py_ssize_t field_offset(object descriptor)
    PyObject *FIELD(object holder, Py_ssize_t offset)


cdef Py_ssize_t field_at(object kind, str name) except -1:
    """Return where instances of ``kind`` hold a field. Raises InternalError where that cannot be told."""
    cdef Py_ssize_t offset = field_offset(kind.__dict__[name])
    if offset < 0:
        raise InternalError(f"the field {name} of {kind.__name__} does not lie where msgspec used to lay it")
    return offset


cdef inline object of(object holder, Py_ssize_t offset):
    """Return a field of a struct: msgspec sets them all, and they never change."""
    return <object>FIELD(holder, offset)


cdef Py_ssize_t FACT_TS = field_at(Evidence, "ts_ns")
cdef Py_ssize_t FACT_MAC = field_at(Evidence, "mac")
cdef Py_ssize_t FACT_IP = field_at(Evidence, "ip")
cdef Py_ssize_t FACT_VLAN = field_at(Evidence, "vlan")
cdef Py_ssize_t FACT_FIELD = field_at(Evidence, "field")
cdef Py_ssize_t FACT_VALUE = field_at(Evidence, "value")
cdef Py_ssize_t FACT_SOURCE = field_at(Evidence, "source")

"""From a kernel to the object file that is kept of it, by Numba."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.typing.typeof import Purpose, typeof
from numba.np.arrayobj import populate_array

from .kernels import LAYOUT, UNFIT

if TYPE_CHECKING:
    from .kernels import Kernel

_I8, _I32, _I64 = map(ir.IntType, (8, 32, 64))
_HEAD = object.__basicsize__
"""Where what is an object's own begins: a number's value, a tuple's length. Its type stands before that."""
_DATA, _NDIM, _SHAPE, _STRIDES, _DTYPE, _FLAGS = (_HEAD + place for place in (0, 8, 16, 24, 40, 48))
"""Where NumPy's C interface has them in an array's object."""
_CHAR, _ORDER = _HEAD + 9, _HEAD + 10
"""Where a dtype has its letter, and the order of its bytes."""


@global_compiler_lock  # type: ignore[untyped-decorator]
def compiled(kernel: Kernel, arguments: tuple[Any, ...], name: str) -> bytes:
    """An object file with a function ``name``, to be called with the interpreter's lock. It takes the address of a tuple of
    arguments, and that of the addresses of the types that these, and what tuples among them hold, must be of, as they stand in
    line. What it returns is 0, 1 where the kernel failed, or UNFIT, and nothing done, where others would have to be compiled for.
    """
    jitted = kernel.jitted
    kinds = tuple(typeof(each, Purpose.argument) for each in arguments)
    jitted.compile(kinds)
    made = jitted.overloads[kinds]
    context, about = made.target_context, made.fndesc
    library = context.codegen().create_library(name)
    library.enable_object_caching()
    module = library.create_ir_module(name)
    entry = ir.Function(module, ir.FunctionType(_I64, [_I64, _I64.as_pointer()]), name)
    builder = ir.IRBuilder(entry.append_basic_block())
    callee = ir.Function(module, context.call_conv.get_function_type(about.restype, about.argtypes), about.llvm_func_name)
    with context.push_code_library(library):
        values = _Reading(context, builder, entry.args[1]).items(entry.args[0], about.argtypes, arguments)
    state = _python(builder, "PyEval_SaveThread", _I64)
    status, _ = context.call_conv.call_function(builder, callee, about.restype, about.argtypes, values)
    _python(builder, "PyEval_RestoreThread", ir.VoidType(), state)
    builder.ret(builder.zext(status.is_error, _I64))
    library.add_ir_module(module)
    library.add_linking_library(made.library)
    library.finalize()
    return bytes(library._get_compiled_object())


class _Reading:
    """What a kernel takes, out of Python's objects. Where they are not such as those that it is compiled for (``like``), the
    function ends.
    """

    def __init__(self, context: Any, builder: Any, wanted: Any) -> None:
        self.context, self.builder, self._wanted, self._seen = context, builder, wanted, 0

    def items(self, address: Any, kinds: Sequence[Any], like: Sequence[Any]) -> list[Any]:
        """What the tuple at an address holds, which is long enough."""
        self._insist(self._field(address, _HEAD), len(like))
        first = tuple.__basicsize__
        places = (self._field(address, first + 8 * number) for number in range(len(like)))
        return [self._value(*each) for each in zip(places, kinds, like, strict=True)]

    def _value(self, address: Any, kind: Any, like: Any) -> Any:
        builder, context = self.builder, self.context
        wanted = builder.load(builder.gep(self._wanted, [_I64(self._seen)]))
        self._seen += 1
        found = self._field(address, _HEAD - 8)
        if isinstance(kind, types.Array):  # of a class of its own, too
            self._insist(_python(builder, "PyType_IsSubtype", _I32, found, wanted), 1)
            return self._array(address, kind, like)
        self._insist(found, wanted)
        if isinstance(kind, types.BaseTuple):
            held: Any = kind
            return context.make_tuple(builder, kind, self.items(address, held.types, like))
        if kind is types.none:
            return context.get_dummy_value()
        if isinstance(like, int):
            number = _python(builder, "PyLong_AsLongLong", _I64, address)
            failed = builder.icmp_signed("!=", _python(builder, "PyErr_Occurred", _I64), _I64(0))
            with builder.if_then(failed, likely=False):
                builder.ret(_I64(UNFIT))  # Python raises what it is
            return context.cast(builder, number, types.int64, kind)
        number = self._field(address, _HEAD, context.get_data_type(kind))
        return context.data_model_manager[kind].from_data(builder, number)

    def _array(self, address: Any, kind: Any, like: Any) -> Any:
        """The array whose object is at an address."""
        dtype = self._field(address, _DTYPE)
        self._insist(self._field(dtype, _CHAR, _I8), ord(like.dtype.char))
        self._insist(self._field(dtype, _ORDER, _I8), ord(like.dtype.byteorder))
        self._insist(self._field(address, _NDIM, _I32), like.ndim)
        self._insist(self.builder.and_(self._field(address, _FLAGS, _I32), _I32(LAYOUT)), like.flags.num & LAYOUT)
        array = self.context.make_array(kind)(self.context, self.builder)
        shape, strides = (
            cgutils.pack_array(self.builder, [self._field(axes, 8 * axis) for axis in range(kind.ndim)], _I64)
            for axes in (self._field(address, _SHAPE), self._field(address, _STRIDES))
        )
        data = self.builder.inttoptr(self._field(address, _DATA), array.data.type)
        item = self.context.get_abi_sizeof(self.context.get_data_type(kind.dtype))
        populate_array(array, data, shape, strides, _I64(item), None)
        return array._getvalue()

    def _field(self, address: Any, place: int, kind: Any = _I64) -> Any:
        at = self.builder.add(address, _I64(place))
        return self.builder.load(self.builder.inttoptr(at, kind.as_pointer()))

    def _insist(self, found: Any, wanted: Any) -> None:
        """End the function where they differ."""
        other = self.builder.icmp_unsigned("!=", found, found.type(wanted) if isinstance(wanted, int) else wanted)
        with self.builder.if_then(other, likely=False):
            self.builder.ret(_I64(UNFIT))


def _python(builder: Any, name: str, result: Any, *arguments: Any) -> Any:
    """Call a function of Python's C interface; objects and states are addresses."""
    kind = ir.FunctionType(result, [each.type for each in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)

"""From a kernel to the object file that is kept of it, by Numba."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import TYPE_CHECKING, Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.core.typing.typeof import Purpose, typeof
from numba.np.arrayobj import populate_array

if TYPE_CHECKING:
    from .kernels import Kernel

_I64 = ir.IntType(64)
_DATA, _SHAPE, _STRIDES = 0, 16, 24
"""Where NumPy's C interface has them in an array's object, behind its head."""


@global_compiler_lock  # type: ignore[untyped-decorator]
def compiled(kernel: Kernel, arguments: tuple[Any, ...], name: str) -> bytes:
    """An object file with a function ``name``. It takes the address of 8 bytes for each number: of arrays the addresses of
    their objects, int64 and double; what it returns is 0, or 1 where the kernel failed.
    """
    jitted = kernel.jitted
    kinds = tuple(typeof(each, Purpose.argument) for each in arguments)
    jitted.compile(kinds)
    made = jitted.overloads[kinds]
    context, about = made.target_context, made.fndesc
    library = context.codegen().create_library(name)
    library.enable_object_caching()
    module = library.create_ir_module(name)
    entry = ir.Function(module, ir.FunctionType(_I64, [_I64.as_pointer()]), name)
    builder = ir.IRBuilder(entry.append_basic_block())
    callee = ir.Function(module, context.call_conv.get_function_type(about.restype, about.argtypes), about.llvm_func_name)
    given = (builder.gep(entry.args[0], [_I64(number)]) for number in count())
    with context.push_code_library(library):
        values = [_value(context, builder, each, given) for each in about.argtypes]
    status, _ = context.call_conv.call_function(builder, callee, about.restype, about.argtypes, values)
    builder.ret(builder.zext(status.is_error, _I64))
    library.add_ir_module(module)
    library.add_linking_library(made.library)
    library.finalize()
    return bytes(library._get_compiled_object())


def _value(context: Any, builder: Any, kind: Any, given: Iterator[Any]) -> Any:
    """What the kernel takes, from what the entry is given."""
    if isinstance(kind, types.BaseTuple):
        held: Any = kind
        return context.make_tuple(builder, kind, [_value(context, builder, each, given) for each in held.types])
    if kind is types.none:
        return context.get_dummy_value()
    place = next(given)
    if isinstance(kind, types.Array):
        return _array(context, builder, kind, builder.load(place))
    if isinstance(kind, types.Float):
        number = builder.load(builder.bitcast(place, ir.DoubleType().as_pointer()))
        return context.cast(builder, number, types.float64, kind)
    return context.cast(builder, builder.load(place), types.int64, kind)


def _array(context: Any, builder: Any, kind: Any, address: Any) -> Any:
    """The array whose object is at an address."""

    def field(place: int) -> Any:
        at = builder.add(address, _I64(object.__basicsize__ + place))
        return builder.load(builder.inttoptr(at, _I64.as_pointer()))

    def numbers(place: int) -> Any:
        every = builder.inttoptr(field(place), _I64.as_pointer())
        return [builder.load(builder.gep(every, [_I64(axis)])) for axis in range(kind.ndim)]

    array = context.make_array(kind)(context, builder)
    data = builder.inttoptr(field(_DATA), array.data.type)
    item = context.get_abi_sizeof(context.get_data_type(kind.dtype))
    populate_array(
        array,
        data,
        cgutils.pack_array(builder, numbers(_SHAPE), _I64),
        cgutils.pack_array(builder, numbers(_STRIDES), _I64),
        _I64(item),
        None,
    )
    return array._getvalue()

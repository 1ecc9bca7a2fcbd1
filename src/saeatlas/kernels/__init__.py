"""Pure numerical functions over arrays: no files, no domain objects. Import them inside functions, for they load numba."""

"""Pure numerical functions over arrays, without files or domain objects. They load numba: import them where used."""

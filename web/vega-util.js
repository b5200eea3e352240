// The three names of `vega-util` that the interpreter of expressions imports, out of the Vega that is loaded before it.

export const { ascending, isString, DisallowedObjectProperties } = globalThis.vega;

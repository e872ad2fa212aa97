/**
 * Instances of embedded WebAssembly modules; a module is compiled once.
 * @module
 */

/** What is used of the WebAssembly JavaScript interface, which the language's own type library does not have. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

const api = (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly;
const modules = new Map<string, object>();

/** Whether the runtime has WebAssembly at all. */
export const hasWasm: boolean = api !== undefined;

/**
 * A new instance, with a memory of its own, that may call the functions of `host`. Throws a plain error where the runtime
 * has no WebAssembly or no memory.
 */
export function instantiate<Exports>(base64: string, host: object = {}): Exports {
  if (api === undefined) throw new Error('this runtime has no WebAssembly');
  let module = modules.get(base64);
  if (module === undefined) {
    module = new api.Module(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
    modules.set(base64, module);
  }
  const abort = (): never => {
    throw new Error('a WebAssembly module gave up');
  };
  return new api.Instance(module, { env: { abort }, host }).exports as Exports;
}

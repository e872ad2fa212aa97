/**
 * Instances of embedded WebAssembly modules; a module is compiled once.
 * @module
 */

/** What is used of the WebAssembly JavaScript interface, which the language's own type library does not have. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
  readonly Memory: new (pages: { initial: number; maximum: number; shared: boolean }) => WasmMemory;
}

/** A memory that threads share can be sent to them. Its buffer is another one after it has grown. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
}

/** Modules say the same maximum: 4 GiB, of which nothing is taken before it is needed. */
const PAGES_MAX = 65536;

const api = (globalThis as { WebAssembly?: WebAssemblyApi }).WebAssembly;
const modules = new Map<string, object>();

/** Whether the runtime has WebAssembly at all. */
export const hasWasm: boolean = api !== undefined;

/** A memory for the modules that share one. Throws a plain error where the runtime has none. */
export function sharedMemory(): WasmMemory {
  return new (available().Memory)({ initial: 1, maximum: PAGES_MAX, shared: true });
}

/** What an instance is given: functions that it may call, and a memory unless it makes its own. */
interface Given {
  readonly memory?: WasmMemory;
  readonly host?: object;
}

/** A new instance. Throws a plain error where the runtime has no WebAssembly or no memory. */
export function instantiate<Exports>(base64: string, { memory, host = {} }: Given = {}): Exports {
  const { Module, Instance } = available();
  let module = modules.get(base64);
  if (module === undefined) {
    module = new Module(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)));
    modules.set(base64, module);
  }
  const abort = (): never => {
    throw new Error('a WebAssembly module gave up');
  };
  return new Instance(module, { env: { abort, memory }, host }).exports as Exports;
}

function available(): WebAssemblyApi {
  if (api === undefined) throw new Error('this runtime has no WebAssembly');
  return api;
}

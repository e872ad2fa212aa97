/** Reading and writing what sorting works on: texts of bytes or words, arrays of words. */

// @ts-ignore: decorator
@inline
export function at<T>(text: usize, i: i32): i32 {
  if (sizeof<T>() == 1) return <i32>load<u8>(text + <usize>i);
  return load<i32>(text + (<usize>i << 2));
}

// @ts-ignore: decorator
@inline
export function get(base: usize, i: i32): i32 {
  return load<i32>(base + (<usize>i << 2));
}

// @ts-ignore: decorator
@inline
export function set(base: usize, i: i32, value: i32): void {
  store<i32>(base + (<usize>i << 2), value);
}

/** Adds to an entry and gives its new value. */
// @ts-ignore: decorator
@inline
export function bump(base: usize, i: i32, by: i32): i32 {
  const value = get(base, i) + by;
  set(base, i, value);
  return value;
}

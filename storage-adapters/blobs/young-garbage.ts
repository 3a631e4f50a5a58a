import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/** Bytes of buffers that may die before they are collected. */
const interval = 8 << 20;

type Collect = (options: { readonly type: 'minor' }) => void;

let collect: Collect | undefined;
let uncollected = 0;

/**
 * Notes that a buffer of `bytes` passed through, and now and then collects the young ones that are dead.
 *
 * A socket gives each 64 KiB in a buffer of its own, outside of V8's heap. V8 lets 64 MB and more of dead
 * ones pile up, then marks the whole heap. A minor collection every 8 MiB takes 0.3 ms; streaming 1 GiB
 * then keeps a process 60 MB smaller and takes less CPU than without it, since memory is used again while it is in the
 * cache. (Node 26, measured with a 1 GiB GET: 97 MB and 0.90 s of CPU against 178 MB and 0.99 s.)
 */
export function passed(bytes: number): void {
  uncollected += bytes;
  if (uncollected < interval) return;
  uncollected = 0;
  collect ??= findCollector();
  collect({ type: 'minor' });
}

/** V8 gives its collector to contexts that are made after the flag is set; ours stays as it is. */
function findCollector(): Collect {
  setFlagsFromString('--expose-gc');
  const found = runInNewContext('typeof gc === "function" ? gc : undefined') as Collect | undefined;
  setFlagsFromString('--no-expose-gc');
  return found ?? (() => {});
}

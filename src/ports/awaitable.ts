/** A value now or later: an embedded database answers at once, one over a network later. */
export type Awaitable<T> = T | Promise<T>;

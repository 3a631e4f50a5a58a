import { STATUS_CODES } from 'node:http';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';

const keepAliveMs = 60_000;
/** Without a byte, once the other end has said that it sends no more. */
const endedMs = 60_000;
const lingerMs = 5_000;

/** The head of an answer, byte by byte: the HTTP server gives the connections of upgrades away. */
export function headOf(status: number, pairs: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`;
  for (let at = 0; at < pairs.length; at += 2) head += `${pairs[at]}: ${pairs[at + 1]}\r\n`;
  return `${head}\r\n`;
}

/** A client that was answered may be slow to close, but not for ever. */
export function closeSoon(client: Duplex): void {
  client.resume();
  const timer = setTimeout(() => client.destroy(), lingerMs);
  client.once('close', () => clearTimeout(timer));
}

/**
 * Two connections that are no HTTP any more: bytes both ways, with back-pressure, each end closed on its own. What
 * breaks on one side is for the caller to end on the other.
 */
export function joinEnds(
  client: { readonly socket: Duplex; readonly head: Buffer },
  other: { readonly socket: Duplex; readonly head: Buffer },
): void {
  const [one, two] = [client.socket, other.socket];
  // Those who vanish without a word would hold their place for ever.
  for (const end of [one, two]) if (end instanceof Socket) end.setKeepAlive(true, keepAliveMs);
  // So would those who never close after the other has.
  two.once('end', () => {
    if (one instanceof Socket) one.setTimeout(endedMs, () => one.destroy());
  });
  if (other.head.length > 0) two.unshift(other.head);
  if (client.head.length > 0) one.unshift(client.head);
  two.on('error', () => {});
  one.pipe(two);
  two.pipe(one);
}

import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';

/** Who is at the other end of the connection that a request came by. */
export interface DirectClient {
  readonly address: string;
  readonly encrypted: boolean;
}

/** Says it to the process that answers the request; believed on the socket alone that only workers can reach. */
export const directClientHeader = 'x-gantry-direct-client';

const told = new WeakMap<IncomingMessage, DirectClient>();

/** The client's connection, also where a worker took it and passed the request on. */
export function directClient(req: IncomingMessage): DirectClient {
  const known = told.get(req);
  if (known) return known;
  return {
    address: req.socket.remoteAddress ?? '',
    encrypted: (req.socket as TLSSocket).encrypted === true,
  };
}

/** The header's value for a request that is passed on. */
export function tellDirectClient(req: IncomingMessage): string {
  const { address, encrypted } = directClient(req);
  return `${encrypted ? 'https' : 'http'} ${address}`;
}

/** Takes the header off a request that a worker passed on. */
export function receiveDirectClient(req: IncomingMessage): void {
  if (told.has(req)) return;
  const [proto = '', address = ''] = String(req.headers[directClientHeader] ?? '').split(' ');
  told.set(req, { address, encrypted: proto === 'https' });
  withoutHeader(req, directClientHeader);
}

/** As if it had not been sent: nobody but a worker says whose a request is. */
export function withoutHeader(req: IncomingMessage, name: string): void {
  if (req.headers[name] === undefined) return;
  delete req.headers[name];
  const { rawHeaders } = req;
  for (let at = rawHeaders.length - 2; at >= 0; at -= 2) {
    if (rawHeaders[at]!.toLowerCase() === name) rawHeaders.splice(at, 2);
  }
}

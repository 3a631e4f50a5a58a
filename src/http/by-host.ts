import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Gateway } from '../gateway/gateway.ts';
import type { Upgrades } from './server.ts';

/** Requests of functions go to the gateway before anything of the registry's own sees them. */
export function byHost(current: () => Gateway, own: RequestListener): RequestListener {
  return (req: IncomingMessage, res: ServerResponse) => {
    const gateway = current();
    const ours = gateway.takes(req);
    if (typeof ours === 'boolean') return void (ours ? gateway.request(req, res) : own(req, res));
    ours.then(
      (found) => (found ? gateway.request(req, res) : own(req, res)),
      // What cannot be looked up is answered by the registry, which says why it cannot.
      () => own(req, res),
    );
  };
}

/** WebSockets and the like are for functions alone; other wishes to upgrade are answered as plain requests. */
export function upgradesOf(current: () => Gateway): Upgrades {
  return {
    takes: (req) => current().upgrades(req),
    upgrade: (req, socket, head) => current().upgrade(req, socket, head),
  };
}
